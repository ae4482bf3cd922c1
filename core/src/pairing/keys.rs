//! The transcript of a pairing, and the keys that are derived from it.
//!
//! Holds the key schedule to the byte; knows nothing of states or messages.

use crate::id::{PairId, PublicKey};
use crate::store::PairSecret;
use crate::wire::frame::Frame;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What TLS exported for one connection: both ends have the same, a man in the middle has two.
#[derive(Clone)]
pub(super) struct Exporter(Zeroizing<[u8; 32]>);

impl Exporter {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

/// The two ends of a pairing and the connection between them.
#[derive(Clone)]
pub(super) struct Ends {
    pub(super) exporter: Exporter,
    pub(super) joiner: PublicKey,
    pub(super) host: PublicKey,
}

impl Ends {
    /// The joiner's identity in the key exchange.
    pub(super) fn joiner_identity(&self) -> Vec<u8> {
        self.identity(b"joiner", &self.joiner)
    }

    /// The host's identity in the key exchange.
    pub(super) fn host_identity(&self) -> Vec<u8> {
        self.identity(b"host", &self.host)
    }

    fn identity(&self, role: &[u8], key: &PublicKey) -> Vec<u8> {
        [lp(role), lp(&*self.exporter.0), lp(&key.to_spki())].concat()
    }
}

/// The hash of everything said so far, in order. Frames are added as they are sent and received.
#[derive(Clone)]
pub(super) struct Transcript(Sha256);

impl Transcript {
    pub(super) fn begin(ends: &Ends) -> Self {
        let hash = Sha256::new()
            .chain_update(b"handfast-th-v1")
            .chain_update(lp(&*ends.exporter.0))
            .chain_update(lp(&ends.joiner.to_spki()))
            .chain_update(lp(&ends.host.to_spki()));
        Self(hash)
    }

    /// Adds a frame, its length included.
    pub(super) fn add(&mut self, frame: &Frame) {
        self.0.update(frame.as_bytes());
    }

    /// Ends the transcript without a key exchange: the two trust each other's keys, and what TLS exported stands for
    /// the connection between them.
    pub(super) fn trusted_keys(self, ends: &Ends) -> Keys {
        self.keys(&ends.exporter.0)
    }

    /// Ends the transcript and derives the keys from it and what the key exchange brought.
    pub(super) fn keys(self, shared: &[u8; 32]) -> Keys {
        let transcript: [u8; 32] = self.0.finalize().into();
        let prk = Hkdf::<Sha256>::new(Some(&transcript), shared);
        let expand = |label: &str| {
            let mut out = Zeroizing::new([0; 32]);
            prk.expand_multi_info(&[b"handfast-pair-v1 ", label.as_bytes()], &mut *out)
                .expect("32 bytes are one block of SHA-256");
            out
        };
        Keys {
            confirm_a: expand("confirm-a"),
            confirm_b: expand("confirm-b"),
            agreed: Agreed {
                pair_id: PairId::from_bytes(*expand("pair-id")),
                secret: PairSecret::from_bytes(*expand("pair-secret")),
            },
            transcript,
        }
    }
}

/// What a pairing is about: who confirmed it may use it.
pub(super) struct Agreed {
    pub(super) pair_id: PairId,
    pub(super) secret: PairSecret,
}

/// The keys of one session, of which neither side knows yet whether the other has the same.
pub(super) struct Keys {
    transcript: [u8; 32],
    confirm_a: Zeroizing<[u8; 32]>,
    confirm_b: Zeroizing<[u8; 32]>,
    agreed: Agreed,
}

impl Keys {
    /// The joiner's proof.
    pub(super) fn confirm_a(&self) -> [u8; 32] {
        self.mac_a().finalize().into_bytes().into()
    }

    /// The host's proof, which answers the joiner's.
    pub(super) fn confirm_b(&self) -> [u8; 32] {
        self.mac_b().finalize().into_bytes().into()
    }

    /// At the host: what is agreed, and its own proof, if the joiner's is right. Constant time.
    pub(super) fn check_a(self, proof: &[u8; 32]) -> Option<([u8; 32], Agreed)> {
        self.mac_a().verify_slice(proof).ok()?;
        Some((self.confirm_b(), self.agreed))
    }

    /// At the joiner: what is agreed, if the host's proof is right. Constant time.
    pub(super) fn check_b(self, proof: &[u8; 32]) -> Option<Agreed> {
        self.mac_b().verify_slice(proof).ok()?;
        Some(self.agreed)
    }

    fn mac_a(&self) -> Hmac<Sha256> {
        mac(&self.confirm_a).chain_update(self.transcript)
    }

