//! What becomes of a datagram: whose it is, and who may begin a connection. RFC 9000 §5.2.

use super::connection::Context;
use super::paths::Paths;
use super::{Quic, admission};
use crate::io::{Now, Received};
use quinn_proto::{DatagramEvent, EcnCodepoint, Incoming};
use std::net::IpAddr;
use std::time::Instant;

impl Quic {
    pub(crate) fn handle_datagram(&mut self, now: Now, rx: Received) {
        self.factory.set_clock(now);
        let remote = Paths::canonical(rx.source);
        let ecn = rx.ecn.and_then(|ecn| EcnCodepoint::from_bits(ecn as u8));
        let mut rest = rx.payload;
        while !rest.is_empty() {
            let datagram = rest.split_to(rx.stride.clamp(1, rest.len()));
            self.scratch.clear();
            let (to, bytes) = (rx.destination, datagram.len());
            let (endpoint, scratch) = (&mut self.endpoint, &mut self.scratch);
            let event =
                self.hush.quietly(now.mono, || endpoint.handle(now.mono, remote, to, ecn, datagram, scratch));
            match event {
                None => self.hush.handle_stranger(now.mono),
                Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                    self.gate.take_in_flight();
                    if let Some(slot) = self.slots.get(handle.0).copied().flatten() {
                        let (conn, out, work) = (&mut self.conns[slot], &mut self.out, &mut self.work);
                        if conn.is_strangers() {
                            self.hush.handle_stranger(now.mono);
                            self.hush.quietly(now.mono, || conn.quic.handle_event(event));
                        } else {
                            conn.quic.handle_event(event);
                        }
                        conn.pulse.local = to.or(conn.pulse.local);
                        conn.rest.handle_heard(now.mono);
                        conn.handle_arrived(remote, bytes);
                        let mut cx = Context { now: now.mono, service: &self.config.service, out, work };
                        conn.handle_heard(&mut cx, self.gate.take_in_flight());
                        self.work.poll(conn);
                    }
                }
                Some(DatagramEvent::Response(transmit)) => {
                    self.hush.handle_stranger(now.mono);
                    self.responses.push(transmit, &self.scratch);
                }
                Some(DatagramEvent::NewConnection(incoming)) => self.incoming(now.mono, incoming),
            }
        }
    }

    fn incoming(&mut self, now: Instant, incoming: Incoming) {
        self.hush.handle_stranger(now);
        let remote = incoming.remote_address().ip();
        let verdict = if self.accepted >= self.config.max_connections {
            admission::Verdict::Refuse
        } else {
            self.admission.judge(now, remote, incoming.remote_address_validated())
        };
        self.scratch.clear();
        match verdict {
            admission::Verdict::Refuse => {
                let (endpoint, scratch) = (&mut self.endpoint, &mut self.scratch);
                let transmit = self.hush.quietly(now, || endpoint.refuse(incoming, scratch));
                self.responses.push(transmit, &self.scratch);
            }
            admission::Verdict::Retry => match self.endpoint.retry(incoming, &mut self.scratch) {
                Ok(transmit) => self.responses.push(transmit, &self.scratch),
                Err(error) => self.endpoint.ignore(error.into_incoming()),
            },
            admission::Verdict::Accept => self.accept(now, incoming, remote),
        }
    }

    fn accept(&mut self, now: Instant, incoming: Incoming, remote: IpAddr) {
        let (endpoint, scratch) = (&mut self.endpoint, &mut self.scratch);
        let accept = || endpoint.accept(incoming, now, scratch, None).map_err(|error| error.response);
        match self.hush.quietly(now, accept) {
            Ok((handle, quic)) => {
                self.admission.count(remote);
                self.accepted += 1;
                self.insert(now, handle, quic).counted = Some(remote);
            }
            Err(response) => {
                if let Some(transmit) = response {
                    self.responses.push(transmit, &self.scratch);
                }
            }
        }
    }
}
