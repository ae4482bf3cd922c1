//! Writes down what a server holds, and reads it again. Blocks, but never with the server's lock in its hands for
//! longer than a piece takes.

use super::{SNAPSHOT_EVERY, ServerShared};
use crate::clock;
use crate::runtime::{Runtime, Timer};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Writes snapshots until the server is stopped, and then the last one.
pub(super) async fn keep<R: Runtime>(runtime: R, shared: Arc<ServerShared>, path: PathBuf) {
    let saver = Saver(shared);
    let mut timer = runtime.timer();
    loop {
        timer.arm(Instant::now() + SNAPSHOT_EVERY);
        let goes_on = saver.0.until_end(|cx| timer.poll(cx)).await;
        let (shared, to) = (Arc::clone(&saver.0), path.clone());
        if let Err(error) = runtime.blocking(move || save(&shared, &to)).await {
            tracing::error!(%error, "a snapshot was not written; the last one stays");
        }
        if !goes_on {
            return;
        }
    }
}

/// Whoever waits for the last snapshot waits for this to be dropped, also with its runtime.
struct Saver(Arc<ServerShared>);

impl Drop for Saver {
    fn drop(&mut self) {
        let wakers = self.0.lock().desk.saved();
        for waker in wakers {
            waker.wake();
        }
    }
}

/// Takes back what was written, if anything was.
pub(super) fn restore(shared: &ServerShared, path: &Path) -> io::Result<()> {
    let file = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let mut rest = &file[..];
    while !rest.is_empty() {
        let len = shared.with_quietly(|locked, now| locked.machine.restore(now, rest));
        rest = &rest[len.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?..];
    }
    Ok(())
}

/// The old snapshot stays until the new one is on the disk.
fn save(shared: &ServerShared, path: &Path) -> io::Result<()> {
    let new = with_suffix(path);
    let mut file = create(&new)?;
    let (mut from, mut piece) = (Some(0), Vec::new());
    while let Some(at) = from {
        piece.clear();
        from = shared.lock().machine.snapshot(clock::now(), at, &mut piece);
        file.write_all(&piece)?;
    }
    file.sync_all()?;
    fs::rename(&new, path)
}

fn with_suffix(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}

/// A file that its owner alone reads: it says who is where.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
