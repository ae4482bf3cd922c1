//! Watches the network interfaces: by netlink on Linux, elsewhere by the crate that knows how.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod others;

#[cfg(target_os = "linux")]
pub(crate) use linux::SmolWatch;
#[cfg(not(target_os = "linux"))]
pub(crate) use others::SmolWatch;
