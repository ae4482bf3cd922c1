//! One connection: its phases, its deadline and its main stream. Its application streams are in [`streams`].
//!
//! ```text
//!  dial / accept ──> Stranger ──admit──> Open ──┐
//!                       │  └───release──> Pairing│ close, say_last
//!                       │                   │    v
//!                       └───────────────────┴─> Closing ──acknowledged or 3 s──> Over
//!                                  lost ─────────────────────────────────────────^
//! ```

mod network;
mod rest;
mod streams;

pub(super) use rest::Rest;
pub(super) use streams::MAX_OPENED;

use super::budget::Windows;
use super::datagrams::Datagrams;
use super::main_stream::{End, Full, MainStream};
use super::pulse::Pulse;
use super::reach::Reach;
use super::streams::{Owner, Recv, Send, Stream, stream_id, varint};
use super::terms::Terms;
use super::tls::Alpn;
use super::{Cause, Event, Outbox, Work};
use crate::id::{ConnId, PublicKey, ServiceName, StreamId};
use crate::io::Readiness;
use crate::wire::close::CloseCode;
use bytes::Bytes;
use quinn_proto::crypto::rustls::HandshakeData;
use quinn_proto::{ConnectionHandle, Dir, Event as QuicEvent, Side};
use rustls::pki_types::CertificateDer;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The label of the exporter that pairing binds to. RFC 8446 §7.5.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-handfast-pair-v1";

/// How long a last message may take to be acknowledged.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(3);

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not yet known, or not yet said hello: out of time at `until`.
    Stranger { until: Instant },
    /// In the hands of the pairing engine, which has deadlines of its own.
    Pairing,
    /// Application streams are allowed.
    Open,
    /// Waits until what was said last is acknowledged, at most until `until`.
    Closing { until: Instant, code: CloseCode },
    /// Lost, or closed here.
    Over,
}

/// One connection.
pub(crate) struct Conn {
    pub(super) id: ConnId,
    pub(super) slot: usize,
    pub(super) handle: ConnectionHandle,
    pub(super) quic: quinn_proto::Connection,
    pub(super) phase: Phase,
    /// The address that counts against the limit for strangers, until it no longer does.
    pub(super) counted: Option<IpAddr>,
    pub(super) owner: Owner,
    pub(super) streams: BTreeMap<StreamId, Stream>,
    /// quinn-proto has no more use for it.
    pub(super) drained: bool,
    /// Datagrams that the next batch may have.
    pub(super) batch: usize,
    pub(super) armed: Option<Instant>,
    pub(super) queued_poll: bool,
    pub(super) queued_send: bool,
    pub(super) queued_available: bool,
    queued_unread: bool,
    /// The application was told that it is gone, though it stands.
    hidden: bool,
    /// What its peer may.
    pub(super) terms: Terms,
    /// The most streams that it was ever allowed at a time, each direction.
    pub(super) most_streams: u32,
    /// What it may buffer.
    pub(super) windows: Windows,
    /// Streams that were refused for their labels.
    pub(super) refused_labels: u64,
    /// Streams that were opened on this side.
    pub(super) opened: usize,
    /// There were [`MAX_OPENED`] of them, and there are fewer.
    room_again: bool,
    pub(super) main: MainStream,
    pub(super) datagrams: Datagrams,
    pub(super) pulse: Pulse,
    /// Where its peer is, and may be.
    pub(super) reach: Reach,
    pub(super) rest: Rest,
}

/// What a connection needs of its engine while it works.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    pub(super) service: &'a ServiceName,
    pub(super) out: &'a mut Outbox,
    pub(super) work: &'a mut Work,
}

impl Conn {
    pub(super) fn new(
        id: ConnId,
        slot: usize,
        handle: ConnectionHandle,
        quic: quinn_proto::Connection,
        (until, rest): (Instant, Rest),
        terms: Terms,
        windows: Windows,
    ) -> Self {
        Self {
            id,
            slot,
            handle,
            reach: Reach::new(quic.remote_address()),
            quic,
            phase: Phase::Stranger { until },
            counted: None,
            owner: Owner::default(),
            streams: BTreeMap::new(),
            drained: false,
            batch: super::transmit::FIRST_BATCH,
            armed: None,
            queued_poll: false,
            queued_send: false,
            queued_available: false,
            queued_unread: false,
            hidden: false,
            most_streams: terms.max_streams,
            terms,
            windows,
            refused_labels: 0,
            opened: 0,
            room_again: false,
            main: MainStream::default(),
            datagrams: Datagrams::default(),
            pulse: Pulse::default(),
            rest,
        }
    }

