//! A TLS provider whose randomness comes from a seed.
//!
//! For simulations alone: whoever knows the seed knows every key.

use curve25519_dalek::montgomery::MontgomeryPoint;
use handfast_core::Crypto;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use rustls::NamedGroup;
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Providers as *ring*'s, with random bytes and X25519 keys that follow from a seed.
///
/// rustls wants both to live for ever, about 400 bytes a provider: what a pool that is dropped leaves behind,
/// later pools use again.
#[derive(Default)]
pub struct Pool(Vec<&'static Source>);

/// What pools that were dropped left behind.
static FREE: Mutex<Vec<&'static Source>> = Mutex::new(Vec::new());

impl Pool {
    /// A provider for as long as the pool lives.
    pub fn seeded(&mut self, seed: u64) -> Crypto {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let source = free.unwrap_or_else(Source::new);
        self.0.push(source);
        source.provider(seed)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        FREE.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.0);
    }
}

/// The two things of a provider that draw.
struct Source {
    random: Random,
    x25519: X25519,
}

impl Source {
    fn new() -> &'static Self {
        Box::leak(Box::new(Self { random: Random::new(), x25519: X25519(Random::new()) }))
    }

    fn provider(&'static self, seed: u64) -> Crypto {
        self.random.reseed(seed, 0);
        self.x25519.0.reseed(seed, 1);
        let mut provider = rustls::crypto::ring::default_provider();
        provider.secure_random = &self.random;
        provider.kx_groups = vec![&self.x25519];
        Crypto::new(provider)
    }
}

struct Random(Mutex<ChaCha12Rng>);

impl Random {
    fn new() -> Self {
        Self(Mutex::new(ChaCha12Rng::seed_from_u64(0)))
    }

    fn reseed(&self, seed: u64, stream: u64) {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = rng;
    }

    fn draw(&self, buf: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(buf);
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(..)")
    }
}

impl SecureRandom for Random {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        self.draw(buf);
        Ok(())
    }
}

/// X25519 (RFC 7748) with keys drawn from the seed: *ring*'s own draws from the operating system.
#[derive(Debug)]
struct X25519(Random);

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, rustls::Error> {
        let mut secret = [0; 32];
        self.0.draw(&mut secret);
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
