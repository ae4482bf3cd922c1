//! A store in one file: the identity, the records of pairing, the marks of keys and where peers are. On top of
//! redb, whose writes are atomic and durable.
//!
//! The file is made whole or not at all, and never made anew where one is: a device that lost its key, or
//! got another one, would be a stranger to everybody.

use super::{Store, StoreError};
use crate::crypto::{entropy, new_identity};
use data_encoding::HEXLOWER;
use handfast_core::Identity;
use handfast_core::store::{Mark, PairRecord, RECORD_VERSION, StoreChange, Stored, Whereabouts};
use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The format of the file's tables. That of the records and marks in them is [`RECORD_VERSION`].
///
/// | format | tables |
/// |---|---|
/// | 1 | `meta`, `identity`, `pairs` |
/// | 2 | and `marks` |
/// | 3 | and `numbers` |
/// | 4 | and `whereabouts` |
///
/// An older file is brought to this one when it is opened, in one write; an older version must not open it after
/// that: one that knows no marks would talk to who is banned, one that knows no whereabouts would keep those of peers
/// that were forgotten.
const FORMAT: u16 = 4;

/// `format` and `records`, to [`FORMAT`] and [`RECORD_VERSION`].
const META: TableDefinition<'_, &str, u16> = TableDefinition::new("meta");

/// `pkcs8` to the key pair.
const IDENTITY: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("identity");

/// Pair ids to records.
const PAIRS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("pairs");

/// Fingerprints to marks.
const MARKS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("marks");

/// Fingerprints to where their owners may be.
const WHEREABOUTS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("whereabouts");

/// `announced` to the number of the last announcement to discovery servers.
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");

/// Memory for pages, in bytes. A thousand pairings take less.
const CACHE: usize = 1 << 20;

/// An identity and its pairings in one file, which its owner alone may read (mode 0600 on Unix).
///
/// One process at a time: the file is locked while this lives.
pub struct RedbStore {
    database: Database,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl RedbStore {
    /// Opens the file, after checking every page of it. Where there is none, makes one with a fresh identity.
    /// Blocks. Its folder must be there.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a file that is damaged or something else: it is left as it is;
    /// [`StoreError::Newer`], [`StoreError::InUse`], [`StoreError::Io`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.try_exists()? {
            create(path)?;
        }
        let database = settings().open(path).map_err(from_redb)?;
        let pkcs8 = check(&database)?;
        migrate(&database)?;
        Ok(Self { database, pkcs8 })
    }

    /// The identity that was made with the file.
    ///
    /// # Panics
    /// Never: the key was read when the file was opened.
    pub fn identity(&self) -> Identity {
        Identity::from_pkcs8(&self.pkcs8).expect("the key was read when the file was opened")
    }
}

impl Store for RedbStore {
    fn load(&self) -> Result<Stored, StoreError> {
        let read = self.database.begin_read().map_err(from_redb)?;
        let mut stored = Stored::default();
        let pairs = read.open_table(PAIRS).map_err(from_redb)?;
        for entry in pairs.iter().map_err(from_redb)? {
            let (id, bytes) = entry.map_err(from_redb)?;
            let record = PairRecord::decode(bytes.value()).map_err(|_| StoreError::Corrupt)?;
            if *record.pair_id.as_bytes() != id.value() {
                return Err(StoreError::Corrupt);
            }
            stored.records.push(record);
        }
        let marks = read.open_table(MARKS).map_err(from_redb)?;
        for entry in marks.iter().map_err(from_redb)? {
            let (fingerprint, bytes) = entry.map_err(from_redb)?;
            let mark = Mark::decode(bytes.value()).map_err(|_| StoreError::Corrupt)?;
            if *mark.fingerprint.as_bytes() != fingerprint.value() {
                return Err(StoreError::Corrupt);
            }
            stored.marks.push(mark);
        }
        let whereabouts = read.open_table(WHEREABOUTS).map_err(from_redb)?;
        for entry in whereabouts.iter().map_err(from_redb)? {
            let (fingerprint, bytes) = entry.map_err(from_redb)?;
            let entry = Whereabouts::decode(bytes.value()).map_err(|_| StoreError::Corrupt)?;
            if *entry.fingerprint.as_bytes() != fingerprint.value() {
                return Err(StoreError::Corrupt);
            }
            stored.whereabouts.push(entry);
        }
        let numbers = read.open_table(NUMBERS).map_err(from_redb)?;
        stored.announced = numbers.get("announced").map_err(from_redb)?.map_or(0, |number| number.value());
        Ok(stored)
    }

