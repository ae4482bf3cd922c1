//! Files that are not yet whole, and the notes on folders that are not: hidden, in one folder beside what they
//! will be, so that a broken transfer goes on where it was.
//!
//! A peer has a bounded number of them, and none is kept for ever. Names never come from a peer.

use super::header::{Bin, Id};
use super::publish::publish;
use handfast_core::PeerId;
use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

/// The folder of them all, in the one that is received into.
pub(crate) const FOLDER: &str = ".handfast-parts";

/// What is kept at most: of one peer, and in all. The oldest goes.
const MAX_OF_A_PEER: usize = 16;
const MAX_IN_ALL: usize = 64;

/// What has not been written to for so long goes.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Less than this is not worth keeping, in bytes.
const WORTH_KEEPING: u64 = 1 << 20;

/// A transfer that broke off gives its part up within this time.
const GIVEN_UP_WITHIN: Duration = Duration::from_millis(1500);

const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The parts in one folder that is received into.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    into: PathBuf,
    folder: PathBuf,
}

/// A file that is not yet whole, and this transfer's alone.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
    file: File,
    keep: Keep,
}

/// What becomes of a part that is not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    IfWorthIt,
    Never,
}

impl Parts {
    /// Those of a folder.
    pub(crate) fn of(into: &Path) -> Self {
        Self { into: into.to_owned(), folder: into.join(FOLDER) }
    }

    /// Where is received into.
    pub(crate) fn into(&self) -> &Path {
        &self.into
    }

    /// The part of this key that an earlier transfer of the peer left, or an empty one. Where another transfer is
    /// at it, a fresh one.
    pub(crate) fn open(&self, peer: PeerId, key: Id) -> io::Result<Part> {
        self.make_room(peer)?;
        let path = self.folder.join(format!("{}-{key}.part", prefix(peer)));
        let until = SystemTime::now() + GIVEN_UP_WITHIN;
        loop {
            let file = self.file(&path)?;
            match file.try_lock() {
                // Between being opened and locked it may have been published, or removed.
                Ok(()) if is_at(&file, &path) => return Ok(Part { path, file, keep: Keep::IfWorthIt }),
                Ok(()) if SystemTime::now() < until => {}
                Ok(()) => return self.fresh(peer),
                Err(TryLockError::WouldBlock) if SystemTime::now() < until => thread::sleep(LOOK_EVERY),
                Err(TryLockError::WouldBlock) => return self.fresh(peer),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// An empty part that no later transfer goes on with.
    pub(crate) fn fresh(&self, peer: PeerId) -> io::Result<Part> {
        self.make_room(peer)?;
        let mut random = [0; 16];
        random.copy_from_slice(&handfast_tokio::entropy()?[..16]);
        let path = self.folder.join(format!("{}-{}.part", prefix(peer), Bin(random)));
        let file = self.file(&path)?;
        file.try_lock().map_err(io::Error::from)?;
        Ok(Part { path, file, keep: Keep::Never })
    }

    /// What a folder is called here that the peer began to send.
    pub(crate) fn folder_of(&self, peer: PeerId, root: Id) -> Option<String> {
        let name = fs::read_to_string(self.note(peer, root)).ok()?;
        let is_folder = fs::symlink_metadata(self.into.join(&name)).is_ok_and(|about| about.is_dir());
        let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
        (is_name && is_folder).then_some(name)
    }

    /// Keeps in mind what it is called.
    pub(crate) fn note_folder(&self, peer: PeerId, root: Id, name: &str) -> io::Result<()> {
        self.make_room(peer)?;
        let path = self.note(peer, root);
        let _ = fs::remove_file(&path);
        self.file(&path).and_then(|mut file| io::Write::write_all(&mut file, name.as_bytes()))
    }

    /// It is there whole.
    pub(crate) fn forget_folder(&self, peer: PeerId, root: Id) {
        // One that stays is removed when it is old.
        let _ = fs::remove_file(self.note(peer, root));
        self.remove_if_empty();
    }

    fn note(&self, peer: PeerId, root: Id) -> PathBuf {
        self.folder.join(format!("{}-{root}.folder", prefix(peer)))
    }

    /// Opens or makes a file in the folder of parts, and that one where it is not there. Never follows a link.
    fn file(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(
            &mut options,
            rustix::fs::OFlags::NOFOLLOW.bits().cast_signed(),
        );
        self.make_folder()?;
        match options.open(path) {
            // Another transfer, at its end, removed the folder.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_folder()?;
                options.open(path)
            }
            other => other,
        }
    }

    fn make_folder(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::symlink_metadata(&self.folder)?.is_dir() {
                    Ok(())
                } else {
                    Err(io::Error::new(error.kind(), format!("{FOLDER} is no folder")))
                }
            }
            other => other,
        }
    }

