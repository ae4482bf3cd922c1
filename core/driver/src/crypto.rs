//! Randomness and cryptography from the operating system.

use handfast_core::{Crypto, Identity, Seed};
use ring::rand::{SecureRandom, SystemRandom};
use std::io;

/// 32 bytes from the operating system's generator, for keys and seeds.
///
/// # Errors
/// When the operating system has none to give.
pub fn entropy() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the operating system gave no randomness"))?;
    Ok(bytes)
}

/// A new identity. Keep its [`to_pkcs8`](Identity::to_pkcs8): a device is who its key is.
///
/// # Errors
/// As [`entropy`].
pub fn new_identity() -> io::Result<Identity> {
    entropy().map(Identity::from_entropy)
}

/// The cryptography that drivers use: *ring*.
pub(crate) fn crypto() -> Crypto {
    Crypto::new(rustls::crypto::ring::default_provider())
}

/// A seed for one node.
pub(crate) fn seed() -> io::Result<Seed> {
    entropy().map(Seed::new)
}
