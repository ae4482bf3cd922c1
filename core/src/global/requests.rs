//! What servers are asked, and when.
//!
//! Each is asked for one thing of a kind at a time; what they answer is for `global/replies.rs`.

use super::client::{Event, Global};
use super::contact::{ServerId, What};
use crate::config::Announce;
use crate::id::{Fingerprint, PeerId};
use crate::wire::discovery::{Announcement, MAX_SUBSCRIBED, MAX_WANTED, Numbered, Request, Wanted};
use std::collections::BTreeSet;
use std::time::Instant;

/// For how long an announcement is meant, in seconds.
const LEASE_S: u32 = 3600;

impl Global {
    pub(super) fn ask_what_is_due(&mut self, now: Instant, server: ServerId) {
        if self.contacts[server.0].may_ask(now) {
            self.say_where_we_are(now, server);
            self.watch(now, server);
            self.look_for(now, server);
        }
    }

    fn say_where_we_are(&mut self, now: Instant, server: ServerId) {
        let contact = &self.contacts[server.0];
        if contact.is_asked(|what| matches!(what, What::Announce(_) | What::Withdraw)) {
            return;
        }
        let Some(record) = self.announcer.record() else {
            if self.announcer.is_silent() {
                self.withdraw(now, server);
            }
            return;
        };
        let seq = record.seq;
        let request = if contact.lease.held != Some(seq) {
            self.stats.announcements += 1;
            let is_plain = self.announce == Announce::Plain;
            let addresses = if is_plain { record.content.addresses.clone() } else { Vec::new() };
            Request::ClientAnnouncement(Announcement {
                peer_id: self.name,
                addresses,
                record: record.bytes.clone(),
                lease_s: LEASE_S,
            })
        } else if contact.lease.renew_at.is_some_and(|at| at <= now) {
            self.stats.refreshes += 1;
            Request::Refresh(Numbered { seq })
        } else {
            return;
        };
        self.contacts[server.0].lease.told = Some(seq);
        self.contacts[server.0].lease.renew_at = None;
        self.ask(now, server, What::Announce(seq), request.encode());
    }

    /// Takes back what the server was told, if anything.
    pub(super) fn withdraw(&mut self, now: Instant, server: ServerId) {
        if let Some(seq) = self.contacts[server.0].lease.told {
            self.stats.withdrawals += 1;
            self.contacts[server.0].lease.held = None;
            self.ask(now, server, What::Withdraw, Request::Withdraw(Numbered { seq }).encode());
        }
    }

    /// Asks to be told of whoever is sought, as far as one connection may.
    fn watch(&mut self, now: Instant, server: ServerId) {
        let watch = &self.contacts[server.0].watch;
        let is_current = watch.live.is_some() && watch.version == self.seek.version();
        if is_current || watch.after.is_some_and(|after| after > now) {
            return;
        }
        if let Some((request, _)) = watch.live {
            self.unwatch(server, request);
        }
        let (wanted, prints) = self.gather(self.seek.ranked().into_iter(), MAX_SUBSCRIBED);
        let watch = &mut self.contacts[server.0].watch;
        (watch.version, watch.after) = (self.seek.version(), None);
        if !wanted.is_empty() {
            self.stats.lookups += 1;
            let request = self.ask(now, server, What::Watch, Request::Subscribe(wanted).encode());
            self.contacts[server.0].watch.live = Some((request, prints));
        }
    }

    pub(super) fn unwatch(&mut self, server: ServerId, request: u64) {
        let contact = &mut self.contacts[server.0];
        contact.watch.live = None;
        if contact.asked.remove(&request).is_some()
            && let Some(conn) = contact.conn()
        {
            self.events.push_back(Event::Forget { conn, request });
        }
    }

    /// Nothing that was asked is of interest any more.
    pub(super) fn forget_all(&mut self, server: ServerId) {
        let requests: Vec<u64> = self.contacts[server.0].asked.keys().copied().collect();
        for request in requests {
            self.unwatch(server, request);
        }
    }

    /// Asks for whoever is due and whom the server does not tell of by itself.
    fn look_for(&mut self, now: Instant, server: ServerId) {
        let contact = &self.contacts[server.0];
        if contact.is_asked(|what| matches!(what, What::Where(_))) {
            return;
        }
        let mut due = self.seek.ranked();
        due.retain(|print| contact.is_due(now, print));
        let (wanted, mut prints) = self.gather(due.iter().copied(), MAX_WANTED);
        let request = if wanted.is_empty() {
            prints = due.into_iter().take(MAX_WANTED).collect();
            let names = prints.iter().map(|print| PeerId::Sha256(*print.as_bytes()));
            Request::QueryClientAnnouncement(names.collect())
        } else {
            Request::Lookup(wanted)
        };
        if !prints.is_empty() {
            self.stats.lookups += 1;
            self.ask(now, server, What::Where(prints), request.encode());
        }
    }

    /// Those of the first who have tokens, until there are so many; and who they are.
    fn gather(
        &self,
        prints: impl Iterator<Item = Fingerprint>,
        most: usize,
    ) -> (Vec<Wanted>, BTreeSet<Fingerprint>) {
        let (mut wanted, mut whose) = (Vec::new(), BTreeSet::new());
        for print in prints {
            let before = wanted.len();
            wanted.extend(self.seek.wanted(&print));
            if wanted.len() > most {
                wanted.truncate(before);
                break;
            }
            if wanted.len() > before {
                whose.insert(print);
            }
        }
        (wanted, whose)
    }
}
