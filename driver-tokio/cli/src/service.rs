//! One node a home: the process that has the home's lock is it, and does the work of the others through a
//! socket in the home.
//!
//! Where there is no such socket, as on Windows, there is one process a home.

#[cfg(unix)]
pub(crate) mod client;
#[cfg_attr(not(unix), allow(dead_code, reason = "only Unix has sockets in folders"))]
pub(crate) mod frame;
#[cfg(unix)]
pub(crate) mod server;
#[cfg(unix)]
mod socket;
