//! Packets that anybody can make who has no key: multicasts of mDNS, and QUIC's first packets, whose keys follow
//! from a connection id that travels in the clear (RFC 9001 §5.2). And, apart from them, what somebody sends who has a
//! key: [`insider`].

pub mod dns;
pub mod frames;
pub mod hello;
pub mod insider;

use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::quic::{Keys, Suite, Version};
use rustls::{Side, SupportedCipherSuite};

/// Bytes of the packet number that a forged packet has.
const PN_LEN: usize = 4;

/// The connection ids of a client's first packet, read from its datagram. RFC 9000 §17.2.
pub struct FirstFlight {
    /// Chosen by the client: the keys follow from it.
    pub destination: Vec<u8>,
    /// Where the answer is to go.
    pub source: Vec<u8>,
}

impl FirstFlight {
    /// Reads a datagram; `None` for anything but an Initial packet of version 1.
    pub fn read(datagram: &[u8]) -> Option<Self> {
        let is_initial = datagram.first()? & 0xf0 == 0xc0;
        let is_v1 = datagram.get(1..5)? == [0, 0, 0, 1];
        if !is_initial || !is_v1 {
            return None;
        }
        let (destination, rest) = id(datagram.get(5..)?)?;
        let (source, _) = id(rest)?;
        Some(Self { destination, source })
    }

    /// A server's Initial packet that closes the connection with an application's code, as the server never
    /// sent it.
    pub fn forged_close(&self, code: u8) -> Vec<u8> {
        // CONNECTION_CLOSE of type 0x1d, the code, and an empty reason; then padding. RFC 9000 §19.19.
        let mut payload = vec![0x1d, code, 0];
        payload.resize(1_100, 0);
        // The server answers to the client's source id, from an id of its own.
        seal(&keys(&self.destination, Side::Server), [&self.source, &[7; 8]], 0, &payload)
    }

    /// A client's first packet to nobody in particular: well sealed, and with nothing in it that begins a
    /// handshake.
    pub fn idle(id: &[u8; 8]) -> Vec<u8> {
        // PING, then padding, up to the least size of a client's first datagram. RFC 9000 §14.1.
        let mut payload = vec![1];
        payload.resize(1_200, 0);
        let keys = keys(id, Side::Client);
        seal(&keys, [id, id], 0, &payload)
    }
}

/// An Initial packet of version 1 without a token, from one connection id to another.
fn seal(keys: &Keys, [destination, source]: [&[u8]; 2], number: u32, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0xc0 | (PN_LEN as u8 - 1), 0, 0, 0, 1];
    for id in [destination, source] {
        header.push(id.len() as u8);
        header.extend_from_slice(id);
    }
    header.push(0); // no token
    let length = PN_LEN + payload.len() + keys.local.packet.tag_len();
    header.extend_from_slice(&(0x4000 | length as u16).to_be_bytes());
    let pn_at = header.len();
    header.extend_from_slice(&number.to_be_bytes());
    let mut sealed = payload.to_vec();
    let tag =
        keys.local.packet.encrypt_in_place(number.into(), &header, &mut sealed).expect("a short packet");
    sealed.extend_from_slice(tag.as_ref());
    let mut packet = header;
    packet.extend_from_slice(&sealed);
    protect(keys, &mut packet, pn_at);
    packet
}

/// RFC 9001 §5.4.
fn protect(keys: &Keys, packet: &mut [u8], pn_at: usize) {
    let sample_at = pn_at + 4;
    let sample = packet[sample_at..sample_at + keys.local.header.sample_len()].to_vec();
    let (first, rest) = packet.split_at_mut(1);
    let number = &mut rest[pn_at - 1..pn_at - 1 + PN_LEN];
    keys.local.header.encrypt_in_place(&sample, &mut first[0], number).expect("a sample of the right length");
}

/// The keys of first packets to and from the id that a client chose for its server.
fn keys(client_destination: &[u8], side: Side) -> Keys {
    let SupportedCipherSuite::Tls13(suite) = TLS13_AES_128_GCM_SHA256;
    let quic = suite.quic.expect("this suite is that of QUIC's first packets");
    Suite { suite, quic }.keys(client_destination, side, Version::V1)
}

fn id(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (len, rest) = bytes.split_first()?;
    let (id, rest) = rest.split_at_checked(usize::from(*len))?;
    Some((id.to_vec(), rest))
}