    fn mac_b(&self) -> Hmac<Sha256> {
        mac(&self.confirm_b).chain_update(self.transcript).chain_update(self.confirm_a())
    }
}

fn mac(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// A value behind its length, 2 bytes big-endian. Only values of known, small sizes are put here.
pub(super) fn lp(value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(value.len()).expect("what is hashed with a length is short");
    [&len.to_be_bytes()[..], value].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pairing::{Open, PairHello, PairHelloAck, Pairing, UserOk};
    use data_encoding::HEXLOWER;

    fn ends() -> Ends {
        let key = |n| crate::Identity::from_entropy([n; 32]).public_key();
        Ends { exporter: Exporter::new([7; 32]), joiner: key(1), host: key(2) }
    }

    fn keys() -> Keys {
        let mut transcript = Transcript::begin(&ends());
        transcript.add(&Pairing::Open(Open::new(crate::store::Role::Host)).encode());
        transcript.add(&Pairing::UserOk(UserOk {}).encode());
        transcript.keys(&[9; 32])
    }

    /// The right side was computed with Python's hashlib and hmac from the description of the key schedule.
    #[test]
    fn the_key_schedule_is_pinned() {
        let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
        assert_eq!(
            hex(&ends().joiner.to_spki()[12..]),
            "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
        );
        assert_eq!(
            hex(&ends().host.to_spki()[12..]),
            "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
        );
        let keys = keys();
        assert_eq!(hex(&keys.transcript), "d1732d2cb0f650a468468d527423ba99952bcaa99d56d5494ca458f4eccfe847");
        assert_eq!(
            hex(&keys.confirm_a()),
            "231e262463e8bb4463b268f06dd827e293df439ba1cf214b09bb11b296a4c1a6"
        );
        assert_eq!(
            hex(&keys.confirm_b()),
            "b684098e960c8f151b0923e69cb6bae0a6b46a63102c6e27bdce257fb8fb5abd"
        );
        assert_eq!(
            hex(keys.agreed.pair_id.as_bytes()),
            "b41a94c1b68ba2d567f0ed34d767cd3c809edcf2f0a1c3d6ad7e8d7e1d5244a6"
        );
        assert_eq!(
            hex(keys.agreed.secret.as_bytes()),
            "b210e4bb071c41220b8ad9fa09cc4f2290e0fa096b7eb85db914f26c3506260e"
        );
    }

    /// Computed as the one above, the frames written out by hand: `Open` to `PairHelloAck`, and the exporter's value in
    /// the place of what a key exchange brings.
    #[test]
    fn the_key_schedule_of_trust_is_pinned() {
        let (suites, methods) = (vec![1], vec!["trust".to_owned()]);
        let said = [
            Pairing::Open(Open { role: crate::store::Role::Host, method: Some("trust".to_owned()) }),
            Pairing::PairHello(PairHello { version: 1, suites, methods, nonce: [1; 16] }),
            Pairing::PairHelloAck(PairHelloAck {
                version: 1,
                suite: 1,
                method: "trust".to_owned(),
                nonce: [2; 16],
                attempts_left: 255,
            }),
        ];
        let mut transcript = Transcript::begin(&ends());
        said.iter().for_each(|message| transcript.add(&message.encode()));
        let keys = transcript.trusted_keys(&ends());
        let (confirm_a, confirm_b) = (keys.confirm_a(), keys.confirm_b());
        let (pair_id, secret) = (keys.agreed.pair_id, keys.agreed.secret);
        let derived = [&keys.transcript, &confirm_a, &confirm_b, pair_id.as_bytes(), secret.as_bytes()];
        assert_eq!(
            derived.map(|bytes| HEXLOWER.encode(bytes)),
            [
                "a8034b0b121f00db8efb2e28c5a9ee582766d2474e1bb151e2bcd7d853648a4e",
                "4945baf5f3090ff1003a56cbb60057cbd8dc05ecb90e49e60a8d3b822acdb19e",
                "81782a7bbfbc272e34b70c9fbfe06cf5a653067c692547bb84b47f8099b79709",
                "a9ee074295958c1ae012ad7aed37e1a15346264288b2f2e34836f4992b4a5169",
                "ad7cb9b436f6743c9387a2366e952e22d751c7408454b4180f60afbaa08871ab",
            ]
        );
    }

    #[test]
    fn an_identity_is_role_exporter_and_key_each_behind_its_length() {
        let expected = [b"\x00\x04host\x00\x20", &[7; 32][..], b"\x00\x2c", &ends().host.to_spki()].concat();
        assert_eq!(ends().host_identity(), expected);
    }

    #[test]
    fn each_proof_is_accepted_in_its_own_place_alone() {
        let (a, b) = (keys().confirm_a(), keys().confirm_b());
        assert!(keys().check_a(&a).is_some_and(|(proof, _)| proof == b));
        assert!(keys().check_b(&b).is_some());
        assert!(keys().check_a(&b).is_none());
        assert!(keys().check_b(&a).is_none());
        for bit in 0..256 {
            let mut wrong = a;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(keys().check_a(&wrong).is_none());
        }
    }

    #[test]
    fn one_more_frame_gives_other_keys() {
        let mut longer = Transcript::begin(&ends());
        longer.add(&Pairing::UserOk(UserOk {}).encode());
        assert_ne!(longer.keys(&[9; 32]).confirm_a(), keys().confirm_a());
    }
}
