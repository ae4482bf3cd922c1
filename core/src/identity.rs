//! A node's own key pair and the certificate made from it.
//!
//! Draws no randomness: a new identity is made from entropy that the caller brings.

#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;

use crate::error::IdentityError;
use crate::id::{Fingerprint, PeerId, PeerIdKind, PublicKey};
use data_encoding::BASE64;
use rcgen::{CertificateParams, DistinguishedName, PKCS_ED25519, SerialNumber, date_time_ymd};
use ring::signature::Ed25519KeyPair;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fmt;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// The DER in front of the 32 secret bytes of an Ed25519 PKCS#8 key, version 1. RFC 8410 §7.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The lines around a key in PEM. RFC 7468 §10.
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// Characters in a line of PEM. RFC 7468 §2.
const PEM_LINE: usize = 64;

/// Bytes between the lines around a key that are looked at: an Ed25519 key has about 120.
const MAX_PEM: usize = 4096;

/// An Ed25519 key pair: one per install, kept for good.
///
/// Its bytes are zeroised on drop and never shown by `Debug`. (The TLS library keeps a copy of its own
/// while a node runs.)
pub struct Identity {
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
    certificate: CertificateDer<'static>,
}

/// Signs by an identity.
#[derive(Clone)]
pub(crate) struct Signer(Arc<Ed25519KeyPair>);

impl Signer {
    /// The signature of RFC 8032 §5.1.6.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).as_ref().try_into().expect("a signature of Ed25519 has 64 bytes")
    }
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

    /// Reads what [`Identity::to_pem`] wrote, or any PEM with one PKCS#8 key of Ed25519 (RFC 7468 §10), as OpenSSL
    /// writes it. Text around it is skipped.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`] for anything else, for several keys too.
    pub fn from_pem(pem: &str) -> Result<Self, IdentityError> {
        let (_, rest) = pem.split_once(PEM_BEGIN).ok_or(IdentityError::Malformed)?;
        let (body, after) = rest.split_once(PEM_END).ok_or(IdentityError::Malformed)?;
        if after.contains(PEM_BEGIN) || body.len() > MAX_PEM {
            return Err(IdentityError::Malformed);
        }
        let packed: Zeroizing<Vec<u8>> =
            Zeroizing::new(body.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect());
        let der = BASE64.decode(&packed).map_err(|_| IdentityError::Malformed)?;
        Self::from_pkcs8(&Zeroizing::new(der))
    }

    /// The key pair as PEM, which is text: secret, zeroised on drop.
    ///
    /// ```
    /// use handfast_core::Identity;
    ///
    /// let identity = Identity::from_entropy([7; 32]);
    /// let again = Identity::from_pem(&identity.to_pem())?;
    /// assert_eq!(again.public_key(), identity.public_key());
    /// # Ok::<(), handfast_core::error::IdentityError>(())
    /// ```
    pub fn to_pem(&self) -> Zeroizing<String> {
        let body = Zeroizing::new(BASE64.encode(&self.pkcs8));
        // As long as it will be: a string that grows leaves its earlier self in memory.
        let mut pem = Zeroizing::new(String::with_capacity(body.len() + body.len() / PEM_LINE + 64));
        pem.push_str(PEM_BEGIN);
        for (n, character) in body.chars().enumerate() {
            if n % PEM_LINE == 0 {
                pem.push('\n');
            }
            pem.push(character);
        }
        pem.push('\n');
        pem.push_str(PEM_END);
        pem.push('\n');
        pem
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

    /// What signs by this identity.
    pub(crate) fn signer(&self) -> Signer {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&self.pkcs8);
        Signer(Arc::new(pair.expect("an identity is a key pair of Ed25519")))
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

    /// Made by OpenSSL 3 of the 32 bytes 03.
    const OPENSSL: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIAMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD\n\
        -----END PRIVATE KEY-----\n";

    #[test]
    fn pem_is_as_openssl_writes_it_and_reads_back() {
        let identity = Identity::from_entropy([3; 32]);
        assert_eq!(*identity.to_pem(), OPENSSL);
        let crlf = OPENSSL.replace('\n', "\r\n");
        let explained = format!("key of the laptop\n{OPENSSL}kept since 2024\n");
        for pem in [OPENSSL, &crlf, &explained, OPENSSL.trim_end()] {
            assert_eq!(Identity::from_pem(pem).unwrap().public_key(), identity.public_key());
        }
    }

    #[test]
    fn what_is_no_pem_of_one_key_is_refused() {
        let twice = OPENSSL.repeat(2);
        let public = OPENSSL.replace("PRIVATE", "PUBLIC");
        let encrypted = OPENSSL.replace("PRIVATE", "ENCRYPTED PRIVATE");
        let no_end = OPENSSL.replace("END", "DNE");
        let damaged = OPENSSL.replace("MC4C", "MC4!");
        let cut = OPENSSL.replace("MC4C", "");
        let long = OPENSSL.replace("MC4C", &"A".repeat(MAX_PEM));
        for pem in ["", "key", &twice, &public, &encrypted, &no_end, &damaged, &cut, &long] {
            assert_eq!(Identity::from_pem(pem).unwrap_err(), IdentityError::Malformed, "{pem}");
        }
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
