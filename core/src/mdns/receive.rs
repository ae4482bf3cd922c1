//! Takes one datagram: finds the link it concerns, turns away what nobody may believe, and hands on the rest.
//!
//! What is kept of it, and what is answered, is for the link to decide.

use super::guard::{self, Concern, Way};
use super::link::{GROUP_V4, GROUP_V6, LinkState, PORT};
use super::name::WireName;
use super::parse::{self, Message};
use super::records::{self, Type};
use super::respond::Asker;
use super::scope::Turn;
use super::{Dropped, Mdns, recall};
use crate::id::SocketId;
use crate::io::{Family, Received};
use std::time::Instant;

impl Mdns {
    pub(super) fn handle_message(
        &mut self,
        now: Instant,
        rx: &Received,
        datagram: &[u8],
    ) -> Result<(), Dropped> {
        let head = guard::head(datagram).map_err(Dropped::Refused)?;
        let socket = self.route(rx).ok_or(Dropped::NoLink)?;
        let link = self.links.get_mut(&socket).ok_or(Dropped::NoLink)?;
        let from = rx.source;
        let is_own = self.scope.own_ips.contains(&from.ip());

        let is_multicast = rx.destination.is_some_and(|to| to == GROUP_V4 || to == GROUP_V6);
        if !is_multicast && !link.link.reaches(from.ip()) {
            return Err(Dropped::OffLink);
        }
        if head.way == Way::Response {
            if from.port() != PORT {
                return Err(Dropped::Port);
            }
            // Where the operating system doesn't tell the destination, it may have been the group.
            let is_expected = || link.queries.expects_direct(now) || link.probes.expects_direct(now);
            if !is_multicast && rx.destination.is_some() && !is_expected() {
                return Err(Dropped::Unasked);
            }
        }
        let scope = &self.scope;
        let cares = |name: &[u8], kind: Type| {
            let name = WireName::new(name);
            scope.concerns(&name) || (kind.is_about_host() && link.cache.is_host(&name))
        };
        if guard::surely_unrelated(datagram, &head, cares) {
            return Err(Dropped::Unrelated);
        }
        let concern = guard::scan(datagram, &head, &mut self.safe, cares).map_err(Dropped::Refused)?;
        if concern == Concern::Unrelated {
            return Err(Dropped::Unrelated);
        }
        if is_own && link.echoes.take(now, datagram) {
            return Err(Dropped::Echo);
        }
        let message = recall::recall(&head, &mut self.safe, &link.cache)
            .or_else(|| parse::parse(&head, &self.safe))
            .ok_or(Dropped::Unparsed)?;
        let mut turn = Turn { now, scope, rng: &mut self.rng, stats: &mut self.stats };
        match message {
            Message::Query(query) => {
                let by = if is_multicast { records::Want::Multicast } else { records::Want::Unicast };
                let asker = match from.port() {
                    PORT if is_own => Asker::SameHost,
                    PORT => Asker::Querier(by),
                    _ => Asker::Resolver,
                };
                let probed =
                    link.probed_as_well(scope, &query, |name| guard::proposals(datagram, &head, name));
                for name in probed {
                    let until = self.names.on_defeat(now, &name);
                    link.probes.on_defeat(&name, until);
                }
                link.handle_query(&mut turn, from, asker, query);
            }
            Message::Response(records) => {
                let clashes = link.handle_response(&mut turn, (is_own, from.ip()), &records);
                self.stats.conflicts += clashes.len() as u64;
                self.handle_clashes(now, socket, clashes);
            }
        }
        Ok(())
    }

    /// The link that a datagram came in on: a unicast to the shared port may reach any of our sockets.
    fn route(&self, rx: &Received) -> Option<SocketId> {
        let Some(interface) = rx.interface else {
            return self.links.contains_key(&rx.socket).then_some(rx.socket);
        };
        let family = Family::of(rx.source.ip());
        let is_there = |state: &&LinkState| state.link.interface == interface && state.link.family == family;
        self.links.values().find(is_there).map(|state| state.link.socket)
    }
}
