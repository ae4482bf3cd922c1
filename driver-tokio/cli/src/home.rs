//! The folder that makes this device who it is: its key and its paired devices, in one file.

use crate::exit::{Failure, Kind};
use crate::lock::Lock;
use directories::ProjectDirs;
use handfast_core::store::{MAX_BANNED, Mark, MarkKind, PairRecord, PairState, StoreChange, Stored};
use handfast_core::{Fingerprint, PairId};
use handfast_tokio::{RedbStore, Store as _, StoreError};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The store's file.
const STORE_FILE: &str = "handfast.redb";

/// An open home, which no other process can open.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) store: RedbStore,
    pub(crate) lock: Lock,
}

impl Home {
    /// Opens the home in this folder, or makes one with a fresh identity where there is none. Blocks.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        create_private(folder).map_err(|error| {
            Kind::Home.because(format_args!("cannot make the home {}: {error}", folder.display()))
        })?;
        let lock = Lock::take(folder)?;
        let path = folder.join(STORE_FILE);
        let store = RedbStore::open(&path).map_err(|error| failure(&path, &error))?;
        Ok(Self { store, lock })
    }

    /// Where the home is: as the user says, or where the platform keeps data.
    pub(crate) fn folder(named: Option<&Path>) -> Result<PathBuf, Failure> {
        match named {
            Some(folder) => Ok(folder.to_owned()),
            None => default_folder(),
        }
    }

    /// The pairings that stand, by name.
    pub(crate) fn paired(&self) -> Result<Vec<PairRecord>, Failure> {
        let mut records = self.stored()?.records;
        records.retain(|record| record.state == PairState::Paired);
        records.sort_by(|a, b| (&a.metadata.name, a.pair_id).cmp(&(&b.metadata.name, b.pair_id)));
        Ok(records)
    }

    /// Deletes every record of this key, whatever its state, and the trust in it.
    pub(crate) fn forget(&self, key: Fingerprint) -> Result<(), Failure> {
        let stored = self.stored()?;
        let trusted = stored.marks.iter().filter(|mark| mark.fingerprint == key && mark.is_trusted());
        let unmark = trusted.map(|mark| mark.fingerprint).collect();
        self.write(StoreChange { delete: ids_of(&stored, &key), unmark, ..StoreChange::default() })
    }

    /// Keeps a key out, and deletes every record of it.
    pub(crate) fn ban(&self, key: Fingerprint) -> Result<(), Failure> {
        if key == self.store.identity().fingerprint() {
            return Err(Kind::Usage.because("this is the fingerprint of this very device"));
        }
        let stored = self.stored()?;
        let others = stored.marks.iter().filter(|mark| mark.is_banned() && mark.fingerprint != key);
        if others.count() >= MAX_BANNED {
            return Err(Kind::Usage.because(format_args!(
                "{MAX_BANNED} devices are banned, and there is no room for another; lift a ban with `handfast unban`"
            )));
        }
        let (delete, mark) = (ids_of(&stored, &key), vec![Mark::new(key, MarkKind::Banned)]);
        self.write(StoreChange { delete, mark, ..StoreChange::default() })
    }

    /// Forgets what was decided about a key, where `decided` says that it was that. Whether it was.
    pub(crate) fn unmark(&self, key: Fingerprint, decided: fn(&Mark) -> bool) -> Result<bool, Failure> {
        let is_it = |mark: &Mark| mark.fingerprint == key && decided(mark);
        if !self.stored()?.marks.iter().any(is_it) {
            return Ok(false);
        }
        self.write(StoreChange { unmark: vec![key], ..StoreChange::default() }).and(Ok(true))
    }

    /// All that the home holds.
    pub(crate) fn stored(&self) -> Result<Stored, Failure> {
        self.store.load().map_err(|error| store_failure(&error))
    }

    fn write(&self, change: StoreChange) -> Result<(), Failure> {
        self.store.write(&change).map_err(|error| store_failure(&error))
    }
}

fn ids_of(stored: &Stored, key: &Fingerprint) -> Vec<PairId> {
    let of_key = stored.records.iter().filter(|record| record.peer.fingerprint() == *key);
    of_key.map(|record| record.pair_id).collect()
}

/// A file that its owner alone may read, made where there is none.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A folder that its owner alone may enter, with its parents. One that is there stays as it is.
fn create_private(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn default_folder() -> Result<PathBuf, Failure> {
    ProjectDirs::from("", "", "handfast")
        .map(|dirs| dirs.data_local_dir().to_owned())
        .ok_or_else(|| Kind::Home.because("this platform names no folder for data: choose one with --home"))
}

fn failure(path: &Path, error: &StoreError) -> Failure {
    let path = path.display();
    match error {
        StoreError::InUse => Kind::HomeBusy.because(format_args!("another process uses {path}")),
        StoreError::Corrupt => Kind::Home.because(format_args!(
            "{path} is damaged. It holds this device's key and is left as it is: bring it back from a \
             backup, or move it away to begin as a new device"
        )),
        other => Kind::Home.because(format_args!("{path}: {other}")),
    }
}

/// A failure of the store after it was opened.
pub(crate) fn store_failure(error: &StoreError) -> Failure {
    Kind::Home.because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_keeps_its_identity() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("new/home");
        let own = || Home::open(&folder).unwrap().store.identity().fingerprint();
        assert_eq!(own(), own());
    }

    #[test]
    fn a_damaged_home_is_an_error_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(STORE_FILE), "damaged").unwrap();
        let refused = Home::open(folder.path()).unwrap_err();
        assert_eq!(refused.kind, Kind::Home);
        assert!(refused.message.contains("is damaged"), "{}", refused.message);
        assert_eq!(fs::read(folder.path().join(STORE_FILE)).unwrap(), b"damaged");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_enter_a_home_and_read_its_files() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("home");
        let _home = Home::open(&folder).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let entries: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(entries.len(), 3, "{entries:?}");
        for path in entries {
            assert_eq!(mode(&path), 0o600, "{path:?}");
        }
    }
}