    fn remove_if_empty(&self) {
        // Refused where there is something in it.
        let _ = fs::remove_dir(&self.folder);
    }

    /// Removes what is old, and the oldest where there are too many, but for what a transfer is at.
    pub(crate) fn make_room(&self, peer: PeerId) -> io::Result<()> {
        let mut all = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
            Ok(entries) => entries.filter_map(|entry| Kept::look(&entry.ok()?.path())).collect::<Vec<_>>(),
        };
        all.sort_by_key(|kept| kept.written);
        let now = SystemTime::now();
        let is_old = |kept: &Kept| now.duration_since(kept.written).is_ok_and(|since| since > KEPT);
        let own = prefix(peer);
        let mut spare_own =
            (all.iter().filter(|kept| kept.is_of(&own)).count() + 1).saturating_sub(MAX_OF_A_PEER);
        let mut spare = (all.len() + 1).saturating_sub(MAX_IN_ALL);
        for kept in &all {
            let is_own = kept.is_of(&own);
            if (is_old(kept) || spare > 0 || (is_own && spare_own > 0)) && kept.remove() {
                spare = spare.saturating_sub(1);
                spare_own = spare_own.saturating_sub(usize::from(is_own));
            }
        }
        Ok(())
    }
}

/// Something in the folder of parts.
struct Kept {
    path: PathBuf,
    written: SystemTime,
}

impl Kept {
    /// What this program made there, and nothing else.
    fn look(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let about = fs::symlink_metadata(path).ok()?;
        let is_ours = about.is_file() && (name.ends_with(".part") || name.ends_with(".folder"));
        is_ours.then_some(())?;
        Some(Self { path: path.to_owned(), written: about.modified().ok()? })
    }

    fn is_of(&self, prefix: &str) -> bool {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(prefix))
    }

    /// Whether nobody is at it, and it is gone.
    fn remove(&self) -> bool {
        let Ok(file) = File::open(&self.path) else { return false };
        file.try_lock().is_ok() && fs::remove_file(&self.path).is_ok()
    }
}

fn prefix(peer: PeerId) -> String {
    let mut prefix = peer.to_string();
    prefix.truncate(16);
    prefix
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(file), Ok(path)) => (file.dev(), file.ino()) == (path.dev(), path.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// How a published file is to be, beside its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looks {
    /// When it was last changed, in seconds since 1970.
    pub(crate) modified: Option<u64>,
    pub(crate) executable: bool,
}

impl Part {
    /// Where the bytes go.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// How many bytes are there, and their hash so far; none where there are more than that.
    pub(crate) fn read(&mut self, at_most: u64) -> io::Result<(u64, Sha256)> {
        if self.file.metadata()?.len() > at_most {
            self.file.set_len(0)?;
        }
        self.file.rewind()?;
        hash(&mut self.file)
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()
    }

    /// It is of no use to a later transfer.
    pub(crate) fn spoil(&mut self) {
        self.keep = Keep::Never;
    }

    /// Makes it durable and gives it its name, or one with a number. Returns where it is.
    pub(crate) fn publish(mut self, folder: &Path, name: &str, looks: Looks) -> io::Result<PathBuf> {
        self.keep = Keep::Never;
        self.dress(looks);
        self.file.sync_all()?;
        publish(&self.path, folder, name)
    }

    /// A file system that has no such thing is no reason to fail.
    fn dress(&self, looks: Looks) {
        if let Some(modified) = looks.modified
            && let Some(modified) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(modified))
        {
            let _ = self.file.set_modified(modified);
        }
        #[cfg(unix)]
        if looks.executable
            && let Ok(about) = self.file.metadata()
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = about.permissions().mode();
            // For whoever may read it.
            let _ = self.file.set_permissions(fs::Permissions::from_mode(mode | ((mode & 0o444) >> 2)));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let is_kept = self.keep == Keep::IfWorthIt
            && self.file.metadata().is_ok_and(|about| about.len() >= WORTH_KEEPING);
        if !is_kept {
            // Gone already where it was renamed; nothing can be done where it cannot be removed.
            let _ = fs::remove_file(&self.path);
            if let Some(folder) = self.path.parent() {
                let _ = fs::remove_dir(folder);
            }
        }
    }
}

/// How many bytes a file has, and the state of their hash.
pub(crate) fn hash(file: &mut File) -> io::Result<(u64, Sha256)> {
    let (mut hash, mut len, mut buf) = (Sha256::new(), 0, vec![0; super::BLOCK]);
    loop {
        match file.read(&mut buf) {
            Ok(0) => return Ok((len, hash)),
            Ok(read) => {
                hash.update(&buf[..read]);
                len += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
