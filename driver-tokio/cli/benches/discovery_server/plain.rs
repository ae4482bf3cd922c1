//! A plain server on quinn that does the same: a map of records, requests in MessagePack, a record's signature checked,
//! a gate compared. What anybody would write first; no limits, no leases, nobody is hidden.

use super::wire::{self, CONTEXT, SPKI, encode};
use bytes::Bytes;
use handfast_core::PeerId;
use handfast_tests::versus::tls;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, EndpointConfig, RecvStream, SendStream, ServerConfig, TokioRuntime};
use ring::signature::{ED25519, UnparsedPublicKey};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a request.
const MAX_REQUEST: usize = 16 << 10;

/// What it holds, by the hash of a key.
pub(crate) type Records = Arc<Mutex<HashMap<[u8; 32], Bytes>>>;

#[derive(Deserialize)]
enum Request {
    ClientAnnouncement(Announcement),
    Lookup(Vec<Wanted>),
    QueryClientAnnouncement(Vec<String>),
}

#[derive(Deserialize)]
struct Announcement {
    peer_id: String,
    #[expect(dead_code, reason = "a plain server has none to tell either")]
    addresses: Vec<String>,
    record: Octets,
    lease_s: u32,
}

#[derive(Deserialize)]
struct Wanted {
    peer_id: String,
    token: Octets,
}

/// A byte string.
struct Octets(Vec<u8>);

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Octets;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("octets")
            }

            fn visit_bytes<E>(self, octets: &[u8]) -> Result<Octets, E> {
                Ok(Octets(octets.to_vec()))
            }
        }
        from.deserialize_bytes(Visitor)
    }
}

impl Serialize for Octets {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

#[derive(Serialize)]
enum Reply {
    ClientAnnouncementOk { observed: String, lease_s: u32, reannounce_after_s: u32, seq: u64, now_s: u64 },
    QueryClientAnnouncementResponse { found: Vec<Answer>, missing: Vec<Missing> },
    Error { code: &'static str },
}

#[derive(Serialize)]
struct Answer {
    peer_id: String,
    record: Octets,
    addresses: Vec<String>,
    age_s: u32,
}

#[derive(Serialize)]
struct Missing {
    peer_id: String,
    retry_after_s: u32,
}

/// Starts it in the runtime of the caller.
pub(crate) fn start(records: Records) -> SocketAddr {
    let credentials = tls::Credentials::fresh();
    let tls = tls::server(tls::provider_of_one(), credentials, b"handfast-disco/1");
    let crypto = QuicServerConfig::try_from(tls).expect("it has AES-128");
    let config = ServerConfig::with_crypto(Arc::new(crypto));
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    let socket = handfast_tests::versus::roomy(socket);
    let runtime = Arc::new(TokioRuntime);
    let endpoint =
        Endpoint::new(EndpointConfig::default(), Some(config), socket, runtime).expect("an endpoint");
    let address = endpoint.local_addr().expect("a socket that is bound");
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            let records = Arc::clone(&records);
            tokio::spawn(async move {
                if let Ok(connection) = incoming.await {
                    serve(connection, records).await;
                }
            });
        }
    });
    address
}

async fn serve(connection: Connection, records: Records) {
    let chain = connection.peer_identity().and_then(|any| any.downcast::<Vec<CertificateDer<'_>>>().ok());
    let Some(own) = chain.and_then(|chain| spki_of(chain.first()?)) else { return };
    while let Ok((send, recv)) = connection.accept_bi().await {
        let (records, at) = (Arc::clone(&records), connection.remote_address());
        // A failure is a client that has gone.
        tokio::spawn(async move { answer(send, recv, &records, &own, at).await });
    }
}

/// The key of a certificate. It is where its prefix is.
fn spki_of(certificate: &[u8]) -> Option<[u8; 44]> {
    let at = certificate.windows(SPKI.len()).position(|part| part == SPKI)?;
    certificate.get(at..at + 44)?.try_into().ok()
}

async fn answer(
    mut send: SendStream,
    mut recv: RecvStream,
    records: &Records,
    own: &[u8; 44],
    at: SocketAddr,
) -> Option<()> {
    let bytes = recv.read_to_end(MAX_REQUEST).await.ok()?;
    let reply = match rmp_serde::from_slice(&bytes).ok()? {
        Request::ClientAnnouncement(announcement) => announce(records, announcement, own, at)?,
        Request::Lookup(wanted) => look_up(records, wanted),
        Request::QueryClientAnnouncement(ids) => {
            let nobody = |peer_id| Wanted { peer_id, token: Octets(Vec::new()) };
            look_up(records, ids.into_iter().map(nobody).collect())
        }
    };
    send.write_all(&encode(&reply)).await.ok()?;
    send.finish().ok()
}

fn announce(records: &Records, announcement: Announcement, own: &[u8; 44], at: SocketAddr) -> Option<Reply> {
    let Announcement { peer_id, record, lease_s, .. } = announcement;
    let (body, signature): (Octets, Octets) = rmp_serde::from_slice(&record.0).ok()?;
    type Body = (u8, Octets, u64, u64, u64, Octets, serde::de::IgnoredAny);
    let (_, owner, seq, ..): Body = rmp_serde::from_slice(&body.0).ok()?;
    let key = UnparsedPublicKey::new(&ED25519, &own[12..]);
    let is_sound = key.verify(&[CONTEXT, &body.0].concat(), &signature.0).is_ok();
    let print: [u8; 32] = Sha256::digest(own).into();
    if owner.0 != own || !is_sound || peer_id.parse() != Ok(PeerId::Sha256(print)) {
        return Some(Reply::Error { code: "not_self" });
    }
    records.lock().unwrap_or_else(PoisonError::into_inner).insert(print, record.0.into());
    let now_s = wire::now_s();
    let observed = at.to_string();
    Some(Reply::ClientAnnouncementOk { observed, lease_s, reannounce_after_s: lease_s / 2, seq, now_s })
}

fn look_up(records: &Records, wanted: Vec<Wanted>) -> Reply {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    let records = records.lock().unwrap_or_else(PoisonError::into_inner);
    for Wanted { peer_id, token } in wanted {
        let record = match peer_id.parse() {
            Ok(PeerId::Sha256(print)) => records.get(&print).filter(|record| opens(record, &token.0)),
            Ok(PeerId::Sha1(_)) | Err(_) => None,
        };
        match record {
            Some(record) => {
                let record = Octets(record.to_vec());
                found.push(Answer { peer_id, record, addresses: Vec::new(), age_s: 1 });
            }
            None => missing.push(Missing { peer_id, retry_after_s: 60 }),
        }
    }
    Reply::QueryClientAnnouncementResponse { found, missing }
}

/// Whether a token's gate is among a record's entries.
fn opens(record: &[u8], token: &[u8]) -> bool {
    let gate = Sha256::digest(token);
    let read = || {
        let (body, _): (Octets, Octets) = rmp_serde::from_slice(record).ok()?;
        type Body = (u8, Octets, u64, u64, u64, Octets, serde::de::IgnoredAny);
        let (.., entries, _): Body = rmp_serde::from_slice(&body.0).ok()?;
        Some(entries.0.chunks(32).any(|entry| entry[..16] == gate[..16]))
    };
    read().unwrap_or(false)
}
