//! One process a home.
//!
//! The operating system holds the lock and gives it back however a process ends; the file beside it only
//! tells people whose it is.

use crate::exit::{Failure, Kind};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// What is locked. Always empty: where locks are mandatory nobody else could read it.
const LOCK_FILE: &str = "handfast.lock";

/// The process id of who holds the lock, in decimal.
const PID_FILE: &str = "handfast.pid";

/// A process that just took the lock writes its id within this time.
const PID_WITHIN: Duration = Duration::from_millis(50);

/// A home that is this process's alone, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    pid_file: PathBuf,
    _lock: File,
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub(crate) fn take(home: &Path) -> Result<Self, Failure> {
        let (lock_file, pid_file) = (home.join(LOCK_FILE), home.join(PID_FILE));
        let cannot =
            |error| Kind::Home.because(format_args!("cannot lock the home {}: {error}", home.display()));
        let lock = super::home::private_file(&lock_file).map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(busy(home, &pid_file)),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        super::home::private_file(&pid_file).map_err(cannot)?;
        fs::write(&pid_file, std::process::id().to_string()).map_err(cannot)?;
        Ok(Self { pid_file, _lock: lock })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Before the lock goes, so that nobody reads the id of a process that is no more.
        let _ = fs::remove_file(&self.pid_file);
    }
}

fn busy(home: &Path, pid_file: &Path) -> Failure {
    thread::sleep(PID_WITHIN);
    let pid = fs::read_to_string(pid_file).ok().filter(|pid| pid.parse::<u32>().is_ok());
    let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
    let home = home.display();
    Kind::HomeBusy.because(format_args!("{who} uses the home {home}; end it, or choose another --home"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_names_the_process_that_has_the_first() {
        let home = tempfile::tempdir().unwrap();
        let first = Lock::take(home.path()).unwrap();
        let refused = Lock::take(home.path()).unwrap_err();
        assert_eq!(refused.kind, Kind::HomeBusy);
        let pid = format!("process {} ", std::process::id());
        assert!(refused.message.contains(&pid), "{}", refused.message);
        drop(first);
        Lock::take(home.path()).unwrap();
    }

    #[test]
    fn what_a_killed_process_left_does_not_lock() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(LOCK_FILE), "").unwrap();
        fs::write(home.path().join(PID_FILE), "999999").unwrap();
        Lock::take(home.path()).unwrap();
    }
}
