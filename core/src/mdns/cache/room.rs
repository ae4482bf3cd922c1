//! What makes way in a full cache: see [`Shares`](crate::shares::Shares), which knows who said what.

use super::Cache;
use crate::mdns::name::Name;
use crate::mdns::records::{Data, Record};
use std::net::IpAddr;
use std::time::Instant;

impl Cache {
    /// Something makes way for a record of `source`: whether anything could.
    pub(super) fn make_room(
        &mut self,
        now: Instant,
        (record, source): (&Record, IpAddr),
        is_protected: impl Fn(&Name, &Data, &[Name]) -> bool,
    ) -> bool {
        while let Some(id) = self.shares.ripe(now) {
            self.shares.promote(&mut self.entries[id].stake);
        }
        let is_dear = is_protected(&record.name, &record.data, self.instances_at(&record.name));
        let id = if !is_dear && self.shares.is_used_up(source) {
            self.oldest(Some(source), &is_protected)
        } else {
            let greediest = self.shares.greediest();
            greediest
                .and_then(|source| self.oldest(Some(source), &is_protected))
                .or_else(|| self.oldest(None, &is_protected))
                .or_else(|| self.soonest(&is_protected))
        };
        let Some(id) = id else { return false };
        let entry = self.remove(id);
        self.evicted = Some((entry.name, entry.data));
        true
    }

    /// What came first of what is new; what is protected is new no longer.
    fn oldest(
        &mut self,
        of: Option<IpAddr>,
        is_protected: impl Fn(&Name, &Data, &[Name]) -> bool,
    ) -> Option<usize> {
        while let Some(id) = self.shares.oldest(of) {
            let entry = &self.entries[id];
            if !is_protected(&entry.name, &entry.data, self.instances_at(&entry.name)) {
                return Some(id);
            }
            self.shares.promote(&mut self.entries[id].stake);
        }
        None
    }

    /// What ends soonest.
    fn soonest(&self, is_protected: impl Fn(&Name, &Data, &[Name]) -> bool) -> Option<usize> {
        let free = |id: &usize| {
            let entry = &self.entries[*id];
            !is_protected(&entry.name, &entry.data, self.instances_at(&entry.name))
        };
        self.ends.iter().map(|(_, id)| *id).find(free)
    }
}
