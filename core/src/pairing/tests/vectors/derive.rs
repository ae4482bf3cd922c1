//! What follows in a pairing from what is given and said: by the description of the protocol, and not by the code
//! under test.

use super::{PairingVector, hex, unhex};
use curve25519_dalek::Scalar;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use spake2::{Ed25519Group, Password, Spake2};

/// A value behind its length, 2 bytes big-endian.
fn lp(value: &[u8]) -> Vec<u8> {
    [&(value.len() as u16).to_be_bytes()[..], value].concat()
}

/// Gives the key exchange the scalar that it is to draw.
struct Drawn(Scalar);

impl rand_core::RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        unreachable!("a scalar is drawn by octets")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("a scalar is drawn by octets")
    }

    fn fill_bytes(&mut self, wide: &mut [u8]) {
        wide.fill(0);
        wide[..32].copy_from_slice(self.0.as_bytes());
    }

    fn try_fill_bytes(&mut self, wide: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(wide);
        Ok(())
    }
}

impl rand_core::CryptoRng for Drawn {}

impl PairingVector {
    /// Fills in the fields that follow from the others.
    pub(super) fn derive(mut self) -> Self {
        let (exporter, joiner, host) =
            (unhex(&self.exporter), unhex(&self.joiner_spki), unhex(&self.host_spki));
        let id = |role: &[u8], key: &[u8]| [lp(role), lp(&exporter), lp(key)].concat();
        let (id_a, id_b) = (id(b"joiner", &joiner), id(b"host", &host));
        let password = [lp(b"pair/1"), lp(b"digits"), lp(self.code.as_bytes())].concat();
        let drawn = |text: &str| {
            Drawn(Option::from(Scalar::from_canonical_bytes(unhex(text).try_into().unwrap())).unwrap())
        };
        let (word, a, b) =
            (Password::new(&password), spake2::Identity::new(&id_a), spake2::Identity::new(&id_b));
        let (joining, point_a) =
            Spake2::<Ed25519Group>::start_a_with_rng(&word, &a, &b, drawn(&self.joiner_scalar));
        let (hosting, point_b) =
            Spake2::<Ed25519Group>::start_b_with_rng(&word, &a, &b, drawn(&self.host_scalar));
        let shared = joining.finish(&point_b).unwrap();
        assert_eq!(shared, hosting.finish(&point_a).unwrap());

        let mut transcript = Sha256::new_with_prefix(b"handfast-th-v1");
        for part in [&exporter, &joiner, &host] {
            transcript.update(lp(part));
        }
        for frame in &self.frames[..5] {
            transcript.update(unhex(&frame.bytes));
        }
        let th = transcript.finalize();
        let prk = Hkdf::<Sha256>::new(Some(&th), &shared);
        let expand = |label: &str| {
            let mut out = [0; 32];
            prk.expand(format!("handfast-pair-v1 {label}").as_bytes(), &mut out).unwrap();
            out
        };
        let (key_a, key_b) = (expand("confirm-a"), expand("confirm-b"));
        let mac = |key: &[u8], text: &[u8]| {
            Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes()
        };
        let confirm_a = mac(&key_a, &th);
        let confirm_b = mac(&key_b, &[th.as_slice(), &confirm_a].concat());

        self.password = hex(password);
        (self.joiner_identity, self.host_identity) = (hex(id_a), hex(id_b));
        (self.joiner_point, self.host_point) = (hex(point_a), hex(point_b));
        (self.shared_key, self.transcript_hash) = (hex(shared), hex(th));
        (self.confirm_a_key, self.confirm_b_key) = (hex(key_a), hex(key_b));
        (self.confirm_a, self.confirm_b) = (hex(confirm_a), hex(confirm_b));
        (self.pair_id, self.pair_secret) = (hex(expand("pair-id")), hex(expand("pair-secret")));
        self
    }
}
