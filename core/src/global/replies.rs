//! What follows from what servers answer.
//!
//! Whatever breaks the protocol ends the connection, and the next try is after a pause.

use super::client::{Event, Global};
use super::clock::{self, Judged};
use super::contact::{ServerId, Stage, What};
use super::inbox::End;
use crate::event::{Event as Tell, LookUpOutcome, ServerFailure};
use crate::id::{ConnId, Fingerprint, PeerId};
use crate::io::Now;
use crate::wire::discovery::{Accepted, Answer, Refusal, RefusalCode, Reply, Response};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// An announcement is renewed no sooner, whatever the server wants.
const RENEW_MIN: Duration = Duration::from_secs(60);
/// How often in a row a server may say that it holds a higher number.
const MAX_STALE: u32 = 3;
/// A server that refuses is left alone for so long at least.
const REFUSED_PAUSE: Duration = Duration::from_secs(300);
/// A server that does not tell of changes by itself is not asked to for so long.
const UNWATCHABLE: Duration = Duration::from_secs(3600);

/// A subscription that lost something is made anew after about so long.
const RESYNC: Duration = Duration::from_secs(2);

/// What a server may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Misbehaved {
    /// It told of somebody whom it was not asked about.
    NotAsked,
    /// It says that it holds another number than the one that it was told.
    OtherNumber,
    /// It says more than anybody needs.
    Flood,
    /// It answers what was not asked, or what is no answer.
    Unfitting,
}

impl Global {
    /// Something came in on the stream of a request: at most [`MAX_PUSH`](super::inbox::MAX_PUSH) bytes.
    pub(crate) fn handle_reply(&mut self, now: Now, conn: ConnId, request: u64, bytes: &[u8], end: End) {
        let Some(server) = self.by_conn(conn) else { return };
        let Some(asked) = self.contacts[server.0].asked.get_mut(&request) else { return };
        let is_watch = matches!(asked.what, What::Watch);
        let mut outcome = if end == End::Broken && !is_watch {
            self.fail(now.mono, server, ServerFailure::Closed);
            return self.work(now);
        } else {
            asked.inbox.push(bytes).map_err(|_| Misbehaved::Unfitting)
        };
        while outcome.is_ok()
            && let Some(asked) = self.contacts[server.0].asked.get_mut(&request)
        {
            match asked.inbox.next(end) {
                Ok(Some(reply)) => outcome = self.on_reply(now, server, request, reply),
                Ok(None) => break,
                Err(_) => outcome = Err(Misbehaved::Unfitting),
            }
        }
        if let Err(what) = outcome {
            tracing::debug!(?what, "a discovery server misbehaved");
            self.stats.misbehaved += 1;
            self.fail(now.mono, server, ServerFailure::Misbehaved);
        } else if end != End::Open && self.contacts[server.0].asked.remove(&request).is_some() {
            self.contacts[server.0].unwatched(now.mono, &mut self.rng);
        }
        self.work(now);
    }

    /// The server allows no further stream: the request was not sent.
    pub(crate) fn handle_unsent(&mut self, now: Now, conn: ConnId) {
        if let Some(server) = self.by_conn(conn) {
            self.fail(now.mono, server, ServerFailure::Busy);
            self.work(now);
        }
    }

    fn on_reply(&mut self, now: Now, server: ServerId, request: u64, reply: Reply) -> Result<(), Misbehaved> {
        let contact = &mut self.contacts[server.0];
        if let Some(What::Watch) = contact.asked.get(&request).map(|asked| &asked.what) {
            return self.on_news(now, server, request, reply);
        }
        let asked = contact.asked.remove(&request).expect("a reply is to a request");
        match (asked.what, reply) {
            (What::Announce(seq), Reply::ClientAnnouncementOk(accepted)) => {
                self.on_accepted(now, server, seq, accepted)
            }
            (What::Announce(seq), Reply::Error(refusal)) if refusal.code == RefusalCode::Stale => {
                self.judge_clock(now, server, refusal.now_s);
                self.on_stale(now.mono, server, seq, refusal.seq)
            }
            (What::Withdraw, Reply::Ok(_) | Reply::Error(_)) => {
                contact.lease.told = None;
                Ok(())
            }
            (What::Where(prints), Reply::QueryClientAnnouncementResponse(response)) => {
                self.on_response(now.mono, server, &prints, &response)
            }
            (What::Announce(_) | What::Where(_), Reply::Error(refusal)) => {
                self.judge_clock(now, server, refusal.now_s);
                self.on_refused(now.mono, server, &refusal);
                Ok(())
            }
            _ => Err(Misbehaved::Unfitting),
        }
    }

