//! A dialler that finishes its handshake, and only then breaks QUIC's rules. RFC 9000.
//!
//! Everything up to there it does as it should: with a key that the other side trusts it gets as far as an honest
//! peer. Its keys come from the operating system: what it says is the same each time, and its bytes are not.

mod seal;

use crate::fabric::{Arrival, Outgoing};
use crate::fault::Fault;
use crate::stranger::{Act, Misdeed, Stranger};
use bytes::BytesMut;
use handfast_core::{Fingerprint, Identity};
use quinn_proto::congestion::CubicConfig;
use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::{
    ClientConfig, Connection, ConnectionError, ConnectionHandle, DatagramEvent, Dir, Endpoint,
    EndpointConfig, Event, StreamId, TransportConfig,
};
use rand_chacha::ChaCha12Rng;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use seal::{Bent, Size, Word, Words};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it looks at what came, and goes on.
const TURN: Duration = Duration::from_millis(1);

/// Packets that it sends in one turn.
const PACKETS_A_TURN: usize = 100;

/// A window that holds back nothing of what it sends.
const WINDOW: u64 = 1 << 30;

/// Somebody with a key who breaks the rules. A handle: what is plugged in is [`Insider::stranger`].
#[derive(Clone)]
pub struct Insider(Rc<RefCell<Dialler>>);

struct Dialler {
    endpoint: Endpoint,
    config: ClientConfig,
    from: u16,
    to: SocketAddr,
    conn: Option<(ConnectionHandle, Connection)>,
    words: Words,
    arrived: Vec<Arrival>,
    connected: bool,
    ended: Option<ConnectionError>,
    /// Of the packets that it makes, one in so many is never sent.
    skips: Option<usize>,
    made: usize,
    sent: Traffic,
    heard: Traffic,
}

/// What went one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams.
    pub datagrams: usize,
    /// Their bytes.
    pub bytes: usize,
}

impl Traffic {
    fn count(&mut self, bytes: usize) {
        self.datagrams += 1;
        self.bytes += bytes;
    }
}

impl Insider {
    /// Dials from a port with an identity, and offers one application protocol. It begins once it is plugged in.
    ///
    /// # Panics
    /// Where the identity is none.
    pub fn new(from: u16, to: SocketAddr, identity: &Identity, alpn: &str) -> Self {
        let words = Words::default();
        let inner = QuicClientConfig::try_from(tls(identity, alpn)).expect("ring has QUIC's first suite");
        let mut config = ClientConfig::new(Arc::new(Bent { inner: Arc::new(inner), words: words.clone() }));
        let mut transport = TransportConfig::default();
        let mut window = CubicConfig::default();
        window.initial_window(WINDOW);
        // Each packet has room for whatever is said in place of what is in it.
        transport.pad_to_mtu(true).mtu_discovery_config(None).max_idle_timeout(None);
        transport.congestion_controller_factory(Arc::new(window));
        config.transport_config(Arc::new(transport));
        let endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), None, false, None);
        Self(Rc::new(RefCell::new(Dialler {
            endpoint,
            config,
            from,
            to,
            conn: None,
            words,
            arrived: Vec::new(),
            connected: false,
            ended: None,
            skips: None,
            made: 0,
            sent: Traffic::default(),
            heard: Traffic::default(),
        })))
    }

    /// What is plugged in.
    pub fn stranger(&self) -> Box<dyn Stranger> {
        Box::new(self.clone())
    }

    /// Sends a packet of these frames and nothing else, as soon as the handshake is done.
    pub fn say(&self, frames: Vec<u8>) {
        self.0.borrow().words.push(Word { frames, size: Size::Full, as_if_from: None });
    }

    /// Sends these frames, in a packet as small as they are, and names another source.
    pub fn say_as_if_from(&self, source: SocketAddr, frames: Vec<u8>) {
        self.0.borrow().words.push(Word { frames, size: Size::Least, as_if_from: Some(source) });
    }

    /// Writes on the first stream that it may open, as one who keeps to the rules.
    ///
    /// # Panics
    /// Before the handshake is done.
    pub fn write(&self, bytes: &[u8]) {
        let mut dialler = self.0.borrow_mut();
        let (_, conn) = dialler.conn.as_mut().expect("the handshake is done");
        let _ = conn.streams().open(Dir::Bi);
        let id = StreamId::new(conn.side(), Dir::Bi, 0);
        let written = conn.send_stream(id).write(bytes);
        assert_eq!(written.ok(), Some(bytes.len()), "there is room for it");
    }

    /// Sends all but each `skips`th of the packets that it makes.
    pub fn skip(&self, skips: usize) {
        self.0.borrow_mut().skips = Some(skips);
    }

    /// Whether the handshake is done.
    pub fn is_connected(&self) -> bool {
        self.0.borrow().connected
    }

    /// What is still to be said.
    pub fn unsaid(&self) -> usize {
        self.0.borrow().words.len()
    }

    /// The code of QUIC with which the other side closed, if it did. RFC 9000 §20.1.
    pub fn closed_with(&self) -> Option<u64> {
        match self.0.borrow().ended.as_ref()? {
            ConnectionError::ConnectionClosed(close) => Some(close.error_code.into()),
            _ => None,
        }
    }

    /// How the connection ended, if it did.
    pub fn ended(&self) -> Option<ConnectionError> {
        self.0.borrow().ended.clone()
    }

    /// What it sent, and what it heard.
    pub fn traffic(&self) -> (Traffic, Traffic) {
        let dialler = self.0.borrow();
        (dialler.sent, dialler.heard)
    }
}