    fn write(&self, change: &StoreChange) -> Result<(), StoreError> {
        let StoreChange { put, delete, mark, unmark, place, unplace, announced } = change;
        let write = self.database.begin_write().map_err(from_redb)?;
        {
            let mut pairs = write.open_table(PAIRS).map_err(from_redb)?;
            for id in delete {
                pairs.remove(id.as_bytes()).map_err(from_redb)?;
            }
            for record in put {
                pairs.insert(record.pair_id.as_bytes(), &record.encode()[..]).map_err(from_redb)?;
            }
            let mut marks = write.open_table(MARKS).map_err(from_redb)?;
            for fingerprint in unmark {
                marks.remove(fingerprint.as_bytes()).map_err(from_redb)?;
            }
            for mark in mark {
                marks.insert(mark.fingerprint.as_bytes(), &mark.encode()[..]).map_err(from_redb)?;
            }
            let mut whereabouts = write.open_table(WHEREABOUTS).map_err(from_redb)?;
            for fingerprint in unplace {
                whereabouts.remove(fingerprint.as_bytes()).map_err(from_redb)?;
            }
            for entry in place {
                whereabouts.insert(entry.fingerprint.as_bytes(), &entry.encode()[..]).map_err(from_redb)?;
            }
            if let Some(number) = announced {
                let mut numbers = write.open_table(NUMBERS).map_err(from_redb)?;
                let last = numbers.get("announced").map_err(from_redb)?.map_or(0, |last| last.value());
                numbers.insert("announced", last.max(*number)).map_err(from_redb)?;
            }
        }
        write.commit().map_err(from_redb)
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedbStore(..)")
    }
}

fn settings() -> Builder {
    let mut settings = Builder::new();
    settings.set_cache_size(CACHE).set_check_integrity_on_open(true);
    settings
}

/// The format, and the key pair.
fn check(database: &Database) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let read = database.begin_read().map_err(from_redb)?;
    let meta = read.open_table(META).map_err(from_redb)?;
    for (name, known) in [("format", FORMAT), ("records", RECORD_VERSION)] {
        let found = meta.get(name).map_err(from_redb)?.ok_or(StoreError::Corrupt)?.value();
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
    }
    let identity = read.open_table(IDENTITY).map_err(from_redb)?;
    let pkcs8 = identity.get("pkcs8").map_err(from_redb)?.ok_or(StoreError::Corrupt)?;
    let pkcs8 = Zeroizing::new(pkcs8.value().to_vec());
    Identity::from_pkcs8(&pkcs8).map_err(|_| StoreError::Corrupt)?;
    Ok(pkcs8)
}

/// Brings an older file to this format, whole or not at all.
fn migrate(database: &Database) -> Result<(), StoreError> {
    let read = database.begin_read().map_err(from_redb)?;
    let meta = read.open_table(META).map_err(from_redb)?;
    let found = meta.get("format").map_err(from_redb)?.ok_or(StoreError::Corrupt)?.value();
    drop((meta, read));
    if found == FORMAT {
        return Ok(());
    }
    let write = database.begin_write().map_err(from_redb)?;
    {
        write.open_table(MARKS).map_err(from_redb)?;
        write.open_table(WHEREABOUTS).map_err(from_redb)?;
        write.open_table(NUMBERS).map_err(from_redb)?;
        let mut meta = write.open_table(META).map_err(from_redb)?;
        meta.insert("format", FORMAT).map_err(from_redb)?;
    }
    write.commit().map_err(from_redb)
}

/// Makes the file under another name first: killed at any moment, it is there whole or not at all.
fn create(path: &Path) -> Result<(), StoreError> {
    let draft = Draft::beside(path)?;
    let backend = FileBackend::new(draft.file()?).map_err(from_redb)?;
    let database = settings().create_with_backend(backend).map_err(from_redb)?;
    let write = database.begin_write().map_err(from_redb)?;
    {
        let mut meta = write.open_table(META).map_err(from_redb)?;
        meta.insert("format", FORMAT).map_err(from_redb)?;
        meta.insert("records", RECORD_VERSION).map_err(from_redb)?;
        let mut identity = write.open_table(IDENTITY).map_err(from_redb)?;
        identity.insert("pkcs8", &new_identity()?.to_pkcs8()[..]).map_err(from_redb)?;
        write.open_table(PAIRS).map_err(from_redb)?;
        write.open_table(MARKS).map_err(from_redb)?;
        write.open_table(WHEREABOUTS).map_err(from_redb)?;
        write.open_table(NUMBERS).map_err(from_redb)?;
    }
    write.commit().map_err(from_redb)?;
    drop(database);
    draft.publish(path)?;
    Ok(())
}

/// A file that is not yet the store. Its name goes on drop.
struct Draft(PathBuf);

impl Draft {
    fn beside(path: &Path) -> io::Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".new-{}", HEXLOWER.encode(&entropy()?[..8])));
        Ok(Self(path.with_file_name(name)))
    }

    fn file(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.0)
    }

    /// A second name never replaces a store that another process made in the meantime; a file system that
    /// knows no second names is taken at its word.
    fn publish(self, path: &Path) -> io::Result<()> {
        match fs::hard_link(&self.0, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => fs::rename(&self.0, path)?,
            Ok(()) => {}
        }
        // Where folders cannot be opened the file's own sync must do.
        if let Some(Ok(folder)) = path.parent().map(File::open) {
            folder.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already where it was renamed; nothing can be done where it cannot be removed.
        let _ = fs::remove_file(&self.0);
    }
}

/// Whatever a healthy file cannot cause is damage.
fn from_redb(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => StoreError::InUse,
        redb::Error::Io(error) => match error.kind() {
            // Not a store, or not all of one.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => StoreError::Corrupt,
            _ => StoreError::Io(error),
        },
        redb::Error::PreviousIo => StoreError::Io(io::Error::other("an earlier write failed")),
        _ => StoreError::Corrupt,
    }
}

#[cfg(test)]
mod tests;
