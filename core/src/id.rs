//! The names of things: keys, peers, connections, sockets, services.
//!
//! Each is checked once, when it is made, and trusted after.

#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;

use crate::error::{IdError, KeyError, ServiceNameError};
use curve25519_dalek::edwards::CompressedEdwardsY;
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use std::fmt;
use std::str::FromStr;

/// The DER in front of the 32 key bytes of every Ed25519 SubjectPublicKeyInfo. RFC 8410 §4.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// An Ed25519 public key that is fit to be trusted: a point of the curve, and not of small order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The length of [`PublicKey::to_spki`], in bytes.
    pub const SPKI_LEN: usize = 44;

    /// Reads the 32 bytes of RFC 8032 §5.1.5.
    ///
    /// # Errors
    /// [`KeyError::Weak`] for a point of small order, under which forged signatures verify;
    /// [`KeyError::NotOnCurve`] for bytes that are no point.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let point = CompressedEdwardsY(bytes).decompress().ok_or(KeyError::NotOnCurve)?;
        if point.is_small_order() {
            return Err(KeyError::Weak);
        }
        Ok(Self(bytes))
    }

    /// Reads a DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`KeyError::NotEd25519`] for anything but the 44 bytes of an Ed25519 key, else as
    /// [`PublicKey::from_bytes`].
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let key = der.strip_prefix(&SPKI_PREFIX).ok_or(KeyError::NotEd25519)?;
        Self::from_bytes(key.try_into().map_err(|_| KeyError::NotEd25519)?)
    }

    /// Reads one that [`PublicKey::from_spki`] has read before: whether it is a sound point takes longer to see than all
    /// else about it.
    pub(crate) fn from_sound_spki(der: &[u8]) -> Result<Self, KeyError> {
        let key = der.strip_prefix(&SPKI_PREFIX).ok_or(KeyError::NotEd25519)?;
        Ok(Self(key.try_into().map_err(|_| KeyError::NotEd25519)?))
    }

    /// The key as DER SubjectPublicKeyInfo.
    pub fn to_spki(&self) -> [u8; Self::SPKI_LEN] {
        let mut out = [0; Self::SPKI_LEN];
        out[..SPKI_PREFIX.len()].copy_from_slice(&SPKI_PREFIX);
        out[SPKI_PREFIX.len()..].copy_from_slice(&self.0);
        out
    }

    /// The full hash of the key, by which trust is looked up.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(self.to_spki()).into())
    }

    /// The name of the key's owner, in the form that `kind` picks.
    pub fn peer_id(&self, kind: PeerIdKind) -> PeerId {
        match kind {
            PeerIdKind::Sha1 => PeerId::Sha1(self.sha1()),
            PeerIdKind::Sha256 => PeerId::Sha256(self.fingerprint().0),
        }
    }

    fn sha1(&self) -> [u8; 20] {
        #[cfg(test)]
        if let Some(name) = self.given_name() {
            return name;
        }
        Sha1::digest(self.to_spki()).into()
    }

    /// Whether `id` is one of the names of this key.
    pub fn is_named(&self, id: &PeerId) -> bool {
        self.peer_id(id.kind()) == *id
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint().label())
    }
}

/// SHA-256 of a key's DER SubjectPublicKeyInfo: what trust is pinned to.
///
/// Shown as 52 lower-case base32 characters without padding (RFC 4648 §6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The hash itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A fingerprint that somebody else computed, as discovery brings it.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first 32 bits for people to recognise, as `7f3a·c21e`. A label, never a proof: 32 bits can
    /// be ground.
    pub fn label(&self) -> String {
        let hex = HEXLOWER.encode(&self.0[..4]);
        format!("{}·{}", &hex[..4], &hex[4..])
    }
}

impl From<PublicKey> for Fingerprint {
    fn from(key: PublicKey) -> Self {
        key.fingerprint()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", self.label())
    }
}

impl FromStr for Fingerprint {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        base32_lower(text).map(Self)
    }
}

/// Which hash names a node. Every node reads both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeerIdKind {
    /// SHA-1, shown as 40 hex digits.
    #[default]
    Sha1,
    /// SHA-256, shown as `a` and 52 base32 characters.
    Sha256,
}

/// A peer's name, hashed from its public key.
///
/// A name and never a proof: trust is the full key, looked up by [`Fingerprint`]. To impersonate a name
/// takes a second preimage (2^160 for SHA-1); a collision only gives one attacker two keys under one name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerId {
    /// SHA-1 of the SubjectPublicKeyInfo.
    Sha1([u8; 20]),
    /// SHA-256 of the SubjectPublicKeyInfo.
    Sha256([u8; 32]),
}

impl PeerId {
    /// Which hash this is.
    pub fn kind(&self) -> PeerIdKind {
        match self {
            Self::Sha1(_) => PeerIdKind::Sha1,
            Self::Sha256(_) => PeerIdKind::Sha256,
        }
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha1(hash) => f.write_str(&HEXLOWER.encode(hash)),
            Self::Sha256(hash) => write!(f, "a{}", Fingerprint(*hash)),
        }
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

impl FromStr for PeerId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.len() {
            40 => {
                let hash = HEXLOWER.decode(text.as_bytes()).map_err(|_| IdError::Alphabet)?;
                Ok(Self::Sha1(hash.try_into().map_err(|_| IdError::Length)?))
            }
            53 => {
                let rest = text.strip_prefix('a').ok_or(IdError::Alphabet)?;
                base32_lower(rest).map(Self::Sha256)
            }
            _ => Err(IdError::Length),
        }
    }
}

/// Strict: lower case alone, so that one value has one text.
fn base32_lower(text: &str) -> Result<[u8; 32], IdError> {
    if text.len() != 52 {
        return Err(IdError::Length);
    }
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(IdError::Alphabet);
    }
    let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| IdError::Alphabet)?;
    bytes.try_into().map_err(|_| IdError::Length)
}

macro_rules! text_serde {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}
text_serde!(Fingerprint, PeerId);

/// An application's name on the network: the `_<app>` of DNS-SD and the end of the QUIC ALPNs.
///
/// 1 to 15 characters of `a-z`, `0-9` and `-`, with at least one letter; it begins and ends with a letter
/// or digit and has no two hyphens together. RFC 6763 §7, RFC 6335 §5.1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(String);

impl ServiceName {
    /// Checks a name.
    ///
    /// # Errors
    /// One of [`ServiceNameError`], by the first rule that is broken.
    pub fn new(name: &str) -> Result<Self, ServiceNameError> {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.len() > 15 {
            return Err(ServiceNameError::Length);
        }
        if !bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-') {
            return Err(ServiceNameError::Alphabet);
        }
        if !bytes.iter().any(u8::is_ascii_lowercase) {
            return Err(ServiceNameError::NoLetter);
        }
        if bytes.starts_with(b"-") || bytes.ends_with(b"-") || name.contains("--") {
            return Err(ServiceNameError::Hyphen);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name, without underscore.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One connection of a node, never used twice while the node lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub(crate) u64);

/// One stream of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(crate) u64);

/// One socket that a node asked its driver to open, never used twice while the node lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub(crate) u32);

/// What two sides agreed in one pairing: the key of its records on both. Shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairId([u8; 32]);

impl PairId {
    /// The bytes that the key schedule of pairing derives.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl FromStr for PairId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != 64 {
            return Err(IdError::Length);
        }
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| IdError::Alphabet)?;
        bytes.try_into().map(Self).map_err(|_| IdError::Length)
    }
}

impl fmt::Debug for PairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PairId({})", HEXLOWER.encode(&self.0[..4]))
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod twins;
