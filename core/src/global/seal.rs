//! Who may read where a node is: the sealed part of its record, and the tokens by which it is looked up.
//!
//! Everything follows from the secrets that pairings left. What is sealed anew has a key and a nonce of its own.

use crate::id::Fingerprint;
use crate::rng::Rng;
use crate::store::PairSecret;
use crate::wire::discovery::MAX_ADDRESSES;
use crate::wire::record::{ENTRY_LEN, MAX_ENTRIES, Sealed};
use crate::wire::text_list;
use hkdf::Hkdf;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use zeroize::Zeroizing;

/// Bytes of the key of a record.
const KEY_LEN: usize = 16;
/// Bytes of a gate.
pub(crate) const GATE_LEN: usize = 16;
/// What is sealed has one of these lengths, so that it tells little of how many addresses there are.
const SIZES: [usize; 3] = [256, 512, 1024];
/// Entries come in multiples of this, so that a record tells little of how many peers there are.
const ENTRIES_AT_A_TIME: usize = 4;

/// What a peer shows to be told where `owner` is.
pub(crate) fn token(secret: &PairSecret, owner: &Fingerprint) -> [u8; 32] {
    expand(secret, &[b"handfast-look-v1", owner.as_bytes()])
}

/// By what a server tells whether a token is right, without learning it before.
pub(crate) fn gate(token: &[u8; 32]) -> [u8; GATE_LEN] {
    let hash: [u8; 32] = Sha256::digest(token).into();
    *hash.first_chunk().expect("a gate is shorter than a hash")
}

/// Seals addresses, 16 at most, for those who have one of these secrets, 48 at most: the entries of a record and what is
/// sealed in it.
pub(crate) fn seal<'a>(
    addresses: &[SocketAddr],
    secrets: impl IntoIterator<Item = &'a PairSecret>,
    owner: &Fingerprint,
    rng: &mut Rng,
) -> (Vec<[u8; ENTRY_LEN]>, Sealed) {
    let (key, nonce) = (Zeroizing::new(rng.bytes::<KEY_LEN>()), rng.bytes::<24>());
    let secrets = secrets.into_iter().take(MAX_ENTRIES);
    let mut entries: Vec<[u8; ENTRY_LEN]> =
        secrets.map(|secret| entry(secret, owner, &key, &nonce)).collect();
    while entries.is_empty() || !entries.len().is_multiple_of(ENTRIES_AT_A_TIME) {
        entries.push(rng.bytes());
    }
    entries.sort_unstable();
    let mut sealed = plaintext(&addresses[..addresses.len().min(MAX_ADDRESSES)]);
    cipher(&key, &nonce)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key([0; 12]), Aad::empty(), &mut sealed)
        .expect("a kilobyte is not too long to seal");
    (entries, Sealed { nonce, ciphertext: sealed.into() })
}

/// The addresses, if they were sealed for this secret.
pub(crate) fn open(
    entries: &[[u8; ENTRY_LEN]],
    sealed: &Sealed,
    secret: &PairSecret,
    owner: &Fingerprint,
) -> Option<Vec<SocketAddr>> {
    let gate = gate(&token(secret, owner));
    let entry = entries.iter().find(|entry| entry[..GATE_LEN] == gate)?;
    let wrapped = entry.last_chunk::<KEY_LEN>().expect("an entry holds a key");
    let key = Zeroizing::new(wrap(secret, owner, wrapped, &sealed.nonce));
    let mut bytes = sealed.ciphertext.to_vec();
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    let plain = cipher(&key, &sealed.nonce).open_in_place(nonce, Aad::empty(), &mut bytes).ok()?;
    let (len, rest) = plain.split_first_chunk()?;
    let (list, padding) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    if padding.iter().any(|octet| *octet != 0) {
        return None;
    }
    text_list::decode(list).ok()
}

fn entry(secret: &PairSecret, owner: &Fingerprint, key: &[u8; KEY_LEN], nonce: &[u8; 24]) -> [u8; ENTRY_LEN] {
    let mut entry = [0; ENTRY_LEN];
    entry[..GATE_LEN].copy_from_slice(&gate(&token(secret, owner)));
    entry[GATE_LEN..].copy_from_slice(&wrap(secret, owner, key, nonce));
    entry
}

/// Wraps the key of a record for one peer, or unwraps it.
fn wrap(secret: &PairSecret, owner: &Fingerprint, key: &[u8; KEY_LEN], nonce: &[u8; 24]) -> [u8; KEY_LEN] {
    let pad: [u8; KEY_LEN] = expand(secret, &[b"handfast-wrap-v1", owner.as_bytes(), nonce]);
    std::array::from_fn(|n| pad[n] ^ key[n])
}

fn expand<const N: usize>(secret: &PairSecret, info: &[&[u8]]) -> [u8; N] {
    let prk = Hkdf::<Sha256>::from_prk(secret.as_bytes()).expect("a secret is as long as a hash");
    let mut out = [0; N];
    prk.expand_multi_info(info, &mut out).expect("32 bytes are one block of SHA-256");
    out
}

fn cipher(key: &[u8; KEY_LEN], nonce: &[u8; 24]) -> LessSafeKey {
    let mut out = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(nonce), key)
        .expand(b"handfast-seal-v1", &mut *out)
        .expect("32 bytes are one block of SHA-256");
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &*out).expect("a key of 32 bytes"))
}

fn plaintext(addresses: &[SocketAddr]) -> Vec<u8> {
    let list = text_list::encode(addresses);
    let len = u16::try_from(list.len()).expect("a few addresses are short");
    let mut out = [&len.to_be_bytes()[..], &list].concat();
    let size = SIZES.into_iter().find(|size| *size >= out.len()).expect("16 addresses fit");
    out.resize(size, 0);
    out
}

#[cfg(test)]
mod tests;
