//! What clients say, in the format of discovery servers: requests, and records like those of nodes.

use handfast_core::directory::DirectoryEntry;
use handfast_core::{Fingerprint, PeerId};
use rand_core::RngCore;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

/// What is signed begins so.
pub(crate) const CONTEXT: &[u8] = b"handfast-announce-v1\0";
/// An Ed25519 key in SPKI begins so. RFC 8410 §4.
pub(crate) const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Bytes as a byte string.
struct Bin<'a>(&'a [u8]);

impl Serialize for Bin<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(self.0)
    }
}

#[derive(Serialize)]
enum Payload<'a> {
    Sealed { nonce: Bin<'a>, ciphertext: Bin<'a> },
}

#[derive(Serialize)]
enum Request<'a> {
    ClientAnnouncement { peer_id: String, addresses: [&'a str; 0], record: Bin<'a>, lease_s: u32 },
    Lookup(Vec<Wanted<'a>>),
    QueryClientAnnouncement([String; 1]),
}

#[derive(Serialize)]
struct Wanted<'a> {
    peer_id: String,
    token: Bin<'a>,
}

pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = rmp_serde::Serializer::new(&mut out).with_struct_map();
    value.serialize(&mut writer).expect("MessagePack has it all");
    out
}

pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Who announces himself.
pub(crate) struct Owner {
    pair: Ed25519KeyPair,
    pub(crate) pkcs8: Vec<u8>,
}

impl Owner {
    pub(crate) fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("the system has randomness");
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a sound key");
        Self { pair, pkcs8: pkcs8.as_ref().to_vec() }
    }

    fn spki(&self) -> Vec<u8> {
        [&SPKI[..], self.pair.public_key().as_ref()].concat()
    }

    /// The request by which he announces himself, to four peers.
    pub(crate) fn announcement(&self, seq: u64) -> Vec<u8> {
        let body = body(&self.spki(), seq, &[[9; 16]; 1]);
        let signature = self.pair.sign(&[CONTEXT, &body].concat());
        let record = encode(&(Bin(&body), Bin(signature.as_ref())));
        let print = Sha256::digest(self.spki());
        let peer_id = PeerId::Sha256(print.into()).to_string();
        encode(&Request::ClientAnnouncement { peer_id, addresses: [], record: Bin(&record), lease_s: 3600 })
    }
}

/// What is signed: four entries, the first with these gates, and 272 octets that are sealed.
fn body(spki: &[u8], seq: u64, gates: &[[u8; 16]]) -> Vec<u8> {
    let mut entries = [[0xff; 32]; 4];
    for (entry, gate) in entries.iter_mut().zip(gates) {
        entry[..16].copy_from_slice(gate);
    }
    entries.sort_unstable();
    let (nonce, ciphertext) = ([7; 24], [8; 272]);
    let payload = Payload::Sealed { nonce: Bin(&nonce), ciphertext: Bin(&ciphertext) };
    encode(&(1u8, Bin(spki), seq, now_s(), now_s() + 3600, Bin(&entries.concat()), payload))
}

/// Somebody who is announced, and what opens his record.
#[derive(Clone)]
pub(crate) struct Resident {
    pub(crate) owner: [u8; 32],
    pub(crate) token: [u8; 32],
}

impl Resident {
    pub(crate) fn new(rng: &mut impl RngCore) -> Self {
        let (mut owner, mut token) = ([0; 32], [0; 32]);
        rng.fill_bytes(&mut owner);
        rng.fill_bytes(&mut token);
        Self { owner, token }
    }

    /// What a server holds of him. Nobody checks the signature of what a server took before.
    pub(crate) fn entry(&self) -> DirectoryEntry {
        let hash: [u8; 32] = Sha256::digest(self.token).into();
        let mut gate = [0; 16];
        gate.copy_from_slice(&hash[..16]);
        let body = body(&[&SPKI[..], &self.owner].concat(), 1, &[gate]);
        let record = encode(&(Bin(&body), Bin(&[1; 64])));
        self.entry_with(record)
    }

    pub(crate) fn entry_with(&self, record: Vec<u8>) -> DirectoryEntry {
        let mut sha1 = [0; 20];
        sha1.copy_from_slice(&self.owner[..20]);
        sha1[0] ^= 1;
        DirectoryEntry {
            owner: Fingerprint::from_bytes(self.owner),
            sha1,
            seq: 1,
            record: record.into(),
            addresses: Vec::new(),
            announced_s: now_s(),
            expires_s: now_s() + 3600,
        }
    }

    fn id(&self) -> String {
        PeerId::Sha256(self.owner).to_string()
    }

    /// The request of who may know where he is.
    pub(crate) fn lookup(&self) -> Vec<u8> {
        encode(&Request::Lookup(vec![Wanted { peer_id: self.id(), token: Bin(&self.token) }]))
    }

    /// The request of who may not.
    pub(crate) fn query(&self) -> Vec<u8> {
        encode(&Request::QueryClientAnnouncement([self.id()]))
    }
}

/// Whether a reply has this name.
pub(crate) fn is(reply: &[u8], name: &str) -> bool {
    reply.get(..name.len() + 3).is_some_and(|start| start.windows(name.len()).any(|at| at == name.as_bytes()))
}

/// Whether a reply has somebody's record in it.
pub(crate) fn tells(reply: &[u8]) -> bool {
    reply.windows(10).any(|at| at == b"ciphertext")
}
