//! The application streams of a connection: which there are, and what moved on them.
//!
//! What is done to one of them is in `quic/streams.rs`.

use super::{Conn, Context, Phase};
use crate::error::OpenError;
use crate::id::StreamId;
use crate::io::Readiness;
use crate::quic::label::{self, Label, MAX_LABEL};
use crate::quic::streams::{self, Owner, Recv, Send, Stream, StreamMut, quic_id, stream_id};
use crate::quic::{Direction, Event, Work};
use crate::wire::close::{CloseCode, StreamCode};
use quinn_proto::{Dir, StreamEvent};

/// Streams that one connection may have opened on this side, whatever its peer allows.
pub(in crate::quic) const MAX_OPENED: usize = 1 << 16;

impl Conn {
    pub(in crate::quic) fn open(
        &mut self,
        work: &mut Work,
        direction: Direction,
        label: &str,
        key: u64,
    ) -> Result<StreamId, OpenError> {
        if self.phase != Phase::Open {
            return Err(OpenError::Gone);
        }
        if label.len() > MAX_LABEL {
            return Err(OpenError::Label);
        }
        if self.opened >= MAX_OPENED {
            return Err(OpenError::Exhausted);
        }
        let id = self.quic.streams().open(direction.into()).ok_or(OpenError::Exhausted)?;
        let id = stream_id(id);
        self.opened += 1;
        self.streams.insert(id, Stream::opened_here(direction, label, key));
        // A label that is blocked leaves before the first byte that is not.
        let mut stream = StreamMut { conn: self, work, id };
        let _ = stream.write(&[]);
        Ok(id)
    }

    /// A stream for a request: no more than the peer allows.
    pub(in crate::quic) fn open_request(&mut self) -> Result<StreamId, OpenError> {
        if self.phase != Phase::Open || self.owner != Owner::Engine {
            return Err(OpenError::Gone);
        }
        if self.opened >= MAX_OPENED {
            return Err(OpenError::Exhausted);
        }
        let id = self.quic.streams().open(Dir::Bi).map(stream_id).ok_or(OpenError::Exhausted)?;
        self.opened += 1;
        self.streams.insert(id, Stream::request());
        Ok(id)
    }

    /// What is pending for the driver, taken.
    pub(in crate::quic) fn take_ready(&mut self, work: &mut Work, id: StreamId) -> Option<(u64, Readiness)> {
        let stream = self.streams.get_mut(&id)?;
        stream.queued = false;
        let ready = (stream.key, std::mem::take(&mut stream.pending));
        if stream.is_done() {
            self.forget_stream(work, id);
        }
        Some(ready)
    }

    /// Both halves of a stream are done.
    pub(in crate::quic) fn forget_stream(&mut self, work: &mut Work, id: StreamId) {
        self.streams.remove(&id);
        // The lowest bit says who opened it. RFC 9000 §2.1.
        if (id.0 & 1 == 0) == self.dialled() {
            self.room_again |= self.opened == MAX_OPENED;
            self.opened -= 1;
        }
        work.poll(self);
    }

    /// Nobody reads or writes them any longer.
    pub(in crate::quic) fn forget_requests(&mut self, work: &mut Work) {
        self.streams.clear();
        self.opened = 0;
        work.poll(self);
    }

    pub(super) fn stream_event(&mut self, cx: &mut Context<'_>, event: StreamEvent) {
        match event {
            StreamEvent::Opened { dir } => self.accept(cx, dir),
            StreamEvent::Readable { id } => self.readable(cx, stream_id(id)),
            StreamEvent::Writable { id } => self.writable(cx, stream_id(id)),
            StreamEvent::Finished { id } => self.finished(cx, stream_id(id)),
            StreamEvent::Stopped { id, error_code } => {
                self.stopped(cx, stream_id(id), error_code.into_inner())
            }
            StreamEvent::Available { .. } => self.available(cx),
        }
    }

    pub(super) fn available(&mut self, cx: &mut Context<'_>) {
        if !std::mem::replace(&mut self.queued_available, true) {
            match self.owner {
                Owner::Application => cx.out.available.push_back(self.id),
                Owner::Engine => cx.out.events.push_back(Event::Room { conn: self.id }),
            }
        }
    }

    /// Takes the streams that the peer opened, the main stream first. Those of the application wait while it
    /// takes the connection for gone.
    fn accept(&mut self, cx: &mut Context<'_>, dir: Dir) {
        let lacks_main = |conn: &Self| {
            conn.owner == Owner::Application && conn.main.id.is_none() && dir == Dir::Bi && !conn.dialled()
        };
        while (lacks_main(self) || self.is_shown())
            && let Some(id) = self.quic.streams().accept(dir)
        {
            let id = stream_id(id);
            if lacks_main(self) {
                self.main.id = Some(id);
                self.flush_main(cx);
            } else {
                let stream = match self.owner {
                    Owner::Application => Stream::opened_by_peer(dir.into()),
                    Owner::Engine => Stream::request(),
                };
                self.streams.insert(id, stream);
            }
            self.readable(cx, id);
        }
    }

