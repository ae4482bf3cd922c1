//! Decides how and when a question is answered. RFC 6762 §5.4, §6, §6.7, §7.1.
//!
//! Answers only from what this node publishes, never from the cache. RFC 6762 §6.

use super::announce::{MULTICAST_GAP, Owned};
use super::parse::Query;
use super::records::{Question, Record, Share, Ttl, Type, Want};
use super::suppress::is_known;
use super::write;
use crate::io::Family;
use crate::rng::Rng;
use crate::table::Table;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// An answer that others may have as well waits for so long. RFC 6762 §6.
const SHARED_DELAY_MIN: Duration = Duration::from_millis(20);
const SHARED_DELAY_MAX: Duration = Duration::from_millis(120);
/// An answer to a probe may be multicast again after so long. RFC 6762 §6.
const PROBE_GAP: Duration = Duration::from_millis(250);
/// Unicast replies that wait at a time. A further asker gets none, and asks again.
const MAX_REPLIES: usize = 64;

/// How an asker can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// A full mDNS querier elsewhere. `Want::Unicast` if its datagram came by unicast. RFC 6762 §5.5.
    Querier(Want),
    /// One on this machine: a unicast to the shared port may reach any of those that listen there. RFC 6762
    /// §15.1.
    SameHost,
    /// An ordinary resolver, which sends from a port of its own. RFC 6762 §6.7.
    Resolver,
}

impl Asker {
    /// Whether what is answered to all answers his question.
    pub(super) fn hears_multicasts(self) -> bool {
        match self {
            Self::Querier(by) => by == Want::Multicast,
            Self::SameHost => true,
            Self::Resolver => false,
        }
    }
}

/// Whether an answer was held back already, for known answers to come. RFC 6762 §7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    No,
    Yes,
}

/// A reply to one asker.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) to: SocketAddr,
    due: Instant,
    answers: Vec<Record>,
    additional: Vec<Record>,
    /// Id and questions to echo, towards a resolver.
    echo: Option<(u16, Vec<Question>)>,
}

impl Reply {
    pub(super) fn datagrams(&self, family: Family) -> Vec<Vec<u8>> {
        match &self.echo {
            Some((id, asked)) => write::legacy(family, *id, asked, &self.answers, &self.additional),
            None => write::response(family, &self.answers, &self.additional),
        }
    }
}

/// The unicast replies that wait.
#[derive(Debug, Default)]
pub(super) struct Replies {
    waiting: Vec<Reply>,
    /// When somebody last asked for a shared answer that he alone gets.
    told_alone: Option<Instant>,
}

impl Replies {
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Reply> {
        let at = self.waiting.iter().position(|reply| reply.due <= now)?;
        Some(self.waiting.remove(at))
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.waiting.iter().map(|reply| reply.due).min()
    }

    /// How full it is.
    pub(super) fn table(&self) -> Table {
        Table::new("mdns: replies that wait", self.waiting.len(), MAX_REPLIES)
    }

    /// Answers every question of a query: by multicast through `owned`, or by a reply. Returns how many sets of
    /// records are left out since the asker knows them.
    pub(super) fn on_query(
        &mut self,
        now: Instant,
        owned: &mut Owned,
        query: &Query,
        (from, asker, waited): (SocketAddr, Asker, Waited),
        rng: &mut Rng,
    ) -> u64 {
        let shared_delay = match waited {
            Waited::No => rng.between(SHARED_DELAY_MIN, SHARED_DELAY_MAX),
            Waited::Yes => Duration::ZERO,
        };
        let is_crowded = self.is_crowded(now);
        let mut direct: Vec<usize> = Vec::new();
        let mut left_out = 0;
        for question in &query.questions {
            let is_probed = query.proposed.iter().any(|record| record.name == question.name);
            for at in matching(owned, question) {
                let set = &mut owned.sets[at];
                // Only what is ours alone is defended.
                let is_probe = is_probed && set.share == Share::Unique;
                let gap = if is_probe { PROBE_GAP } else { MULTICAST_GAP };
                if is_known(set, &query.known) {
                    left_out += 1;
                    continue;
                }
                let wants_direct = match asker {
                    Asker::Resolver => true,
                    Asker::SameHost => false,
                    Asker::Querier(_) if is_crowded && set.share == Share::Shared => false,
                    Asker::Querier(by) => by == Want::Unicast || question.want == Want::Unicast,
                };
                let wants_multicast = match asker {
                    Asker::Resolver => false,
                    Asker::SameHost | Asker::Querier(_) => !wants_direct || !set.is_recent(now),
                };
                if wants_multicast {
                    let delay = if set.share == Share::Shared { shared_delay } else { Duration::ZERO };
                    set.answer_in(now, delay, gap);
                }
                // A probe always gets its answer directly too. RFC 6762 §5.4.
                if wants_direct && (!wants_multicast || is_probe) && !direct.contains(&at) {
                    direct.push(at);
                }
            }
        }
        if !direct.is_empty() && self.waiting.len() < MAX_REPLIES {
            let is_shared = direct.iter().any(|at| owned.sets[*at].share == Share::Shared);
            if is_shared {
                self.told_alone = Some(now);
            }
            let due = if is_shared { now + shared_delay } else { now };
            self.waiting.push(reply(owned, query, (from, asker), &direct, due));
        }
        left_out
    }

    /// Whether somebody asked less than a second ago, and was told by himself: one multicast tells all who come
    /// after him. RFC 6762 §5.4 would have each tell each when a hundred start together.
    fn is_crowded(&self, now: Instant) -> bool {
        self.told_alone.is_some_and(|told| now < told + MULTICAST_GAP)
    }
}

fn reply(
    owned: &Owned,
    query: &Query,
    (to, asker): (SocketAddr, Asker),
    direct: &[usize],
    due: Instant,
) -> Reply {
    let additional = owned.additional_to(direct);
    let records = |sets: &[usize]| sets.iter().flat_map(|at| owned.sets[*at].records()).collect::<Vec<_>>();
    let (mut answers, mut additional) = (records(direct), records(&additional));
    let mut echo = None;
    if asker == Asker::Resolver {
        echo = Some((query.id, query.questions.clone()));
        for record in answers.iter_mut().chain(&mut additional) {
            record.ttl = record.ttl.min(Ttl::LEGACY);
            record.share = Share::Shared;
        }
        if let Some((_, questions)) = &mut echo {
            questions.iter_mut().for_each(|question| question.want = Want::Multicast);
        }
    }
    Reply { to, due, answers, additional, echo }
}

/// The sets that answer a question; where a name is ours and the type does not exist, the one that says so.
/// RFC 6762 §6.1, §6.5.
fn matching(owned: &Owned, question: &Question) -> Vec<usize> {
    let named = |i: &usize| owned.sets[*i].name == question.name;
    let of_kind = |i: &usize| {
        let kind = owned.sets[*i].kind();
        kind == question.kind || (question.kind == Type::ANY && kind != Type::NSEC)
    };
    let all: Vec<usize> = (0..owned.sets.len()).filter(named).collect();
    let found: Vec<usize> = all.iter().copied().filter(of_kind).collect();
    if !found.is_empty() {
        return found;
    }
    all.into_iter().filter(|i| owned.sets[*i].kind() == Type::NSEC).collect()
}
