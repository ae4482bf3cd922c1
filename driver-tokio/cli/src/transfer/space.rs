//! Whether there is room on the disk for what is offered.
//!
//! A guess, made before anything is accepted: others write too.

use std::io;
use std::path::Path;

/// So much of a disk is left free by a peer's files, one part of so many, and no more than so many bytes.
#[cfg(unix)]
const LEFT_FREE: (u64, u64) = (20, 1 << 30);

/// # Errors
/// `StorageFull` where so many bytes more would fill the disk.
#[cfg(unix)]
pub(crate) fn check(folder: &Path, bytes: u64) -> io::Result<()> {
    // A file system that does not say is asked again by each write.
    let Ok(disk) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let all = disk.f_blocks.saturating_mul(disk.f_frsize);
    let (part, most) = LEFT_FREE;
    let spare = free.saturating_sub((all / part).min(most));
    // A system that counts nothing has no disk to fill.
    if all > 0 && bytes > spare { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

#[cfg(not(unix))]
pub(crate) fn check(_: &Path, _: u64) -> io::Result<()> {
    Ok(())
}
