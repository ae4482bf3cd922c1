//! What is no longer sure: withdrawn, superseded, disputed, or asked for in vain. RFC 6762 §10.1 to §10.5.
//!
//! Shortens the time of what is held; never asks.

use super::{Cache, GRACE};
use crate::mdns::name::Name;
use crate::mdns::records::{Data, Record, Type};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// What is in doubt is kept for so long, for its owner to say it again. RFC 6762 §10.3, §10.4, §10.5.
const DOUBT: Duration = Duration::from_secs(10);
/// Nobody multicasts a record again within this time: who asks in it may well hear nothing. RFC 6762 §6.
const ANSWER_GAP: Duration = Duration::from_secs(1);

impl Cache {
    /// Whatever of this name and type is older than a second, and not said again, ends in a second: whether
    /// anything does that would have lived longer. RFC 6762 §10.2.
    pub(in crate::mdns) fn flush(&mut self, now: Instant, name: &Name, kind: Type) -> bool {
        let is_old = |id: &usize| self.entries[*id].received + GRACE < now;
        let old: Vec<usize> = self.set(name, kind).filter(is_old).collect();
        let sooner = old.into_iter().filter(|id| self.end_by(*id, now + GRACE));
        sooner.count() > 0
    }

    /// What `is_doubtful` says ends soon unless it is said again; whether any of it would have lived longer.
    pub(in crate::mdns) fn doubt(
        &mut self,
        now: Instant,
        is_doubtful: impl Fn(&Name, &Data) -> bool,
    ) -> bool {
        let until = now + DOUBT;
        let ids = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.ends > until && is_doubtful(&entry.name, &entry.data));
        let ids: Vec<usize> = ids.map(|(id, _)| id).collect();
        for id in &ids {
            self.end_by(*id, until);
        }
        !ids.is_empty()
    }

    /// `asker` multicast a question, and says that he knows `known`: whoever else has another record that answers
    /// it multicasts it. What was not said after two such questions ends 10 s after the second, but for what
    /// `is_protected`: that is returned. RFC 6762 §10.5.
    ///
    /// What the asker said himself is left out, for nobody answers his own question.
    pub(in crate::mdns) fn on_foreign(
        &mut self,
        now: Instant,
        asker: IpAddr,
        (name, kind): (&Name, Type),
        known: &[Record],
        is_protected: impl Fn(&Name, &Data, &[Name]) -> bool,
    ) -> Vec<(Name, Data)> {
        let known: BTreeSet<usize> = known.iter().filter_map(|record| self.find(record).0).collect();
        let asked: Vec<usize> = self.set(name, kind).filter(|id| !known.contains(id)).collect();
        let mut disputed = Vec::new();
        for id in asked {
            let entry = &mut self.entries[id];
            let last = entry.asked.unwrap_or(entry.received);
            if now < last + ANSWER_GAP || entry.said_by == asker || entry.stake.source() == asker {
                continue;
            }
            if entry.asked.replace(now).is_none() {
                continue;
            }
            let entry = &self.entries[id];
            if is_protected(&entry.name, &entry.data, self.instances_at(&entry.name)) {
                disputed.push((entry.name.clone(), entry.data.clone()));
                self.entries[id].asked = None;
            } else {
                self.end_by(id, now + DOUBT);
            }
        }
        disputed
    }

    /// Forgets everything that `is_unwanted` says, without a word.
    pub(in crate::mdns) fn forget(&mut self, is_unwanted: impl Fn(&Name, &Data) -> bool) {
        let ids = self.entries.iter().filter(|(_, entry)| is_unwanted(&entry.name, &entry.data));
        for id in ids.map(|(id, _)| id).collect::<Vec<_>>() {
            self.remove(id);
        }
    }
}