    fn on_accepted(
        &mut self,
        now: Now,
        server: ServerId,
        seq: u64,
        accepted: Accepted,
    ) -> Result<(), Misbehaved> {
        if accepted.seq != seq {
            return Err(Misbehaved::OtherNumber);
        }
        if !self.judge_clock(now, server, accepted.now_s) {
            return Ok(());
        }
        let most = Duration::from_secs(u64::from(accepted.lease_s) * 4 / 5);
        let after = Duration::from_secs(accepted.reannounce_after_s.into()).min(most).max(RENEW_MIN);
        let contact = &mut self.contacts[server.0];
        contact.lease.held = Some(seq);
        contact.lease.stale = 0;
        contact.lease.renew_at = Some(now.mono + self.rng.between(after - after / 10, after + after / 10));
        if contact.observed.replace(accepted.observed) != Some(accepted.observed) {
            self.around.set_observed(self.contacts.iter().filter_map(|contact| contact.observed));
            self.moved();
        }
        Ok(())
    }

    /// The server holds a higher number than the one that it was told, or forgot it.
    fn on_stale(&mut self, now: Instant, server: ServerId, seq: u64, held: u64) -> Result<(), Misbehaved> {
        let contact = &mut self.contacts[server.0];
        let was_held = contact.lease.held.take() == Some(seq);
        contact.lease.stale += 1;
        if contact.lease.stale > MAX_STALE {
            contact.lease.stale = 0;
            contact.hold(now, REFUSED_PAUSE, ServerFailure::Refused, &mut self.rng);
        }
        if held < seq {
            // It was restarted, say: it is told in full.
            return if was_held { Ok(()) } else { Err(Misbehaved::OtherNumber) };
        }
        if self.announcer.handle_held(held) { Ok(()) } else { Err(Misbehaved::OtherNumber) }
    }

    fn on_refused(&mut self, now: Instant, server: ServerId, refusal: &Refusal) {
        let pause = Duration::from_secs(refusal.retry_after_s.into());
        let (pause, why) = match refusal.code {
            RefusalCode::RateLimited | RefusalCode::Overloaded => (pause, ServerFailure::Busy),
            RefusalCode::BadRequest
            | RefusalCode::NotSelf
            | RefusalCode::Stale
            | RefusalCode::TooLarge
            | RefusalCode::Unsupported
            | RefusalCode::Denied
            | RefusalCode::Internal => (pause.max(REFUSED_PAUSE), ServerFailure::Refused),
        };
        tracing::debug!(code = ?refusal.code, ?pause, "a discovery server refused");
        let contact = &mut self.contacts[server.0];
        if !matches!(contact.stage, Stage::Waiting { .. }) {
            contact.hold(now, pause, why, &mut self.rng);
        }
    }

    fn on_response(
        &mut self,
        now: Instant,
        server: ServerId,
        asked: &BTreeSet<Fingerprint>,
        response: &Response,
    ) -> Result<(), Misbehaved> {
        // Somebody may be found by one of several tokens.
        let mut left = asked.clone();
        let mut is_progress = false;
        for answer in &response.found {
            let print = among(asked, &answer.peer_id)?;
            if self.heed(server, print, answer) {
                left.remove(&print);
                is_progress = true;
                self.contacts[server.0].met(now, print, &mut self.rng);
                let age = Duration::from_secs(answer.age_s.into());
                let outcome = LookUpOutcome::Found { addresses: self.seek.said(&print), age };
                self.looked_up(server, print, outcome);
            }
        }
        let mut later = BTreeSet::new();
        for missing in &response.missing {
            let print = among(asked, &missing.peer_id)?;
            if missing.retry_after_s == 0 {
                later.insert(print);
            } else if left.remove(&print) {
                is_progress = true;
                self.seek.handle_gone(&print, server);
                let least = Duration::from_secs(missing.retry_after_s.into());
                self.contacts[server.0].missed(now, print, least, &mut self.rng);
                self.looked_up(server, print, LookUpOutcome::Missing);
            }
        }
        for print in left {
            // What did not fit is asked for at once, as long as that leads anywhere.
            if !(is_progress && later.contains(&print)) {
                self.contacts[server.0].missed(now, print, Duration::ZERO, &mut self.rng);
                self.looked_up(server, print, LookUpOutcome::Missing);
            }
        }
        Ok(())
    }

