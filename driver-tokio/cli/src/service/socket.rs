//! Where the socket of a home is, and whose the process behind it is.
//!
//! In the home, as [`SOCKET`]. A path that the system does not take, since it is over some 100 bytes, is a
//! link instead, to a socket in a private folder of the user's below that of the system for such things.

use crate::exit::{Failure, Kind};
use rustix::process::getuid;
use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// The socket, or the link to it, in the home.
const SOCKET: &str = "handfast.sock";

/// A socket that is listened on. Removed when it is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    paths: Vec<PathBuf>,
}

impl Socket {
    /// Makes the home's socket anew, whatever a process that was killed left there. The caller has the home's
    /// lock.
    pub(super) fn bind(home: &Path) -> Result<Self, Failure> {
        let cannot = |path: &Path, error: io::Error| {
            let path = path.display();
            Kind::Home.because(format_args!(
                "cannot make the socket {path}, by which other commands reach this one: {error}"
            ))
        };
        let named = home.join(SOCKET);
        remove(&named).map_err(|error| cannot(&named, error))?;
        if fits(&named) {
            let listener = listen(&named).map_err(|error| cannot(&named, error))?;
            return Ok(Self { listener, paths: vec![named] });
        }
        let short = elsewhere(home).map_err(|error| cannot(&named, error))?;
        remove(&short).map_err(|error| cannot(&short, error))?;
        let listener = listen(&short).map_err(|error| cannot(&short, error))?;
        symlink(&short, &named).map_err(|error| cannot(&named, error))?;
        Ok(Self { listener, paths: vec![named, short] })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        for path in &self.paths {
            // The next one makes room for its own.
            let _ = fs::remove_file(path);
        }
    }
}

/// Connects to the process that is a home's node.
///
/// # Errors
/// `NotFound` and `ConnectionRefused` where there is none; `PermissionDenied` where it is another user's.
pub(super) async fn connect(home: &Path) -> io::Result<UnixStream> {
    let named = home.join(SOCKET);
    let path = if fits(&named) { named } else { fs::read_link(named)? };
    let stream = UnixStream::connect(path).await?;
    check_owner(&stream)?;
    Ok(stream)
}

/// Nobody else is listened to, whatever the permissions of folders are.
pub(super) fn check_owner(stream: &UnixStream) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    if uid == getuid().as_raw() { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

fn fits(path: &Path) -> bool {
    SocketAddr::from_pathname(path).is_ok()
}

/// The home's folder lets nobody else in, so that nobody connects before the socket has its own permissions.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// A short path for the socket of this home alone.
fn elsewhere(home: &Path) -> io::Result<PathBuf> {
    let user = getuid().as_raw();
    let folder = match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) if Path::new(&folder).is_absolute() && Path::new(&folder).is_dir() => {
            PathBuf::from(folder).join("handfast")
        }
        _ => PathBuf::from(format!("/tmp/handfast-{user}")),
    };
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let about = fs::symlink_metadata(&folder)?;
    if !about.is_dir() || about.uid() != user || about.mode() & 0o077 != 0 {
        let problem = format!("{} is not a folder of this user's alone", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    let home = home.canonicalize()?;
    let hash = Sha256::digest(home.as_os_str().as_encoded_bytes());
    let name: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(folder.join(name))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_its_owners_alone_and_goes_with_its_listener() {
        let home = tempfile::tempdir().unwrap();
        let socket = Socket::bind(home.path()).unwrap();
        let path = home.path().join(SOCKET);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        connect(home.path()).await.unwrap();
        drop(socket);
        assert!(!path.exists());
        assert_eq!(connect(home.path()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn what_a_killed_process_left_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(SOCKET);
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert_eq!(connect(home.path()).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let _socket = Socket::bind(home.path()).unwrap();
        connect(home.path()).await.unwrap();
    }

    #[tokio::test]
    async fn a_home_whose_path_is_too_long_for_a_socket_has_one_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("x".repeat(120));
        fs::create_dir(&home).unwrap();
        let socket = Socket::bind(&home).unwrap();
        let short = fs::read_link(home.join(SOCKET)).unwrap();
        assert!(fits(&short));
        connect(&home).await.unwrap();
        drop(socket);
        assert!(!short.exists() && fs::symlink_metadata(home.join(SOCKET)).is_err());
    }
}
