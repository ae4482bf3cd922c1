//! The first packets of a dialler who plays by no rules, and what a server says to them. RFC 9000 §17.2.
//!
//! Never goes further than a handshake's first flight: beyond it somebody must hold a key.

use super::{PN_LEN, id, keys, seal};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::quic::{ClientConnection, Version};
use rustls::{ClientConfig, DigitallySignedStruct, Error, Side, SignatureScheme};
use std::sync::Arc;

/// The least size of a client's first datagram. RFC 9000 §14.1.
const MIN_DATAGRAM: usize = 1200;

/// A client's Initial packet with these frames, padded to the least size.
pub fn initial(to: &[u8; 8], number: u32, frames: &[u8]) -> Vec<u8> {
    let mut payload = frames.to_vec();
    payload.resize(payload.len().max(MIN_DATAGRAM), 0);
    seal(&keys(to, Side::Client), [to, to], number, &payload)
}

/// A packet of a version that nobody speaks, of any size, and otherwise like an Initial packet.
pub fn of_version(version: u32, to: &[u8; 8], from: &[u8; 4], size: usize) -> Vec<u8> {
    let mut packet = vec![0xc3];
    packet.extend_from_slice(&version.to_be_bytes());
    for id in [&to[..], &from[..]] {
        packet.push(id.len() as u8);
        packet.extend_from_slice(id);
    }
    packet.resize(size, 0x55);
    packet
}

/// A CRYPTO frame. RFC 9000 §19.6.
pub fn crypto(offset: u16, bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![6];
    for value in [offset, bytes.len() as u16] {
        frame.extend_from_slice(&(0x4000 | value).to_be_bytes());
    }
    frame.extend_from_slice(bytes);
    frame
}

/// A ClientHello of TLS for this application with these transport parameters, as they are. RFC 9000 §18.
pub fn client_hello(alpn: &str, parameters: &[u8]) -> Vec<u8> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3 is there")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Nobody))
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    config.enable_sni = false;
    let name = ServerName::try_from("peer.invalid").expect("a name");
    let mut tls = ClientConnection::new(Arc::new(config), Version::V1, name, parameters.to_vec())
        .expect("the configuration is sound");
    let mut hello = Vec::new();
    tls.write_hs(&mut hello);
    hello
}

/// The frames of a server's Initial packet, for the client that chose `to`. `None` for anything else.
pub fn opened(datagram: &[u8], to: &[u8; 8]) -> Option<Vec<u8>> {
    let is_initial = datagram.first()? & 0xf0 == 0xc0 && datagram.get(1..5)? == [0, 0, 0, 1];
    let (_, rest) = id(datagram.get(5..).filter(|_| is_initial)?)?;
    let (_, rest) = id(rest)?;
    let (token, rest) = varint(rest)?;
    let (length, rest) = varint(rest.get(token..)?)?;
    let pn_at = datagram.len() - rest.len();
    let keys = keys(to, Side::Client);
    let mut packet = datagram.get(..pn_at + length)?.to_vec();
    let sample = packet.get(pn_at + PN_LEN..pn_at + PN_LEN + keys.remote.header.sample_len())?.to_vec();
    let (first, rest) = packet.split_at_mut(1);
    keys.remote
        .header
        .decrypt_in_place(&sample, &mut first[0], &mut rest[pn_at - 1..pn_at - 1 + PN_LEN])
        .ok()?;
    let pn_len = usize::from(packet[0] & 3) + 1;
    let number =
        packet[pn_at..pn_at + pn_len].iter().fold(0, |number, octet| number << 8 | u64::from(*octet));
    // Of a number that is shorter, the octets after it were none of the header's.
    packet[pn_at + pn_len..pn_at + PN_LEN].copy_from_slice(&datagram[pn_at + pn_len..pn_at + PN_LEN]);
    let (header, payload) = packet.split_at_mut(pn_at + pn_len);
    keys.remote.packet.decrypt_in_place(number, header, payload).ok().map(<[u8]>::to_vec)
}

/// The code of the CONNECTION_CLOSE frame among a server's first frames, if there is one. RFC 9000 §19.19.
pub fn close_code(mut frames: &[u8]) -> Option<usize> {
    loop {
        let (kind, rest) = varint(frames)?;
        frames = match kind {
            // PADDING and PING.
            0 | 1 => rest,
            // ACK with one range.
            2 => (0..4).try_fold(rest, |rest, _| varint(rest).map(|(_, rest)| rest))?,
            6 => {
                let (_, rest) = varint(rest)?;
                let (len, rest) = varint(rest)?;
                rest.get(len..)?
            }
            0x1c | 0x1d => return varint(rest).map(|(code, _)| code),
            _ => return None,
        };
    }
}

/// RFC 9000 §16.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let len = 1 << (bytes.first()? >> 6);
    let (value, rest) = bytes.split_at_checked(len)?;
    let first = usize::from(value[0] & 0x3f);
    Some((value[1..].iter().fold(first, |value, octet| value << 8 | usize::from(*octet)), rest))
}

/// Verifies nothing: nobody comes so far.
#[derive(Debug)]
struct Nobody;

impl ServerCertVerifier for Nobody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Err(Error::DecryptError)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::DecryptError)
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::DecryptError)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
