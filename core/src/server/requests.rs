//! What is asked of a server, and what it answers.
//!
//! Never tells a stranger more than that he knows nothing: who is unknown and who may not be known are one answer.

use super::gate::admits;
use super::subscriptions::{Sought, Subscriber, answer};
use super::{Client, Purpose, Server};
use crate::directory::{DirectoryEntry, DirectoryReply, DirectoryRequest};
use crate::global::seal;
use crate::id::{ConnId, PeerId, PeerIdKind, StreamId};
use crate::io::Now;
use crate::wire::discovery::{
    Accepted, Announcement, Empty, MAX_REPLY, MAX_SUBSCRIBED, Missing, Refusal, RefusalCode, Reply, Request,
    Response, Wanted,
};
use crate::wire::record::Body;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// When to ask again for somebody who is not there, or not for everybody.
const MISSING_S: u32 = 60;
/// When to ask again a server that has no room, or whose store does not answer.
pub(super) const OVERLOADED: Duration = Duration::from_secs(60);
/// The shortest lease that is granted.
const MIN_LEASE_S: u32 = 60;
/// A record is meant for a day at most, in seconds.
const MAX_RECORD_LIFE_S: u64 = 24 * 3600;
/// Bytes of a reply beside what it says of anybody.
const REPLY_LEN: usize = 64;
/// Bytes that a reply has for somebody who is missing, at most.
const MISSING_LEN: usize = 112;
/// Bytes that a reply has for somebody who was found, at most, beside his record and his addresses.
const ANSWER_LEN: usize = 144;
/// Bytes of an address as text, at most.
const ADDRESS_LEN: usize = 50;

/// A request, by its stream.
pub(super) type Asker = (ConnId, StreamId);

/// Why a request is refused: what is wrong, the number that is held, and when to ask again.
struct No(RefusalCode, u64, Duration);

impl From<RefusalCode> for No {
    fn from(code: RefusalCode) -> Self {
        Self(code, 0, Duration::ZERO)
    }
}

impl Server {
    /// Takes a whole request.
    pub(super) fn request(&mut self, now: Now, asker: Asker, bytes: &[u8]) {
        let Some(client) = self.clients.get(&asker.0).copied() else { return };
        let asked = match Request::decode(bytes) {
            Err(_) => Err(RefusalCode::BadRequest.into()),
            Ok(None) => Err(RefusalCode::Unsupported.into()),
            Ok(Some(Request::ClientAnnouncement(announcement))) => {
                self.announce(now, asker, &client, announcement)
            }
            Ok(Some(Request::Refresh(numbered))) => self.refresh(now, asker, &client, numbered.seq),
            Ok(Some(Request::Withdraw(numbered))) => self.withdraw(now, asker, &client, numbered.seq),
            Ok(Some(Request::QueryClientAnnouncement(ids))) => {
                let sought = ids.into_iter().map(|id| Sought { id, gate: None }).collect();
                self.seek(now, asker, &client, sought)
            }
            Ok(Some(Request::Lookup(wanted))) => self.seek(now, asker, &client, sought(&wanted)),
            Ok(Some(Request::Subscribe(wanted))) => {
                self.frame_reply(asker);
                self.subscribe(now, asker, &client, &wanted)
            }
        };
        if let Err(No(code, seq, retry)) = asked {
            self.refuse(now, asker, code, seq, retry);
        }
    }

    /// What a store, or the server's own registry, made of it.
    pub(super) fn complete(&mut self, now: Now, purpose: Purpose, reply: DirectoryReply) {
        match (purpose, reply) {
            (purpose, DirectoryReply::Failed | DirectoryReply::Full) => {
                self.refuse(now, purpose.asker(), RefusalCode::Overloaded, 0, OVERLOADED);
            }
            (purpose, DirectoryReply::Stale { seq }) => {
                self.refuse(now, purpose.asker(), RefusalCode::Stale, seq, Duration::ZERO);
            }
            (Purpose::Hold { asker, seq, lease_s }, DirectoryReply::Done) => {
                self.accept(now, asker, seq, lease_s);
            }
            (Purpose::Withdraw { asker }, DirectoryReply::Done) => {
                self.stats.withdrawals += 1;
                self.reply(now.mono, asker, &Reply::Ok(Empty {}));
            }
            (Purpose::Seek { asker, sought }, DirectoryReply::Found(found))
                if found.len() == sought.len() =>
            {
                self.found(now, asker, &sought, found);
            }
            (Purpose::Subscribe { asker, sought }, DirectoryReply::Found(found))
                if found.len() == sought.len() =>
            {
                self.begin_subscription(now, asker, &sought, &found);
            }
            // A store that answers something else is as good as one that fails.
            (purpose, DirectoryReply::Done | DirectoryReply::Found(_)) => {
                self.refuse(now, purpose.asker(), RefusalCode::Internal, 0, OVERLOADED);
            }
        }
    }

