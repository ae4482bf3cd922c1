//! Carries what happens from the engine of connections to whom it concerns, and from there to the store and to
//! subscribers.

use super::store::{Purpose, Store};
use super::subscriptions::Subscriber;
use super::{Client, Due, EXPIRED_AT_ONCE, MAX_CONNECTIONS_OF_KEY, MAX_OUT, Server};
use crate::ask::{Ask, DirectoryToken};
use crate::directory::{DirectoryChange, DirectoryReply, DirectoryRequest};
use crate::error::WriteError;
use crate::id::{ConnId, PublicKey, StreamId};
use crate::io::{Now, Output};
use crate::quic;
use crate::wire::close::{CloseCode, StreamCode};
use std::time::Instant;

impl Server {
    /// Hears the engine until it has nothing to say.
    pub(super) fn route(&mut self, now: Now) {
        loop {
            if self.out.len() >= MAX_OUT {
                self.stale = true;
                return;
            }
            self.quic.poll_connections(now.mono);
            if let Some((conn, stream, ready)) = self.quic.poll_request() {
                self.request_moved(now, conn, stream, ready);
            } else if let Some(event) = self.quic.poll_event() {
                self.route_quic(now, event);
            } else {
                return;
            }
        }
    }

    fn route_quic(&mut self, now: Now, event: quic::Event) {
        match event {
            quic::Event::Connected { conn, peer, .. } => self.connected(now.mono, conn, peer),
            quic::Event::Lost { conn, .. } => self.lost(conn),
            // There is no main stream, and a server opens none.
            quic::Event::Frame { .. }
            | quic::Event::MainEnded { .. }
            | quic::Event::Room { .. }
            | quic::Event::Silent { .. }
            | quic::Event::Heard { .. } => {}
        }
    }

    fn connected(&mut self, now: Instant, conn: ConnId, key: PublicKey) {
        if self.shutting_down {
            return self.quic.close(now, conn, CloseCode::Shutdown);
        }
        let owner = key.fingerprint();
        let count = self.connections_of.entry(owner).or_default();
        if *count >= MAX_CONNECTIONS_OF_KEY {
            return self.quic.close(now, conn, CloseCode::Busy);
        }
        *count += 1;
        self.clients.insert(conn, Client { key, owner });
        self.quic.admit(now, conn);
    }

    fn lost(&mut self, conn: ConnId) {
        let Some(client) = self.clients.remove(&conn) else { return };
        if let Some(count) = self.connections_of.get_mut(&client.owner) {
            *count -= 1;
            if *count == 0 {
                self.connections_of.remove(&client.owner);
            }
        }
        let of_conn = self.exchanges.range((conn, StreamId(0))..=(conn, StreamId(u64::MAX)));
        for (conn, stream) in of_conn.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.end_exchange(conn, stream);
        }
        for subscriber in self.subscriptions.of_conn(conn) {
            self.end_subscription(subscriber);
        }
    }

    /// Asks whoever keeps what is announced. The answer may come at once.
    pub(super) fn ask_store(&mut self, now: Now, request: DirectoryRequest, purpose: Purpose) {
        match &mut self.store {
            Store::Embedded(registry) => {
                let (reply, change) = registry.serve(now, &request);
                self.complete(now, purpose, reply);
                if let Some(change) = change {
                    self.changed(now, &change);
                }
            }
            Store::Asked(asked) => match asked.add(now.mono, purpose) {
                Ok((number, until)) => {
                    self.deadlines.insert((until, Due::Question(number)));
                    self.out.push_back(Output::Ask(Ask::Directory(DirectoryToken(number), request)));
                }
                Err(purpose) => self.complete(now, purpose, DirectoryReply::Failed),
            },
        }
    }

    pub(super) fn store_answered(&mut self, now: Now, number: u64, reply: DirectoryReply) {
        let Store::Asked(asked) = &mut self.store else { return };
        // Whoever is too late was answered for.
        if let Some((until, purpose)) = asked.take(number) {
            self.deadlines.remove(&(until, Due::Question(number)));
            self.complete(now, purpose, reply);
        }
    }

    pub(super) fn expire(&mut self, now: Now) {
        let Store::Embedded(registry) = &mut self.store else { return };
        let mut changes = Vec::new();
        registry.expire(now.mono, EXPIRED_AT_ONCE, &mut changes);
        self.stats.expired += changes.len() as u64;
        for change in changes {
            self.changed(now, &change);
        }
    }

    pub(super) fn changed(&mut self, now: Now, change: &DirectoryChange) {
        for subscriber in self.subscriptions.change(now.wall.as_secs(), change) {
            // What came before its beginning is counted then.
            self.stats.pushed += u64::from(self.subscriptions.is(subscriber));
            self.write_subscription(subscriber);
        }
    }

    /// Writes what waits for a subscriber, as far as there is room.
    pub(super) fn write_subscription(&mut self, subscriber: Subscriber) {
        while let Some(rest) = self.subscriptions.waiting(subscriber) {
            let Ok(mut stream) = self.quic.stream(subscriber.0, subscriber.1) else {
                return self.end_subscription(subscriber);
            };
            let before = rest.len();
            match stream.write_chunks(std::slice::from_mut(rest)) {
                Ok(_) => {
                    let wrote = before - rest.len();
                    drop(stream);
                    self.subscriptions.wrote(subscriber, wrote);
                }
                Err(WriteError::Blocked) => return,
                Err(WriteError::Stopped(_) | WriteError::Gone) => {
                    drop(stream);
                    return self.end_subscription(subscriber);
                }
            }
        }
    }

    /// Ends a subscription that its client does not want any longer.
    pub(super) fn end_subscription(&mut self, subscriber: Subscriber) {
        if let Ok(mut stream) = self.quic.stream(subscriber.0, subscriber.1) {
            stream.reset(StreamCode::Cancelled.code());
        }
        self.unsubscribe(subscriber);
    }

    /// Forgets a subscription. A store that watched for it alone need not any longer.
    pub(super) fn unsubscribe(&mut self, subscriber: Subscriber) {
        let ids = self.subscriptions.end(subscriber);
        if let Store::Asked(asked) = &mut self.store
            && !ids.is_empty()
        {
            let token = DirectoryToken(asked.number());
            self.out.push_back(Output::Ask(Ask::Directory(token, DirectoryRequest::Unwatch(ids))));
        }
    }
}
