//! The requests that are under way: read to their end, answered, and cut off after their time.
//!
//! Reads and writes streams, and never looks at what is asked: see `requests.rs`.

use super::subscriptions::framed;
use super::{Due, Server};
use crate::error::{ReadError, WriteError};
use crate::id::{ConnId, StreamId};
use crate::io::{Now, Readiness};
use crate::wire::close::StreamCode;
use crate::wire::discovery::{MAX_REQUEST, RefusalCode, Reply};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// How long one request may take, from its first byte until its reply is written.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// One request and its reply.
pub(super) struct Exchange {
    pub(super) until: Instant,
    /// Whether that is among the deadlines: what is answered at once has none.
    is_timed: bool,
    /// Whether the reply goes behind its length, as on a subscription.
    framed: bool,
    pub(super) state: State,
}

/// How far it is.
pub(super) enum State {
    /// Not read to its end. Holds what was.
    Reading(Vec<u8>),
    /// The store was asked.
    Asked,
    /// Holds what is left of the reply.
    Writing(Bytes),
}

/// What reading came to.
enum Heard {
    /// More is to come.
    Part,
    Whole(Vec<u8>),
    TooLarge,
    /// The client gave up.
    Gone,
}

impl Server {
    /// Something moved on the stream of a request.
    pub(super) fn request_moved(&mut self, now: Now, conn: ConnId, stream: StreamId, ready: Readiness) {
        let key = (conn, stream);
        if self.subscriptions.is(key) {
            return match ready.stopped {
                Some(_) => self.end_subscription(key),
                None => self.write_subscription(key),
            };
        }
        if ready.stopped.is_some() {
            return self.drop_exchange(conn, stream);
        }
        if !self.exchanges.contains_key(&key) {
            if !ready.readable || !self.clients.contains_key(&conn) {
                return;
            }
            let until = now.mono + PATIENCE;
            let state = State::Reading(Vec::new());
            self.exchanges.insert(key, Exchange { until, is_timed: false, framed: false, state });
        }
        match &self.exchanges[&key].state {
            State::Reading(_) if ready.readable => self.read_request(now, conn, stream),
            State::Writing(_) if ready.writable => self.write_reply(conn, stream),
            State::Reading(_) | State::Asked | State::Writing(_) => {}
        }
        self.time_exchange(conn, stream);
    }

    /// Answers a request, which is over with that.
    pub(super) fn reply(&mut self, now: Instant, (conn, stream): (ConnId, StreamId), reply: &Reply) {
        if let Some(exchange) = self.exchanges.get_mut(&(conn, stream)) {
            if std::mem::take(&mut exchange.is_timed) {
                self.deadlines.remove(&(exchange.until, Due::Exchange(conn, stream)));
            }
            // A store may have taken its time.
            exchange.until = now + PATIENCE;
            exchange.state = State::Writing(if exchange.framed { framed(reply) } else { reply.encode() });
            self.write_reply(conn, stream);
            self.time_exchange(conn, stream);
        }
    }

    /// Keeps the time of a request that is not over.
    fn time_exchange(&mut self, conn: ConnId, stream: StreamId) {
        if let Some(exchange) = self.exchanges.get_mut(&(conn, stream))
            && !std::mem::replace(&mut exchange.is_timed, true)
        {
            self.deadlines.insert((exchange.until, Due::Exchange(conn, stream)));
        }
    }

    /// Whatever is answered is said as on a subscription: a refusal, that is.
    pub(super) fn frame_reply(&mut self, asker: (ConnId, StreamId)) {
        if let Some(exchange) = self.exchanges.get_mut(&asker) {
            exchange.framed = true;
        }
    }

    /// A request took too long: nothing more is said about it.
    pub(super) fn exchange_late(&mut self, conn: ConnId, stream: StreamId) {
        self.stats.late += 1;
        self.drop_exchange(conn, stream);
    }

    /// Takes a request off the list, and says so unless it was answered.
    pub(super) fn drop_exchange(&mut self, conn: ConnId, stream: StreamId) {
        if self.end_exchange(conn, stream)
            && let Ok(mut stream) = self.quic.stream(conn, stream)
        {
            stream.stop(StreamCode::Cancelled.code());
            stream.reset(StreamCode::Cancelled.code());
        }
    }

    /// Takes a request off the list, with the subscription that did not come of it. Whether it was on it.
    pub(super) fn end_exchange(&mut self, conn: ConnId, stream: StreamId) -> bool {
        let Some(exchange) = self.exchanges.remove(&(conn, stream)) else { return false };
        if exchange.is_timed {
            self.deadlines.remove(&(exchange.until, Due::Exchange(conn, stream)));
        }
        if !self.subscriptions.is((conn, stream)) {
            self.unsubscribe((conn, stream));
        }
        true
    }

    fn read_request(&mut self, now: Now, conn: ConnId, stream: StreamId) {
        match self.hear(conn, stream) {
            Heard::Part => {}
            Heard::Whole(bytes) => {
                if let Some(exchange) = self.exchanges.get_mut(&(conn, stream)) {
                    exchange.state = State::Asked;
                }
                self.request(now, (conn, stream), &bytes);
            }
            Heard::TooLarge => {
                if let Ok(mut stream) = self.quic.stream(conn, stream) {
                    stream.stop(StreamCode::Refused.code());
                }
                self.refuse(now, (conn, stream), RefusalCode::TooLarge, 0, Duration::ZERO);
            }
            Heard::Gone => self.drop_exchange(conn, stream),
        }
    }

    fn hear(&mut self, conn: ConnId, id: StreamId) -> Heard {
        let Some(Exchange { state: State::Reading(bytes), .. }) = self.exchanges.get_mut(&(conn, id)) else {
            return Heard::Part;
        };
        let mut sink = Vec::new();
        let Ok(mut stream) = self.quic.stream(conn, id) else { return Heard::Gone };
        let read = stream.read_chunks(MAX_REQUEST + 1 - bytes.len(), &mut sink);
        for chunk in sink {
            bytes.extend_from_slice(&chunk);
        }
        match read {
            Ok(_) if bytes.len() > MAX_REQUEST => Heard::TooLarge,
            Ok(read) if read.fin => Heard::Whole(std::mem::take(bytes)),
            Ok(_) => Heard::Part,
            Err(ReadError::Reset(_) | ReadError::Gone) => Heard::Gone,
        }
    }

    fn write_reply(&mut self, conn: ConnId, id: StreamId) {
        let Some(Exchange { state: State::Writing(rest), .. }) = self.exchanges.get_mut(&(conn, id)) else {
            return;
        };
        let Ok(mut stream) = self.quic.stream(conn, id) else {
            self.end_exchange(conn, id);
            return;
        };
        while !rest.is_empty() {
            match stream.write_chunks(std::slice::from_mut(rest)) {
                Ok(_) => {}
                Err(WriteError::Blocked) => return,
                Err(WriteError::Stopped(_) | WriteError::Gone) => {
                    drop(stream);
                    return self.drop_exchange(conn, id);
                }
            }
        }
        // Whoever stopped it reads nothing of it.
        let _ = stream.finish();
        drop(stream);
        self.end_exchange(conn, id);
    }
}