impl Stranger for Insider {
    fn heard(&mut self, _: Instant, arrival: &Arrival) {
        let mut dialler = self.0.borrow_mut();
        if arrival.destination_port == dialler.from {
            dialler.heard.count(arrival.payload.len());
            dialler.arrived.push(arrival.clone());
        }
    }

    fn act(&mut self, now: Instant, _: &mut ChaCha12Rng) -> Act {
        Act { sends: self.0.borrow_mut().act(now), again: Some(TURN) }
    }
}

impl Dialler {
    fn act(&mut self, now: Instant) -> Vec<Misdeed> {
        if self.conn.is_none() {
            let (config, to) = (self.config.clone(), self.to);
            self.conn = self.endpoint.connect(now, config, to, "peer.invalid").ok();
        }
        for arrival in std::mem::take(&mut self.arrived) {
            self.hear(now, &arrival);
        }
        let Some((handle, conn)) = &mut self.conn else { return Vec::new() };
        if conn.poll_timeout().is_some_and(|at| at <= now) {
            conn.handle_timeout(now);
        }
        while let Some(event) = conn.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(*handle, event) {
                conn.handle_event(event);
            }
        }
        while let Some(event) = conn.poll() {
            match event {
                Event::Connected => self.connected = true,
                Event::ConnectionLost { reason } => self.ended = Some(reason),
                _ => {}
            }
        }
        self.speak(now)
    }

    fn hear(&mut self, now: Instant, arrival: &Arrival) {
        let mut answer = Vec::new();
        let bytes = BytesMut::from(&arrival.payload[..]);
        let event = self.endpoint.handle(now, arrival.source, None, None, bytes, &mut answer);
        if let (Some(DatagramEvent::ConnectionEvent(_, event)), Some((_, conn))) = (event, &mut self.conn) {
            conn.handle_event(event);
        }
    }

    fn speak(&mut self, now: Instant) -> Vec<Misdeed> {
        let Some((_, conn)) = &mut self.conn else { return Vec::new() };
        let mut sends = Vec::new();
        for _ in 0..PACKETS_A_TURN {
            if self.connected && self.words.len() > 0 {
                conn.ping();
            }
            let mut packet = Vec::new();
            let Some(transmit) = conn.poll_transmit(now, 1, &mut packet) else { break };
            let last = self.words.take_last();
            let size = last.as_ref().map_or(transmit.size, |(_, size)| *size);
            packet.truncate(size.min(transmit.size));
            self.made += 1;
            if self.connected && self.skips.is_some_and(|skips| self.made.is_multiple_of(skips)) {
                continue;
            }
            self.sent.count(packet.len());
            let as_if_from = last.and_then(|(word, _)| word.as_if_from);
            let out = Outgoing::new(self.from, transmit.destination, packet);
            sends.push(Misdeed { fault: Fault::Forged, as_if_from, out });
        }
        sends
    }
}

/// The first thing that a peer says on its first stream: that it holds a pairing, by its id.
pub fn hello(pair_id: Fingerprint) -> Vec<u8> {
    let word = |text: &str| [&[0xa0 | text.len() as u8], text.as_bytes()].concat();
    let octets = |bytes: &[u8]| [&[0xc4, bytes.len() as u8], bytes].concat();
    // Maps of one, five and two; MessagePack's nil, zero, and lists of none and of one.
    let body = [
        &[0x81][..],
        &word("Hello"),
        &[0x85],
        &word("instance"),
        &octets(&[7; 16]),
        &word("lost"),
        &[0],
        &word("features"),
        &[0x90],
        &word("metadata"),
        &[0xc0],
        &word("state"),
        &[0x91, 0x82],
        &word("pair_id"),
        &octets(pair_id.as_bytes()),
        &word("state"),
        &word("paired"),
    ]
    .concat();
    [&(body.len() as u16).to_be_bytes()[..], &body].concat()
}

fn tls(identity: &Identity, alpn: &str) -> rustls::ClientConfig {
    let key = PrivatePkcs8KeyDer::from(identity.to_pkcs8().to_vec());
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_ED25519);
    let pair = pair.expect("an identity is a key of Ed25519");
    let certificate = rcgen::CertificateParams::default().self_signed(&pair).expect("the key can sign");
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3 is there")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_client_auth_cert(vec![certificate.der().clone()], key.into())
        .expect("the key is that of the certificate");
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    config.enable_sni = false;
    config
}

/// Takes whoever answers for the one that was meant.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
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
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
