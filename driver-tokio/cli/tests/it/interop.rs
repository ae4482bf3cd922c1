//! Beside the mDNS stacks that people run: Avahi and python zeroconf, in both directions, by browsing alone.
//!
//! Each speaks for itself in a namespace, through lines (`speaker.py`) that are the same for all, and through
//! Avahi's own commands.

mod any_service;
mod avahi;
mod names;
mod one_host;
mod speaker;
mod subtypes;
mod they_find_us;
mod we_find_them;

/// What our nodes publish and look for.
const KIND: &str = "_handfast._udp";

/// A file of this folder.
fn file(name: &str) -> String {
    format!("{}/tests/it/interop/{name}", env!("CARGO_MANIFEST_DIR"))
}
