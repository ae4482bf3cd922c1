//! One open socket: what it receives as owned buffers, what it sends in batches.
//!
//! Never interprets a datagram.

use crate::runtime::{First, Runtime, Socket};
use bytes::BytesMut;
use handfast_core::{Ecn, Opened, Received, SocketId, SocketSpec, Transmit};
use quinn_udp::{EcnCodepoint, RecvMeta, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::task::{Context, Poll};

/// The largest thing the kernel hands over at once: joined datagrams (GRO), or one jumbo datagram.
const BUFFER: usize = 64 << 10;

/// Messages of one receive, at most. More gain nothing.
const MAX_SLOTS: usize = 8;
/// Messages of one receive, at least.
const MIN_SLOTS: usize = 2;

/// Datagrams after which a turn stops receiving, so that what they cause is sent soon.
pub(crate) const TURN: usize = 20;

/// A message this long leaves with its buffer; a shorter one is copied, so that it pins no more than four
/// times its length.
const KEEP: usize = 16 << 10;

/// A socket is quiet after so many polls that found nothing.
const QUIET_AFTER: u8 = 8;

/// Receives may fail so often in a row before the socket is given up.
const MAX_FAILURES: u8 = 32;

/// The buffers that all sockets of a node receive into.
pub(crate) struct Inbound {
    buffers: [BytesMut; MAX_SLOTS],
    slots: usize,
}

impl Inbound {
    pub(crate) fn new() -> Self {
        Self { buffers: std::array::from_fn(|_| BytesMut::zeroed(BUFFER)), slots: MAX_SLOTS }
    }

    fn receive(
        &mut self,
        io: &UdpSocketState,
        socket: &impl Socket,
        meta: &mut [RecvMeta],
    ) -> io::Result<usize> {
        let mut buffers = self.buffers.iter_mut();
        let mut slices: [IoSliceMut<'_>; MAX_SLOTS] =
            std::array::from_fn(|_| IoSliceMut::new(buffers.next().expect("as many buffers as slots")));
        let slots = self.slots;
        io.recv(socket.as_udp(), &mut slices[..slots], &mut meta[..slots])
    }

    /// Takes what was received into the buffer at `at`.
    fn take(&mut self, at: usize, len: usize) -> BytesMut {
        let buffer = &mut self.buffers[at];
        if len < KEEP {
            return BytesMut::from(&buffer[..len]);
        }
        let mut taken = std::mem::replace(buffer, BytesMut::zeroed(BUFFER));
        taken.truncate(len);
        taken
    }

    /// The next receive asks for about a turn's worth of messages like these.
    fn adapt(&mut self, datagrams: usize, messages: usize) {
        let a_message = datagrams.div_ceil(messages.max(1)).max(1);
        self.slots = (TURN / a_message).clamp(MIN_SLOTS, MAX_SLOTS);
    }
}

/// What a poll of a socket came to.
pub(crate) enum Polled {
    /// So many datagrams came.
    Got {
        datagrams: usize,
        /// Every slot was filled: more is there. Else to ask again at once finds nothing most of the time.
        full: bool,
    },
    /// Nothing is there; the task will be woken.
    Nothing,
    /// The socket is of no use any longer.
    Failed(io::ErrorKind),
}

/// An open socket.
pub(crate) struct Bound<R: Runtime> {
    pub(crate) id: SocketId,
    socket: R::Socket,
    io: UdpSocketState,
    /// Polls in a row that found nothing, up to [`QUIET_AFTER`].
    empty: u8,
    failures: u8,
}

impl<R: Runtime> Bound<R> {
    pub(crate) fn open(runtime: &R, id: SocketId, spec: &SocketSpec) -> io::Result<(Self, Opened)> {
        let shares_port = matches!(spec, SocketSpec::Mdns { .. }) && crate::bind::mdns_port_is_taken();
        let socket = runtime.open(spec)?;
        let address = socket.local_addr()?;
        let io = UdpSocketState::new((&socket).into())?;
        let opened = Opened { address, gso_segments: io.max_gso_segments().max(1), shares_port };
        Ok((Self { id, socket: runtime.register(socket)?, io, empty: 0, failures: 0 }, opened))
    }

    /// Receives once.
    pub(crate) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        inbound: &mut Inbound,
        out: &mut Vec<Received>,
    ) -> Polled {
        let mut meta = [RecvMeta::default(); MAX_SLOTS];
        let first = if self.empty < QUIET_AFTER { First::Try } else { First::Ask };
        let received =
            self.socket.poll_recv(cx, first, || inbound.receive(&self.io, &self.socket, &mut meta));
        match received {
            Poll::Ready(Ok(messages)) => {
                (self.empty, self.failures) = (0, 0);
                let mut datagrams = 0;
                for (at, meta) in meta[..messages].iter().enumerate().filter(|(_, meta)| meta.len > 0) {
                    datagrams += meta.len.div_ceil(meta.stride.max(1));
                    out.push(received_from(self.id, meta, inbound.take(at, meta.len)));
                }
                let full = messages == inbound.slots;
                inbound.adapt(datagrams, messages);
                Polled::Got { datagrams, full }
            }
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, "a receive failed");
                self.failures += 1;
                if self.failures < MAX_FAILURES {
                    Polled::Got { datagrams: 0, full: false }
                } else {
                    Polled::Failed(error.kind())
                }
            }
            Poll::Pending => {
                self.empty = (self.empty + 1).min(QUIET_AFTER);
                Polled::Nothing
            }
        }
    }

    /// Sends what `transmit` describes, from `from` on, and says how far it came: to the end, unless the
    /// socket has no room. What fails otherwise is lost, as datagrams may be.
    pub(crate) fn send(
        &self,
        cx: &mut Context<'_>,
        transmit: &Transmit,
        bytes: &[u8],
        mut from: usize,
    ) -> usize {
        let segment = transmit.segment_size.unwrap_or(bytes.len()).max(1);
        while from < bytes.len() {
            // The operating system may have said meanwhile that it cannot split batches after all.
            let batch = segment.saturating_mul(self.io.max_gso_segments().max(1));
            let contents = &bytes[from..bytes.len().min(from.saturating_add(batch))];
            let mut datagram = quinn_udp::Transmit {
                destination: transmit.destination,
                ecn: transmit.ecn.map(to_codepoint),
                contents,
                segment_size: transmit.segment_size.filter(|size| *size < contents.len()),
                src_ip: transmit.source,
            };
            let mut sent = self.try_send(cx, &datagram);
            if matches!(&sent, Poll::Ready(Err(error)) if may_be_of_source(error)) {
                // That address was there a moment ago: the operating system knows another.
                if datagram.src_ip.take().is_some() {
                    sent = self.try_send(cx, &datagram);
                }
            }
            match sent {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, len = contents.len(), "a datagram was not sent")
                }
                Poll::Pending => return from,
            }
            from += contents.len();
        }
        from
    }

    fn try_send(&self, cx: &mut Context<'_>, datagram: &quinn_udp::Transmit<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_send(cx, || self.io.try_send(self.socket.as_udp(), datagram))
    }
}

/// Whether a datagram may not have been sent because the address that it was to be sent from is gone.
fn may_be_of_source(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, InvalidInput, NetworkUnreachable};
    matches!(error.kind(), AddrNotAvailable | HostUnreachable | InvalidInput | NetworkUnreachable)
}

fn received_from(socket: SocketId, meta: &RecvMeta, payload: BytesMut) -> Received {
    Received {
        socket,
        interface: meta.interface_index,
        source: meta.addr,
        destination: meta.dst_ip,
        ecn: meta.ecn.map(|ecn| match ecn {
            EcnCodepoint::Ect0 => Ecn::Ect0,
            EcnCodepoint::Ect1 => Ecn::Ect1,
            EcnCodepoint::Ce => Ecn::Ce,
        }),
        stride: meta.stride.max(1),
        payload,
    }
}

fn to_codepoint(ecn: Ecn) -> EcnCodepoint {
    match ecn {
        Ecn::Ect0 => EcnCodepoint::Ect0,
        Ecn::Ect1 => EcnCodepoint::Ect1,
        Ecn::Ce => EcnCodepoint::Ce,
    }
}
