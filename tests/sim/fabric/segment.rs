//! One broadcast domain: who is on it, who is in the group of mDNS, and who is kept from whom.

use super::link::Link;
use super::port::{Attachment, Owner, PortId};
use super::{Family, Host};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The state of one segment.
pub(super) struct State {
    pub(super) link: Link,
    /// Whether this is the Internet: no multicast, and every public address is one hop away.
    pub(super) internet: bool,
    pub(super) ports: BTreeMap<PortId, Owner>,
    members: [BTreeMap<PortId, Owner>; 2],
    by_ip: BTreeMap<IpAddr, BTreeSet<PortId>>,
    pub(super) bridges: Vec<PortId>,
    /// Routers whose inside this is.
    pub(super) gateways: Vec<usize>,
    partition: Option<BTreeMap<Host, usize>>,
}

impl State {
    pub(super) fn new(link: Link, internet: bool) -> Self {
        Self {
            link,
            internet,
            ports: BTreeMap::new(),
            members: [BTreeMap::new(), BTreeMap::new()],
            by_ip: BTreeMap::new(),
            bridges: Vec::new(),
            gateways: Vec::new(),
            partition: None,
        }
    }

    pub(super) fn add(&mut self, id: PortId, attachment: &Attachment) {
        self.ports.insert(id, attachment.owner);
        self.add_addresses(id, attachment);
    }

    pub(super) fn remove(&mut self, id: PortId, attachment: &Attachment) {
        self.ports.remove(&id);
        for members in &mut self.members {
            members.remove(&id);
        }
        self.remove_addresses(id, attachment);
    }

    pub(super) fn add_addresses(&mut self, id: PortId, attachment: &Attachment) {
        for address in &attachment.addresses {
            self.by_ip.entry(address.ip).or_default().insert(id);
        }
    }

    pub(super) fn remove_addresses(&mut self, id: PortId, attachment: &Attachment) {
        for address in &attachment.addresses {
            if let Some(holders) = self.by_ip.get_mut(&address.ip) {
                holders.remove(&id);
                if holders.is_empty() {
                    self.by_ip.remove(&address.ip);
                }
            }
        }
    }

    pub(super) fn members(&self, family: Family) -> &BTreeMap<PortId, Owner> {
        &self.members[index(family)]
    }

    pub(super) fn members_mut(&mut self, family: Family) -> &mut BTreeMap<PortId, Owner> {
        &mut self.members[index(family)]
    }

    /// Who has an address. Of several, always the same one.
    pub(super) fn holder(&self, ip: IpAddr) -> Option<PortId> {
        self.by_ip.get(&ip).and_then(|holders| holders.first()).copied()
    }

    /// Keeps hosts of different groups from one another. Hosts in no group are a group of their own.
    pub(super) fn split(&mut self, groups: Vec<Vec<Host>>) {
        let numbered = groups.into_iter().enumerate();
        let of = numbered.flat_map(|(group, hosts)| hosts.into_iter().map(move |host| (host, group)));
        self.partition = Some(of.collect());
    }

    pub(super) fn heal(&mut self) {
        self.partition = None;
    }

    /// Whether a partition keeps what one sends from the other. Bridges, reflectors and routers hear all.
    pub(super) fn keeps_apart(&self, sender: Owner, receiver: Owner) -> bool {
        let Some(partition) = &self.partition else { return false };
        let (Some(sender), Some(receiver)) = (sender.host(), receiver.host()) else { return false };
        partition.get(&sender) != partition.get(&receiver)
    }
}

fn index(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}