    /// Whether the application may be told of streams.
    pub(in crate::quic) fn is_shown(&self) -> bool {
        self.phase == Phase::Open && !self.hidden
    }

    /// The application is told that the connection is gone: its streams end with an error, and it hears of no
    /// other.
    pub(in crate::quic) fn hide(&mut self, cx: &mut Context<'_>) {
        self.hidden = true;
        self.drop_datagrams(cx.out);
        self.cut_streams(cx);
    }

    /// The application is told that the connection stands.
    pub(in crate::quic) fn show(&mut self, cx: &mut Context<'_>) {
        self.hidden = false;
        for dir in [Dir::Bi, Dir::Uni] {
            self.accept(cx, dir);
        }
    }

    /// Ends every stream of the application, both ways.
    pub(super) fn cut_streams(&mut self, cx: &mut Context<'_>) {
        let (id, code) = (self.id, streams::varint(StreamCode::Dropped.code()));
        for (stream_id, stream) in &self.streams {
            if !matches!(stream.recv, Recv::Done) {
                // Either half may be over already.
                let _ = self.quic.recv_stream(quic_id(*stream_id)).stop(code);
            }
            if !matches!(stream.send, Send::Done) {
                let _ = self.quic.send_stream(quic_id(*stream_id)).reset(code);
            }
        }
        // Who was not told of a stream never will be.
        self.streams.retain(|_, stream| !matches!(stream.recv, Recv::Label(_)));
        for (stream_id, stream) in &mut self.streams {
            (stream.recv, stream.send) = (Recv::Done, Send::Done);
            let what = Readiness { readable: true, writable: true, ..Readiness::default() };
            stream.mark(id, *stream_id, cx.out, what);
        }
        cx.work.poll(self);
        cx.work.send(self);
    }

    fn readable(&mut self, cx: &mut Context<'_>, id: StreamId) {
        if self.main.id == Some(id) {
            return self.read_main(cx);
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        match &mut stream.recv {
            Recv::Open => {
                let what = Readiness { readable: true, ..Readiness::default() };
                stream.mark(self.id, id, cx.out, what);
            }
            Recv::Label(_) => self.read_label(cx, id),
            Recv::Done => {}
        }
    }

    fn read_label(&mut self, cx: &mut Context<'_>, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Recv::Label(got) = &mut stream.recv else { return };
        match label::fill(&mut self.quic, id, got) {
            Label::Partial => {}
            Label::Whole(label) if !self.terms.labels.allows(&label) => {
                self.refused_labels += 1;
                self.refuse(cx, id);
            }
            Label::Whole(label) => {
                stream.label = label;
                stream.recv = Recv::Open;
                let what = Readiness { opened: true, readable: true, ..Readiness::default() };
                stream.mark(self.id, id, cx.out, what);
            }
            Label::Malformed => self.refuse(cx, id),
        }
    }

    /// No application was told of it: nobody but the peer needs to know.
    fn refuse(&mut self, cx: &mut Context<'_>, id: StreamId) {
        let mut stream = StreamMut { conn: self, work: cx.work, id };
        stream.stop(StreamCode::Refused.code());
        stream.reset(StreamCode::Refused.code());
    }

    fn writable(&mut self, cx: &mut Context<'_>, id: StreamId) {
        if self.main.id == Some(id) {
            return self.flush_main(cx);
        }
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.mark(self.id, id, cx.out, Readiness { writable: true, ..Readiness::default() });
            StreamMut { conn: self, work: cx.work, id }.resume();
        }
    }

    fn finished(&mut self, cx: &mut Context<'_>, id: StreamId) {
        if self.main.id == Some(id) {
            self.main.acknowledged = true;
        } else if let Some(stream) = self.streams.get_mut(&id) {
            stream.send = Send::Done;
            stream.mark(self.id, id, cx.out, Readiness { finished: true, ..Readiness::default() });
        }
        self.close_if_done(cx);
    }

    fn stopped(&mut self, cx: &mut Context<'_>, id: StreamId, code: u64) {
        if self.main.id == Some(id) {
            return self.close(cx, CloseCode::Protocol);
        }
        if let Some(stream) = self.streams.get_mut(&id) {
            // quinn-proto keeps a stopped half until it is reset.
            let _ = self.quic.send_stream(quic_id(id)).reset(streams::varint(StreamCode::Dropped.code()));
            stream.send = Send::Done;
            let what = Readiness { stopped: Some(code), writable: true, ..Readiness::default() };
            stream.mark(self.id, id, cx.out, what);
        }
        self.close_if_done(cx);
    }
}
