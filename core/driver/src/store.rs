//! Where a node keeps its pairings, what the user decided about keys, and where peers are.
//!
//! A store is asked blocking questions, one at a time, on threads where that hurts nobody. It never learns
//! what a record or a mark means.

#[cfg(feature = "redb")]
pub(crate) mod redb;

use handfast_core::store::{Mark, PairRecord, StoreChange, Stored, Whereabouts};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Durable records of pairing, marks of keys, and whereabouts of peers.
///
/// The calls block, come one at a time, and run on the runtime's pool for blocking work. A record holds a
/// secret: keep the file readable by its owner alone.
pub trait Store: Send + Sync + 'static {
    /// Everything, in any order. Asked at the start, and after a failed write.
    ///
    /// # Errors
    /// A [`StoreError`] if it cannot be read, all of it: a part is never passed off as the whole.
    fn load(&self) -> Result<Stored, StoreError>;

    /// Writes what is to be written, replacing records of the same id, and marks and whereabouts of the same fingerprint, and deletes
    /// what is to be deleted, where what is not there is no error: all or nothing, and durable when it returns.
    /// [`Stored::apply`] shows what it comes to.
    ///
    /// # Errors
    /// A [`StoreError`] if it may not have happened.
    fn write(&self, change: &StoreChange) -> Result<(), StoreError>;
}

/// Why a store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// What is stored cannot be read. Nothing is overwritten.
    #[error("the store is damaged")]
    Corrupt,
    /// Another process has it open.
    #[error("the store is in use by another process")]
    InUse,
    /// The file system failed: a full disk, a missing permission.
    #[error("the store failed: {0}")]
    Io(#[from] io::Error),
    /// A newer version of this library wrote it.
    #[error("the store was written by a newer version (format {found}, this one reads up to {known})")]
    Newer {
        /// The format that was found.
        found: u16,
        /// The newest format that this version reads.
        known: u16,
    },
    /// The store's own code panicked.
    #[error("the store panicked")]
    Panicked,
}

/// A store that forgets everything with its last clone: for tests, and for nodes that pair anew each time.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Stored>>);

impl MemoryStore {
    /// A store that holds these records.
    pub fn with(records: Vec<PairRecord>) -> Self {
        Self(Arc::new(Mutex::new(records.into())))
    }

    /// The records that it holds.
    pub fn records(&self) -> Vec<PairRecord> {
        self.stored().records
    }

    /// The marks that it holds.
    pub fn marks(&self) -> Vec<Mark> {
        self.stored().marks
    }

    /// What it remembers of where peers are.
    pub fn whereabouts(&self) -> Vec<Whereabouts> {
        self.stored().whereabouts
    }

    fn stored(&self) -> Stored {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Store for MemoryStore {
    fn load(&self) -> Result<Stored, StoreError> {
        Ok(self.stored())
    }

    fn write(&self, change: &StoreChange) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).apply(change);
        Ok(())
    }
}