    /// Says why it is not done.
    pub(super) fn refuse(&mut self, now: Now, asker: Asker, code: RefusalCode, seq: u64, retry: Duration) {
        self.stats.refused += 1;
        // A part of a second is a whole one: who comes too early is refused again.
        let retry_after_s = u32::try_from(retry.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        let now_s = now.wall.as_secs();
        let refusal = Refusal { code, seq, retry_after_s, now_s, detail: String::new() };
        self.reply(now.mono, asker, &Reply::Error(refusal));
    }

    fn announce(
        &mut self,
        now: Now,
        asker: Asker,
        client: &Client,
        announcement: Announcement,
    ) -> Result<(), No> {
        self.may_announce(now, client)?;
        if !client.key.is_named(&announcement.peer_id) {
            return Err(RefusalCode::NotSelf.into());
        }
        let body = Body::verify_knowing(&announcement.record, Some(&client.key));
        let body = body.map_err(|_| No::from(RefusalCode::BadRequest))?;
        if body.owner != client.key {
            return Err(RefusalCode::NotSelf.into());
        }
        if body.not_after_s > body.issued_s.saturating_add(MAX_RECORD_LIFE_S) {
            return Err(RefusalCode::BadRequest.into());
        }
        let lease_s = self.lease_s(announcement.lease_s);
        let now_s = now.wall.as_secs();
        let entry = DirectoryEntry {
            owner: client.owner,
            sha1: client.sha1(),
            seq: body.seq,
            record: announcement.record,
            addresses: announcement.addresses.into_iter().filter(is_reachable).collect(),
            announced_s: now_s,
            expires_s: now_s + u64::from(lease_s),
        };
        let purpose = Purpose::Hold { asker, seq: body.seq, lease_s };
        self.ask_store(now, DirectoryRequest::Put(entry), purpose);
        Ok(())
    }

    fn refresh(&mut self, now: Now, asker: Asker, client: &Client, seq: u64) -> Result<(), No> {
        self.may_announce(now, client)?;
        let lease_s = self.lease_s(u32::MAX);
        let (owner, sha1) = (client.owner, client.sha1());
        let expires_s = now.wall.as_secs() + u64::from(lease_s);
        let purpose = Purpose::Hold { asker, seq, lease_s };
        self.ask_store(now, DirectoryRequest::Refresh { owner, sha1, seq, expires_s }, purpose);
        Ok(())
    }

    fn withdraw(&mut self, now: Now, asker: Asker, client: &Client, seq: u64) -> Result<(), No> {
        self.may_announce(now, client)?;
        let request = DirectoryRequest::Withdraw { owner: client.owner, sha1: client.sha1(), seq };
        self.ask_store(now, request, Purpose::Withdraw { asker });
        Ok(())
    }

    fn seek(&mut self, now: Now, asker: Asker, client: &Client, sought: Vec<Sought>) -> Result<(), No> {
        self.may_ask(now, client, sought.len())?;
        let ids = sought.iter().map(|sought| sought.id).collect();
        self.ask_store(now, DirectoryRequest::Get(ids), Purpose::Seek { asker, sought });
        Ok(())
    }

    fn subscribe(&mut self, now: Now, asker: Asker, client: &Client, wanted: &[Wanted]) -> Result<(), No> {
        if self.subscriptions.count_of(asker.0) + wanted.len() > MAX_SUBSCRIBED {
            return Err(RefusalCode::TooLarge.into());
        }
        if self.subscriptions.watched() + wanted.len() > self.config.max_subscriptions {
            return Err(No(RefusalCode::Overloaded, 0, OVERLOADED));
        }
        self.may_ask(now, client, wanted.len())?;
        let sought = sought(wanted);
        let ids = sought.iter().map(|sought| sought.id).collect();
        // Before the store is asked: what changes while it answers is told as well.
        self.subscriptions.prepare(asker, &sought);
        self.ask_store(now, DirectoryRequest::Watch(ids), Purpose::Subscribe { asker, sought });
        Ok(())
    }

    fn accept(&mut self, now: Now, asker: Asker, seq: u64, lease_s: u32) {
        let Some(observed) = self.quic.remote(asker.0) else { return };
        self.stats.announcements += 1;
        let accepted = Accepted {
            // A scope means something here alone.
            observed: SocketAddr::new(observed.ip(), observed.port()),
            lease_s,
            reannounce_after_s: lease_s / 2,
            seq,
            now_s: now.wall.as_secs(),
        };
        self.reply(now.mono, asker, &Reply::ClientAnnouncementOk(accepted));
    }

    fn found(&mut self, now: Now, asker: Asker, sought: &[Sought], found: Vec<Option<DirectoryEntry>>) {
        let now_s = now.wall.as_secs();
        let mut response = Response::default();
        let mut len = REPLY_LEN + sought.len() * MISSING_LEN;
        for (sought, found) in sought.iter().zip(found) {
            // Who is unknown is looked at as long as somebody who is known and may not be.
            let record = found.as_ref().map_or(&self.stand_in, |entry| &entry.record);
            let may_know = admits(record, sought.gate.as_ref());
            let entry = found.filter(|_| may_know);
            let more = entry
                .as_ref()
                .map_or(0, |entry| ANSWER_LEN + entry.record.len() + entry.addresses.len() * ADDRESS_LEN);
            let fits = len + more <= MAX_REPLY;
            match entry.filter(|_| fits) {
                Some(entry) => {
                    len += more;
                    response.found.push(answer(now_s, sought.id, &entry));
                }
                None => {
                    let retry_after_s = if fits { MISSING_S } else { 0 };
                    response.missing.push(Missing { peer_id: sought.id, retry_after_s });
                }
            }
        }
        self.stats.found += response.found.len() as u64;
        self.stats.missing += response.missing.len() as u64;
        self.reply(now.mono, asker, &Reply::QueryClientAnnouncementResponse(response));
    }

    fn begin_subscription(
        &mut self,
        now: Now,
        subscriber: Subscriber,
        sought: &[Sought],
        found: &[Option<DirectoryEntry>],
    ) {
        // The client may be gone, or have given up, since it asked.
        if self.exchanges.contains_key(&subscriber) {
            self.stats.pushed +=
                self.subscriptions.begin(now.wall.as_secs(), subscriber, sought, found) as u64;
            self.end_exchange(subscriber.0, subscriber.1);
            self.write_subscription(subscriber);
        }
    }

    fn may_announce(&mut self, now: Now, client: &Client) -> Result<(), No> {
        let rate = self.announcements.take(now.mono, client.owner, 1);
        rate.map_err(|wait| No(RefusalCode::RateLimited, 0, wait))
    }

    fn may_ask(&mut self, now: Now, client: &Client, ids: usize) -> Result<(), No> {
        let rate = self.questions.take(now.mono, client.owner, ids.max(1) as u32);
        rate.map_err(|wait| No(RefusalCode::RateLimited, 0, wait))
    }

    fn lease_s(&self, wanted_s: u32) -> u32 {
        wanted_s.clamp(MIN_LEASE_S, self.config.lease.as_secs() as u32)
    }
}

impl Client {
    fn sha1(&self) -> [u8; 20] {
        match self.key.peer_id(PeerIdKind::Sha1) {
            PeerId::Sha1(sha1) => sha1,
            PeerId::Sha256(_) => unreachable!("a key was asked for its short name"),
        }
    }
}

fn sought(wanted: &[Wanted]) -> Vec<Sought> {
    let one = |wanted: &Wanted| Sought { id: wanted.peer_id, gate: Some(seal::gate(&wanted.token)) };
    wanted.iter().map(one).collect()
}

/// Whether anybody but its owner might reach an address.
fn is_reachable(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let is_broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    address.port() != 0 && !ip.is_loopback() && !ip.is_multicast() && !ip.is_unspecified() && !is_broadcast
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_nobody_else_can_reach_are_dropped() {
        let reachable = |text: &str| is_reachable(&text.parse().unwrap());
        for text in [
            "127.0.0.1:7",
            "[::1]:7",
            "[::ffff:127.0.0.1]:7",
            "224.0.0.251:5353",
            "[ff02::fb]:5353",
            "0.0.0.0:7",
            "[::]:7",
            "255.255.255.255:7",
            "192.0.2.1:0",
        ] {
            assert!(!reachable(text), "{text}");
        }
        for text in ["192.0.2.1:7", "10.0.0.1:7", "[fe80::1]:7", "[2001:db8::1]:65535"] {
            assert!(reachable(text), "{text}");
        }
    }
}
