//! TLS that seals other frames than those that QUIC wrote. RFC 9001 §5.
//!
//! Changes packets of the application's space alone: the handshake goes as it should.

use bytes::BytesMut;
use quinn_proto::crypto::{
    ClientConfig, CryptoError, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, Session,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectError, ConnectionId, Side, TransportError};
use std::any::Any;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is to be said in place of what QUIC wrote.
#[derive(Clone, Debug, Default)]
pub(super) struct Words(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    /// The frames of a packet each.
    next: VecDeque<Word>,
    /// The last packet has such frames, and is so short.
    last: Option<(Word, usize)>,
}

/// The frames of one packet.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) frames: Vec<u8>,
    pub(super) size: Size,
    /// The source that is named, where it is not the true one.
    pub(super) as_if_from: Option<SocketAddr>,
}

/// How large a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// Padded as QUIC does.
    Full,
    /// Its frames, and nothing else.
    Least,
}

impl Words {
    pub(super) fn push(&self, word: Word) {
        self.lock().next.push_back(word);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().next.len()
    }

    /// What the packet says that was sealed last, and its length, where it says anything of this.
    pub(super) fn take_last(&self) -> Option<(Word, usize)> {
        self.lock().last.take()
    }

    /// Puts the next in place of a packet's payload, where there is room for it. Returns the end of the payload.
    fn replace(&self, packet: &mut [u8], payload: Range<usize>, tag: usize) -> usize {
        let mut queue = self.lock();
        let Some(word) = queue.next.pop_front_if(|word| word.frames.len() <= payload.len()) else {
            return payload.end;
        };
        packet[payload.clone()].fill(0);
        packet[payload.start..payload.start + word.frames.len()].copy_from_slice(&word.frames);
        let end = match word.size {
            Size::Full => payload.end,
            // A header is protected by what lies some bytes behind it. RFC 9001 §5.4.2.
            Size::Least => payload.start + word.frames.len().max(4),
        };
        queue.last = Some((word, end + tag));
        end
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// TLS as `inner` has it, but for the words.
pub(super) struct Bent {
    pub(super) inner: Arc<dyn ClientConfig>,
    pub(super) words: Words,
}

impl ClientConfig for Bent {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        name: &str,
        parameters: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let inner = self.inner.clone().start_session(version, name, parameters)?;
        Ok(Box::new(BentSession { inner, words: self.words.clone(), epochs: 0 }))
    }
}

struct BentSession {
    inner: Box<dyn Session>,
    words: Words,
    /// Sets of keys so far: the second is that of the application.
    epochs: u32,
}

impl Session for BentSession {
    fn initial_keys(&self, to: &ConnectionId, side: Side) -> Keys {
        self.inner.initial_keys(to, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.inner.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.inner.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.inner.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.inner.is_handshaking()
    }

    fn read_handshake(&mut self, bytes: &[u8]) -> Result<bool, TransportError> {
        self.inner.read_handshake(bytes)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.inner.transport_parameters()
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let mut keys = self.inner.write_handshake(buf)?;
        self.epochs += 1;
        if self.epochs == 2 {
            keys.packet.local = Box::new(BentKey { inner: keys.packet.local, words: self.words.clone() });
        }
        Some(keys)
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        let KeyPair { local, remote } = self.inner.next_1rtt_keys()?;
        Some(KeyPair { local: Box::new(BentKey { inner: local, words: self.words.clone() }), remote })
    }

    fn is_valid_retry(&self, to: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.inner.is_valid_retry(to, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.inner.export_keying_material(output, label, context)
    }
}

/// The key for what is sent.
struct BentKey {
    inner: Box<dyn PacketKey>,
    words: Words,
}

impl PacketKey for BentKey {
    fn encrypt(&self, number: u64, packet: &mut [u8], header_len: usize) {
        let tag = self.inner.tag_len();
        let payload = header_len..packet.len() - tag;
        let end = self.words.replace(packet, payload, tag);
        self.inner.encrypt(number, &mut packet[..end + tag], header_len);
    }

    fn decrypt(&self, number: u64, header: &[u8], payload: &mut BytesMut) -> Result<(), CryptoError> {
        self.inner.decrypt(number, header, payload)
    }

    fn tag_len(&self) -> usize {
        self.inner.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.inner.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.inner.integrity_limit()
    }
}