    fn on_news(&mut self, now: Now, server: ServerId, request: u64, reply: Reply) -> Result<(), Misbehaved> {
        let contact = &mut self.contacts[server.0];
        let watched = contact.watch.live.as_ref().map(|(_, watched)| watched);
        let watched = watched.ok_or(Misbehaved::Unfitting)?;
        if contact.news.take(now.mono).is_err() {
            return Err(Misbehaved::Flood);
        }
        match reply {
            Reply::Announced(answer) => {
                let print = among(watched, &answer.peer_id)?;
                self.heed(server, print, &answer);
            }
            Reply::Gone(gone) => {
                let print = among(watched, &gone.peer_id)?;
                self.seek.handle_gone(&print, server);
                // With several tokens another may still be good.
                if self.seek.wanted(&print).count() > 1 {
                    self.contacts[server.0].seek_now(print);
                }
            }
            Reply::Resync(_) => {
                self.unwatch(server, request);
                self.contacts[server.0].watch.after = Some(now.mono + self.rng.between(RESYNC / 2, RESYNC));
            }
            Reply::Error(refusal) => {
                self.unwatch(server, request);
                self.judge_clock(now, server, refusal.now_s);
                self.on_unwatchable(now.mono, server, &refusal);
            }
            Reply::ClientAnnouncementOk(_) | Reply::QueryClientAnnouncementResponse(_) | Reply::Ok(_) => {
                return Err(Misbehaved::Unfitting);
            }
        }
        Ok(())
    }

    /// The server does not tell of anybody by itself: he is asked for instead.
    fn on_unwatchable(&mut self, now: Instant, server: ServerId, refusal: &Refusal) {
        let contact = &mut self.contacts[server.0];
        contact.unwatched(now, &mut self.rng);
        match refusal.code {
            RefusalCode::Unsupported | RefusalCode::Denied => contact.watch.after = Some(now + UNWATCHABLE),
            RefusalCode::RateLimited | RefusalCode::Overloaded => self.on_refused(now, server, refusal),
            RefusalCode::BadRequest
            | RefusalCode::NotSelf
            | RefusalCode::Stale
            | RefusalCode::TooLarge
            | RefusalCode::Internal => {}
        }
    }

    /// Whether an answer held.
    fn heed(&mut self, server: ServerId, print: Fingerprint, answer: &Answer) -> bool {
        let result = self.seek.handle_answer(&print, server, answer);
        match result {
            Ok(()) => self.stats.found += 1,
            Err(why) => {
                tracing::debug!(?why, peer = print.label(), "a server's answer does not hold");
                self.stats.rejected += 1;
            }
        }
        result.is_ok()
    }

    /// Looks at what the server takes for the time. Whether it may be used.
    fn judge_clock(&mut self, now: Now, server: ServerId, now_s: u64) -> bool {
        let contact = &mut self.contacts[server.0];
        let (ahead_s, is_refused) = match clock::judge(now.wall, now_s) {
            Judged::Near => (0, false),
            Judged::Followed(ahead_s) => (ahead_s, false),
            Judged::Refused(ahead_s) => (ahead_s, true),
        };
        if clock::differ(contact.clock_told, ahead_s) {
            contact.clock_told = ahead_s;
            let event = Tell::ServerClock { server: contact.server.key, ahead_s };
            self.events.push_back(Event::Tell(event));
        }
        if is_refused {
            self.fail(now.mono, server, ServerFailure::Clock);
        } else {
            contact.ahead_s = Some(ahead_s);
        }
        !is_refused
    }
}

/// Who is meant, if he is one of those that were asked about.
fn among(asked: &BTreeSet<Fingerprint>, id: &PeerId) -> Result<Fingerprint, Misbehaved> {
    let PeerId::Sha256(hash) = id else { return Err(Misbehaved::NotAsked) };
    let print = Fingerprint::from_bytes(*hash);
    if asked.contains(&print) { Ok(print) } else { Err(Misbehaved::NotAsked) }
}
