//! Configures quinn-proto: deterministic from the seed, tight towards strangers. RFC 9000.

use super::datagrams::QUIC_BUFFER;
use super::gate::{Gate, Gated};
use super::tls::{Alpn, Expect, Role, Tls};
use crate::config::{BUDGET_EACH, Config};
use crate::id::Fingerprint;
use crate::io::Now;
use crate::rng::{Rng, Seed};
use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn_proto::{
    ClientConfig, ConnectionId, ConnectionIdGenerator, Endpoint, EndpointConfig, IdleTimeout, NoneTokenStore,
    ServerConfig, TimeSource, TransportConfig, VarInt,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Bytes of the connection ids that we issue. RFC 9000 §5.1.
const CID_LEN: usize = 8;

/// Bytes of the first destination connection id of a dial; at least 8. RFC 9000 §7.2.
const INITIAL_CID_LEN: usize = 20;

/// What a stranger may have sent and not be heard yet, in bytes.
const STRANGER_WINDOW: u32 = 16 << 10;

/// Incoming connections are decided in the call that brings them: none ever waits.
const MAX_INCOMING: usize = 64;

/// Makes endpoints and dials.
pub(crate) struct Factory {
    tls: Tls,
    role: Role,
    /// What a dialler grants before it knows whom it reached: no stream at all.
    dialling: Arc<TransportConfig>,
    /// The listening side, once there is an endpoint.
    listening: Option<ServerConfig>,
    rng: Rng,
    clock: Arc<WallClock>,
    gate: Arc<Gate>,
}

impl Factory {
    /// Fails where the provider lacks Ed25519 or AES-128-GCM.
    pub(crate) fn new(config: &Config, tls: Tls, role: Role, rng: Rng) -> Self {
        let gate = Arc::default();
        let (dialling, clock) = (Arc::new(transport(config, &gate, 0)), Arc::default());
        Self { tls, role, dialling, listening: None, rng, clock, gate }
    }

    /// The gate that all connections share.
    pub(crate) fn gate(&self) -> Arc<Gate> {
        self.gate.clone()
    }

    /// The one endpoint of a node.
    pub(crate) fn endpoint(&mut self, config: &Config) -> Result<Endpoint, rustls::Error> {
        let cid_seed: [u8; 32] = self.rng.bytes();
        let mut endpoint = EndpointConfig::new(Arc::new(hmac_key(&mut self.rng)));
        endpoint
            .cid_generator(move || Box::new(Cids(Rng::child(&Seed::new(cid_seed), "cid"))))
            .rng_seed(Some(self.rng.bytes()))
            // The fixed bit tells QUIC from other datagrams on the same socket. RFC 9443 §3.
            .grease_quic_bit(false);
        let server = self.server(config)?;
        self.listening = Some(server.clone());
        Ok(Endpoint::new(Arc::new(endpoint), Some(Arc::new(server)), true, None))
    }

    fn server(&mut self, config: &Config) -> Result<ServerConfig, rustls::Error> {
        let crypto = QuicServerConfig::try_from(self.tls.server(self.role)?).map_err(no_initial_suite)?;
        let secret: [u8; 32] = self.rng.bytes();
        let token_key = ring::hkdf::Salt::new(ring::hkdf::HKDF_SHA256, &[]).extract(&secret);
        let mut server = ServerConfig::new(Arc::new(crypto), Arc::new(token_key));
        server
            .transport_config(Arc::new(self.accepting(config)))
            .time_source(self.clock.clone())
            .max_incoming(MAX_INCOMING);
        server.validation_token.sent(0);
        Ok(server)
    }

    fn accepting(&self, config: &Config) -> TransportConfig {
        match self.role {
            Role::Node => transport(config, &self.gate, 1),
            Role::Directory => transport(config, &self.gate, config.max_streams),
        }
    }

    /// Writes down what connections do that begin from here on: how the listening side is configured.
    #[cfg(feature = "qlog")]
    pub(crate) fn set_qlog(
        &mut self,
        config: &Config,
        stream: Option<quinn_proto::QlogStream>,
    ) -> Option<ServerConfig> {
        let (mut dialling, mut accepting) = (transport(config, &self.gate, 0), self.accepting(config));
        dialling.qlog_stream(stream.clone());
        accepting.qlog_stream(stream);
        self.dialling = Arc::new(dialling);
        let server = self.listening.as_mut()?;
        server.transport_config(Arc::new(accepting));
        Some(server.clone())
    }

    /// Turns these keys away, in whatever handshake begins from here on: how the listening side is configured.
    pub(crate) fn ban(&mut self, banned: BTreeSet<Fingerprint>) -> Option<ServerConfig> {
        self.tls.set_banned(banned);
        let tls = self.tls.server(self.role).ok()?;
        let server = self.listening.as_mut()?;
        // All else stays, the key of Retry tokens above all.
        server.crypto = Arc::new(QuicServerConfig::try_from(tls).ok()?);
        Some(server.clone())
    }

    /// The configuration of one dial.
    pub(crate) fn dial(&mut self, alpn: Alpn, expect: Expect) -> Result<ClientConfig, rustls::Error> {
        let crypto = QuicClientConfig::try_from(self.tls.client(alpn, expect)?).map_err(no_initial_suite)?;
        let cid = ConnectionId::new(&self.rng.bytes::<INITIAL_CID_LEN>());
        let mut client = ClientConfig::new(Arc::new(crypto));
        client
            .transport_config(self.dialling.clone())
            .initial_dst_cid_provider(Arc::new(move || cid))
            .token_store(Arc::new(NoneTokenStore));
        Ok(client)
    }

    /// Tells quinn-proto, which dates its Retry tokens, what time it is.
    pub(crate) fn set_clock(&self, now: Now) {
        self.clock.0.store(now.wall.as_micros(), Ordering::Relaxed);
    }
}

fn no_initial_suite(_: quinn_proto::crypto::rustls::NoInitialCipherSuite) -> rustls::Error {
    rustls::Error::General("the provider lacks AES-128-GCM, which QUIC's first packets need".into())
}

fn hmac_key(rng: &mut Rng) -> ring::hmac::Key {
    ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &rng.bytes::<32>())
}

/// `first_streams`: how many bidirectional streams the other side may open before it is known.
fn transport(config: &Config, gate: &Arc<Gate>, first_streams: u32) -> TransportConfig {
    let idle = IdleTimeout::try_from(config.idle_timeout).unwrap_or(VarInt::MAX.into());
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(first_streams.into())
        .max_concurrent_uni_streams(0u32.into())
        .max_idle_timeout(Some(idle))
        .receive_window(STRANGER_WINDOW.into())
        .stream_receive_window(config.stream_window.into())
        .send_window(BUDGET_EACH.min(config.send_window.into()))
        .datagram_receive_buffer_size((config.datagram_buffer > 0).then_some(QUIC_BUFFER))
        .datagram_send_buffer_size(QUIC_BUFFER)
        .congestion_controller_factory(Arc::new(Gated { gate: gate.clone(), inner: Arc::default() }))
        .allow_spin(false);
    transport
}

/// Connection ids drawn from the seed.
struct Cids(Rng);

impl ConnectionIdGenerator for Cids {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&self.0.bytes::<CID_LEN>())
    }

    fn cid_len(&self) -> usize {
        CID_LEN
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// The wall clock as it was last told.
#[derive(Default)]
struct WallClock(AtomicU64);

impl TimeSource for WallClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}
