//! A TLS provider that draws the same each time, so that one input always does the same.
//!
//! Never for use: whoever knows this file knows every key.

use crate::quic::Crypto;
use curve25519_dalek::montgomery::MontgomeryPoint;
use rustls::NamedGroup;
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup};
use sha2::{Digest, Sha256};
use std::cell::Cell;

thread_local! {
    /// How many blocks this thread drew since the beginning of its input.
    static DRAWN: Cell<u64> = const { Cell::new(0) };
}

/// Begins anew: what is drawn next is what is always drawn first.
pub(crate) fn rewind() {
    DRAWN.set(0);
}

/// The provider of *ring*, with random bytes and X25519 keys that follow from how many were drawn before.
pub(crate) fn repeatable() -> Crypto {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.secure_random = &Counter;
    provider.kx_groups = vec![&X25519];
    Crypto::new(provider)
}

fn draw(out: &mut [u8]) {
    for part in out.chunks_mut(32) {
        DRAWN.set(DRAWN.get() + 1);
        let block = Sha256::digest(DRAWN.get().to_be_bytes());
        part.copy_from_slice(&block[..part.len()]);
    }
}

#[derive(Debug)]
struct Counter;

impl SecureRandom for Counter {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        draw(buf);
        Ok(())
    }
}

/// RFC 7748. *ring*'s own draws from the operating system.
#[derive(Debug)]
struct X25519;

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, rustls::Error> {
        let mut secret = [0; 32];
        draw(&mut secret);
        let public = MontgomeryPoint::mul_base_clamped(secret).to_bytes();
        Ok(Box::new(Exchange { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct Exchange {
    secret: [u8; 32],
    public: [u8; 32],
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, rustls::Error> {
        let peer: [u8; 32] =
            peer.try_into().map_err(|_| rustls::Error::General("an X25519 key has 32 bytes".into()))?;
        let shared = MontgomeryPoint(peer).mul_clamped(self.secret).to_bytes();
        Ok(SharedSecret::from(shared.as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}
