//! Feeds the verifier of peers octets that nobody signed. For fuzz targets and the replay of their seeds.

use super::{Expect, MAX_CERTIFICATE, PeerVerifier, public_key};
use crate::id::PublicKey;
use rustls::pki_types::CertificateDer;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A certificate that is accepted carries a sound key, and is not accepted for another. Whether it was.
pub(crate) fn certificate(octets: &[u8]) -> bool {
    let certificate = CertificateDer::from(octets);
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let check = |expect, banned| PeerVerifier { expect, banned, algorithms }.check(&certificate, &[]);
    let accepts = |expect| check(expect, Arc::default()).is_ok();
    if !accepts(Expect::Anyone) {
        return false;
    }
    assert!(octets.len() <= MAX_CERTIFICATE, "a certificate is larger than any");
    let key = public_key(&certificate).expect("what was accepted has a key");
    assert_eq!(PublicKey::from_spki(&key.to_spki()), Ok(key), "a key that was accepted is sound");
    assert!(accepts(Expect::Key(key)), "a certificate is accepted for its own key");
    assert!(accepts(Expect::Print(key.fingerprint())), "a certificate is accepted for its own fingerprint");
    let banned = Arc::new(BTreeSet::from([key.fingerprint()]));
    assert!(check(Expect::Key(key), banned).is_err(), "a certificate of a banned key is accepted");
    let other = crate::Identity::from_entropy([0xf5; 32]).public_key();
    assert!(other == key || !accepts(Expect::Key(other)), "a certificate is accepted for another's key");
    true
}
