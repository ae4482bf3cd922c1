//! Who makes way in a full book: see [`Shares`](crate::shares::Shares), which knows who told of whom.

use super::{Book, Entry};
use crate::id::PeerId;
use std::net::IpAddr;
use std::time::Instant;

/// Who may go from a full book: never a paired peer. What a flood brought makes way for what comes; where there is
/// nothing of the kind, the one seen longest ago does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Evict {
    /// Nobody that the application gave an address for.
    Unasked,
    /// Those as well, after all others.
    Unpaired,
}

impl Book {
    /// Who makes way for a peer that `source` told of.
    pub(super) fn who_goes(
        &mut self,
        now: Instant,
        (id, source): (&PeerId, IpAddr),
        evict: Evict,
    ) -> Option<PeerId> {
        while let Some(ripe) = self.shares.ripe(now) {
            self.promote(&ripe);
        }
        let is_dear = evict == Evict::Unpaired || self.paired.contains_key(id);
        if !is_dear && self.shares.is_used_up(source) {
            return self.oldest(Some(source));
        }
        let greediest = self.shares.greediest();
        let new = greediest.and_then(|source| self.oldest(Some(source))).or_else(|| self.oldest(None));
        new.or_else(|| {
            let may_go = |(id, entry): &(&PeerId, &Entry)| {
                !self.paired.contains_key(id) && (evict == Evict::Unpaired || !entry.is_asked_for())
            };
            let going = self.entries.iter().filter(may_go);
            going.min_by_key(|(_, entry)| (entry.is_asked_for(), entry.seen_at)).map(|(id, _)| *id)
        })
    }

    /// Who came first of those that are new; who is paired, or was asked for, is new no longer.
    fn oldest(&mut self, of: Option<IpAddr>) -> Option<PeerId> {
        while let Some(id) = self.shares.oldest(of) {
            let is_asked_for = self.entries.get(&id).is_some_and(|entry| entry.is_asked_for());
            if !is_asked_for && !self.paired.contains_key(&id) {
                return Some(id);
            }
            self.promote(&id);
        }
        None
    }

    fn promote(&mut self, id: &PeerId) {
        if let Some(entry) = self.entries.get_mut(id) {
            self.shares.promote(&mut entry.stake);
        }
    }
}