    pub(super) fn dialled(&self) -> bool {
        self.quic.side() == Side::Client
    }

    /// Whether somebody came who is not known yet.
    pub(super) fn is_strangers(&self) -> bool {
        !self.dialled() && matches!(self.phase, Phase::Stranger { .. })
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether nobody needs it any more.
    pub(super) fn is_spent(&self) -> bool {
        self.drained && self.streams.is_empty()
    }

    /// Its own deadline, beside those of quinn-proto.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let own = match self.phase {
            Phase::Stranger { until } | Phase::Closing { until, .. } => Some(until),
            Phase::Pairing | Phase::Open | Phase::Over => None,
        };
        own.into_iter().chain(self.silent_until()).chain(self.rests_until()).min()
    }

    pub(super) fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        if !self.drained {
            self.quic.handle_timeout(cx.now);
        }
        match self.phase {
            Phase::Stranger { until } if until <= cx.now => self.close(cx, CloseCode::Timeout),
            Phase::Closing { until, code } if until <= cx.now => self.close(cx, code),
            Phase::Stranger { .. } | Phase::Closing { .. } | Phase::Pairing | Phase::Open | Phase::Over => {}
        }
        self.handle_silence(cx);
        self.handle_rest(cx);
    }

    /// Takes what quinn-proto has to tell.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        if std::mem::take(&mut self.room_again) {
            self.available(cx);
        }
        while let Some(event) = self.quic.poll() {
            match event {
                QuicEvent::Connected => self.connected(cx),
                QuicEvent::ConnectionLost { reason } => self.lost(cx, Cause::from_quic(reason)),
                QuicEvent::Stream(event) => self.stream_event(cx, event),
                QuicEvent::DatagramReceived => self.take_datagrams(cx.out),
                // Those that wait are offered before each batch in any case.
                QuicEvent::HandshakeDataReady | QuicEvent::DatagramsUnblocked => {}
            }
        }
    }

    /// Lets the peer open streams and fill its windows.
    pub(super) fn admit(&mut self, windows: Windows) {
        self.phase = Phase::Open;
        self.allow_streams();
        self.set_windows(windows);
    }

    /// Sets what the peer may.
    pub(super) fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
        if self.phase == Phase::Open {
            self.allow_streams();
        }
    }

    /// Sets what may be buffered: never less than before.
    pub(super) fn set_windows(&mut self, windows: Windows) {
        self.windows = windows;
        self.quic.set_receive_window(varint(windows.receive));
        self.quic.set_send_window(windows.send);
    }

    fn allow_streams(&mut self) {
        if self.owner == Owner::Engine {
            return;
        }
        let streams = self.terms.max_streams;
        self.most_streams = self.most_streams.max(streams);
        // The main stream stays open beside those of the application.
        let main = u32::from(!self.dialled());
        self.quic.set_max_concurrent_streams(Dir::Bi, streams.saturating_add(main).into());
        self.quic.set_max_concurrent_streams(Dir::Uni, streams.into());
    }

    /// Says one frame on the main stream.
    pub(super) fn send_frame(&mut self, cx: &mut Context<'_>, frame: Bytes) {
        if self.is_over() {
            return;
        }
        match self.main.push(frame) {
            Ok(()) => self.flush_main(cx),
            Err(Full) => self.close(cx, CloseCode::Protocol),
        }
    }

    /// Ends the main stream after what was said, and closes once the peer has it all.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>, code: CloseCode) {
        if self.is_over() {
            return;
        }
        self.drop_datagrams(cx.out);
        self.cut_streams(cx);
        self.main.finish();
        self.phase = Phase::Closing { until: cx.now + LAST_WORDS, code };
        self.flush_main(cx);
        self.close_if_done(cx);
    }

    /// Closes once all finished streams are acknowledged; others are cut off.
    pub(super) fn close_gracefully(&mut self, cx: &mut Context<'_>, code: CloseCode) {
        if !self.is_over() {
            self.phase = Phase::Closing { until: cx.now + LAST_WORDS, code };
            self.close_if_done(cx);
        }
    }

    /// Closes at once: what is queued is dropped.
    pub(super) fn close(&mut self, cx: &mut Context<'_>, code: CloseCode) {
        if !self.is_over() {
            self.quic.close(cx.now, code.as_u32().into(), Bytes::new());
            self.lost(cx, if self.rest.is_over { Cause::Unused } else { Cause::Here(code) });
            cx.work.poll(self);
            cx.work.send(self);
        }
    }

    fn connected(&mut self, cx: &mut Context<'_>) {
        let Some((peer, alpn, exporter)) = self.credentials(cx.service) else {
            return self.close(cx, CloseCode::Protocol);
        };
        if alpn == Alpn::Disco {
            self.owner = Owner::Engine;
            if self.dialled() {
                // The key is the pinned one, and the other side opens no stream.
                self.phase = Phase::Open;
            }
        } else if self.dialled() {
            self.main.id = self.quic.streams().open(Dir::Bi).map(stream_id);
            self.flush_main(cx);
        }
        let (conn, remote, dialled) = (self.id, self.quic.remote_address(), self.dialled());
        cx.out.events.push_back(Event::Connected { conn, alpn, peer, exporter, remote, dialled });
    }

    /// What TLS proved: the key, the protocol, and a value that only these two ends share.
    fn credentials(&self, service: &ServiceName) -> Option<(PublicKey, Alpn, [u8; 32])> {
        let session = self.quic.crypto_session();
        let chain = session.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
        let peer = super::tls::accepted_key(chain.first()?).ok()?;
        let data = session.handshake_data()?.downcast::<HandshakeData>().ok()?;
        let alpn = Alpn::from_wire(data.protocol.as_deref()?, service)?;
        let mut exporter = [0; 32];
        session.export_keying_material(&mut exporter, EXPORTER_LABEL, &[]).ok()?;
        Some((peer, alpn, exporter))
    }

    fn lost(&mut self, cx: &mut Context<'_>, cause: Cause) {
        if self.is_over() {
            return;
        }
        self.phase = Phase::Over;
        self.drop_datagrams(cx.out);
        let id = self.id;
        // Readers find what arrived and then the loss; who was not told of a stream never will be.
        self.streams.retain(|_, stream| !matches!(stream.recv, Recv::Label(_)));
        for (stream_id, stream) in &mut self.streams {
            if matches!(stream.send, Send::Finishing | Send::FinishWanted { .. }) && stream.key == 0 {
                stream.send = Send::Done;
            }
            let what = Readiness { readable: true, writable: true, ..Readiness::default() };
            stream.mark(id, *stream_id, cx.out, what);
        }
        cx.out.events.push_back(Event::Lost { conn: id, cause });
    }

    /// Reads on where [`MAX_READ`](super::main_stream::MAX_READ) stopped.
    pub(super) fn read_on(&mut self, cx: &mut Context<'_>) {
        self.queued_unread = false;
        if !self.is_over() {
            self.read_main(cx);
        }
    }

    fn read_main(&mut self, cx: &mut Context<'_>) {
        if self.queued_unread {
            return;
        }
        let end = self.main.read(self.id, &mut self.quic, cx.out);
        cx.work.send(self);
        match end {
            End::Open => {}
            End::More => {
                self.queued_unread = true;
                cx.out.unread.push_back(self.id);
            }
            End::Finished => cx.out.events.push_back(Event::MainEnded { conn: self.id }),
            End::Broken => self.close(cx, CloseCode::Protocol),
        }
    }

    fn flush_main(&mut self, cx: &mut Context<'_>) {
        self.main.flush(&mut self.quic);
        cx.work.send(self);
    }

    fn close_if_done(&mut self, cx: &mut Context<'_>) {
        let Phase::Closing { code, .. } = self.phase else { return };
        let finishing = |s: &Stream| matches!(s.send, Send::Finishing | Send::FinishWanted { .. });
        if self.main.is_done() && !self.streams.values().any(finishing) {
            self.close(cx, code);
        }
    }
}
