//! A file that is not yet whole, and the moment when it gets its name.
//!
//! Never overwrites: neither a file that was there, nor one that appears in the meantime.

use super::name::split_extension;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Names that are tried, ` (1)` and on, before one gives up.
const MAX_NUMBER: u32 = 9999;

/// A hidden file next to where it will be, `.NAME.part-RANDOM`. Removed on drop, unless it was published.
pub(crate) struct Part {
    folder: PathBuf,
    name: String,
    path: PathBuf,
    file: File,
}

impl Part {
    /// A new, empty one. `name` is one that [`sanitise`](super::name::sanitise) made.
    pub(crate) fn create(folder: &Path, name: &str) -> io::Result<Self> {
        let random: String =
            handfast_tokio::entropy()?[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(format!(".{name}.part-{random}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { folder: folder.to_owned(), name: name.to_owned(), path, file })
    }

    /// Where the bytes go.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Makes it durable and gives it its name, or the first of `NAME (1)`, `NAME (2)` that is free.
    /// Returns where it is.
    pub(crate) fn publish(self) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        for number in 0..=MAX_NUMBER {
            let path = self.folder.join(numbered(&self.name, number));
            match name_without_overwriting(&self.path, &path) {
                Ok(()) => {
                    sync_folder(&self.folder);
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many files of that name"))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Gone already where it was renamed; nothing can be done where it cannot be removed.
        let _ = fs::remove_file(&self.path);
    }
}

/// A second name for the file: fails, whoever else is at work, where the name is taken. The first one goes
/// with the [`Part`].
fn name_without_overwriting(part: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(part, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            rename_without_overwriting(part, path).map_err(|_| error)
        }
        other => other,
    }
}

/// For file systems without hard links, such as FAT.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_without_overwriting(part: &Path, path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, part, CWD, path, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_without_overwriting(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `a.txt`, `a (1).txt`, `a (2).txt`.
fn numbered(name: &str, number: u32) -> String {
    let (stem, extension) = split_extension(name);
    match number {
        0 => name.to_owned(),
        number => format!("{stem} ({number}){extension}"),
    }
}

/// So that the name survives a power cut too. Where folders cannot be opened the file's own sync must do.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn part(folder: &Path, name: &str, bytes: &[u8]) -> Part {
        let mut part = Part::create(folder, name).unwrap();
        part.file().write_all(bytes).unwrap();
        part
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_only_once_it_is_published() {
        let folder = tempfile::tempdir().unwrap();
        let part = part(folder.path(), "a.txt", b"whole");
        assert!(names(folder.path()).iter().all(|name| name.starts_with(".a.txt.part-")));
        let path = part.publish().unwrap();
        assert_eq!(names(folder.path()), ["a.txt"]);
        assert_eq!(fs::read(path).unwrap(), b"whole");
    }

    #[test]
    fn a_part_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(part(folder.path(), "a.txt", b"half"));
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn a_name_that_is_taken_is_numbered_before_its_extension() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), "mine").unwrap();
        part(folder.path(), "a.txt", b"1").publish().unwrap();
        part(folder.path(), "a.txt", b"2").publish().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        part(folder.path(), "b", b"3").publish().unwrap();
        assert_eq!(names(folder.path()), ["a (1).txt", "a (2).txt", "a.txt", "b", "b (1)"]);
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"mine");
    }

    #[cfg(unix)]
    #[test]
    fn a_dangling_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("elsewhere", folder.path().join("a")).unwrap();
        let path = part(folder.path(), "a", b"x").publish().unwrap();
        assert_eq!(path, folder.path().join("a (1)"));
        assert!(!folder.path().join("elsewhere").exists());
    }

    #[test]
    fn of_many_that_publish_one_name_at_once_each_gets_its_own() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..8u8 {
                let folder = folder.path();
                scope.spawn(move || part(folder, "a", &[n]).publish().unwrap());
            }
        });
        let mut bytes: Vec<_> =
            names(folder.path()).iter().map(|name| fs::read(folder.path().join(name)).unwrap()[0]).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    #[test]
    fn without_hard_links_a_rename_overwrites_nothing_either() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, "a").unwrap();
        fs::write(&b, "b").unwrap();
        assert_eq!(rename_without_overwriting(&a, &b).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        fs::remove_file(&b).unwrap();
        rename_without_overwriting(&a, &b).unwrap();
        assert_eq!(names(folder.path()), ["b"]);
    }
}
