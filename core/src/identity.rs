//! A node's own key pair and the certificate made from it.
//!
//! Draws no randomness: a new identity is made from entropy that the caller brings.

#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;

use crate::error::IdentityError;
use crate::id::{Fingerprint, PeerId, PeerIdKind, PublicKey};
use rcgen::{CertificateParams, DistinguishedName, PKCS_ED25519, SerialNumber, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// The DER in front of the 32 secret bytes of an Ed25519 PKCS#8 key, version 1. RFC 8410 §7.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// An Ed25519 key pair: one per install, kept for good.
///
/// Its bytes are zeroised on drop and never shown by `Debug`. (The TLS library keeps a copy of its own
/// while a node runs.)
pub struct Identity {
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
    certificate: CertificateDer<'static>,
}

impl Identity {
    /// A new identity from 32 bytes of fresh entropy, which are zeroised.
    ///
    /// # Panics
    /// Never: every 32 bytes are an Ed25519 secret key with a sound public key.
    pub fn from_entropy(mut entropy: [u8; 32]) -> Self {
        let pkcs8 = Zeroizing::new([&PKCS8_PREFIX[..], &entropy].concat());
        entropy.zeroize();
        Self::from_pkcs8(&pkcs8).expect("32 bytes are an Ed25519 secret key")
    }

    /// Reads what [`Identity::to_pkcs8`] wrote, or any PKCS#8 DER of an Ed25519 key (RFC 8410 §7).
    ///
    /// # Errors
    /// [`IdentityError::Malformed`] for anything else.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, IdentityError> {
        let pkcs8 = Zeroizing::new(der.to_vec());
        let key = PrivatePkcs8KeyDer::from(der);
        let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ED25519)
            .map_err(|_| IdentityError::Malformed)?;
        let public: [u8; 32] = pair.public_key_raw().try_into().map_err(|_| IdentityError::Malformed)?;
        let public = PublicKey::from_bytes(public)?;
        let certificate = certificate(&pair)?;
        Ok(Self { pkcs8, public, certificate })
    }

    /// The key pair as PKCS#8 DER: secret, zeroised on drop.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        self.pkcs8.clone()
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// The hash that peers pin.
    pub fn fingerprint(&self) -> Fingerprint {
        self.public.fingerprint()
    }

    /// The name, in either form.
    pub fn peer_id(&self, kind: PeerIdKind) -> PeerId {
        self.public.peer_id(kind)
    }

    /// The certificate of TLS: a pure function of the key, without a name.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// The key as rustls takes it.
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pkcs8.to_vec()).into()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("public", &self.public).finish_non_exhaustive()
    }
}

/// No clock and no random serial: the same key has the same certificate. Nobody reads its dates.
fn certificate(pair: &rcgen::KeyPair) -> Result<CertificateDer<'static>, IdentityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from(1u64));
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2999, 12, 31);
    let certificate = params.self_signed(pair).map_err(|_| IdentityError::Malformed)?;
    Ok(certificate.der().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_entropy_gives_the_same_key_and_certificate() {
        let (a, b) = (Identity::from_entropy([3; 32]), Identity::from_entropy([3; 32]));
        assert_eq!(a.public_key(), b.public_key());
        assert_eq!(a.certificate(), b.certificate());
        assert_ne!(a.fingerprint(), Identity::from_entropy([4; 32]).fingerprint());
    }

    #[test]
    fn an_identity_survives_its_export() {
        let a = Identity::from_entropy([3; 32]);
        let b = Identity::from_pkcs8(&a.to_pkcs8()).unwrap();
        assert_eq!(a.fingerprint(), b.fingerprint());
        assert_eq!(Identity::from_pkcs8(b"no key").unwrap_err(), IdentityError::Malformed);
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", Identity::from_entropy([3; 32]));
        assert!(!shown.contains("3, 3, 3") && !shown.contains("pkcs8"), "{shown}");
    }

    proptest! {
        #[test]
        fn every_identity_survives_its_export(entropy: [u8; 32]) {
            let identity = Identity::from_entropy(entropy);
            let again = Identity::from_pkcs8(&identity.to_pkcs8()).unwrap();
            prop_assert_eq!(again.public_key(), identity.public_key());
            prop_assert_eq!(again.to_pkcs8(), identity.to_pkcs8());
        }

        #[test]
        fn a_damaged_export_is_a_sound_key_or_an_error(entropy: [u8; 32], at in 0..48_usize, octet: u8, len in 0..60_usize) {
            let mut octets = Identity::from_entropy(entropy).to_pkcs8().to_vec();
            octets[at] = octet;
            octets.truncate(len);
            super::fuzz::identity(&octets);
        }
    }
}
