//! Questions that others ask in our place. RFC 6762 §7.3.
//!
//! A question counts as ours if he who asks it knows nothing that we don't. On a large LAN what he knows takes many
//! datagrams: his question counts from the first one on, lest we ask while the rest comes in, and no more once one
//! of them says what we did not know. Never answers: that is for `respond`.

use super::browse::{Queries, Spared};
use super::parse::Query;
use super::records::{Record, Want};
use crate::rng::Rng;
use crate::table::Table;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The rest of a query follows at once: what comes later is no part of it. RFC 6762 §7.2.
const CONTINUES_FOR: Duration = Duration::from_millis(500);
/// Askers whose known answers are awaited at a time. The question of the oldest counts, whatever he says yet.
const MAX_AWAITED: usize = 16;

/// Those whose questions count as ours, until their last known answer came in.
#[derive(Debug, Default)]
pub(super) struct Others(VecDeque<Other>);

#[derive(Debug)]
struct Other {
    from: SocketAddr,
    until: Instant,
    /// Never empty.
    spared: Vec<Spared>,
}

impl Others {
    /// Takes a query of somebody else: how many questions of ours it asks for us. `knows` says whether a query of
    /// ours would hold a known answer.
    pub(super) fn on_query(
        &mut self,
        now: Instant,
        (from, query): (SocketAddr, &Query),
        queries: &mut Queries,
        knows: impl Fn(&Record) -> bool,
        rng: &mut Rng,
    ) -> u64 {
        if query.questions.is_empty() {
            self.on_rest(now, (from, query), queries, knows, rng);
            return 0;
        }
        self.0.retain(|other| other.from != from && now < other.until);
        let mut spared = Vec::new();
        for question in query.questions.iter().filter(|question| question.want == Want::Multicast) {
            let (name, kind) = (&question.name, question.kind);
            let mut known = query.known.iter().filter(|record| record.name == *name);
            if queries.is_asking(name, kind) && known.all(&knows) {
                spared.extend(queries.on_foreign(now, name, kind, rng));
            }
        }
        let count = spared.len() as u64;
        if query.truncated && count > 0 {
            if self.0.len() == MAX_AWAITED {
                self.0.pop_front();
            }
            self.0.push_back(Other { from, until: now + CONTINUES_FOR, spared });
        }
        count
    }

    fn on_rest(
        &mut self,
        now: Instant,
        (from, query): (SocketAddr, &Query),
        queries: &mut Queries,
        knows: impl Fn(&Record) -> bool,
        rng: &mut Rng,
    ) {
        let Some(at) = self.0.iter().position(|other| other.from == from && now < other.until) else {
            return;
        };
        let other = &mut self.0[at];
        let is_news = |spared: &mut Spared| {
            let mut known = query.known.iter().filter(|record| record.name == spared.name);
            !known.all(&knows)
        };
        for spared in other.spared.extract_if(.., is_news) {
            queries.take_back(now, spared, rng);
        }
        if other.spared.is_empty() || !query.truncated {
            self.0.remove(at);
        }
    }

    /// How full it is.
    pub(super) fn table(&self) -> Table {
        Table::new("mdns: questions of others that go on", self.0.len(), MAX_AWAITED)
    }
}
