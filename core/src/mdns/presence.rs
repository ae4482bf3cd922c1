//! Which instances are there, an interface: what the links of both families see of them, as one.
//!
//! Reports differences alone, and only when asked for one, so that whatever flaps in between costs nothing.

use super::name::{Label, Name};
use super::{Event, Instance, Kind};
use crate::id::SocketId;
use crate::table::Table;
use crate::wire::txt::Txt;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// The table that bounds what is reported.
pub(crate) const INSTANCES_SEEN: &str = "mdns: instances seen";

/// One for each IP version.
const LINKS_AN_INTERFACE: usize = 2;

/// What one link knows of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// Nobody says that it exists.
    Gone,
    /// It exists, yet where it is was not said, or is no longer believed.
    Partial,
    Whole(View),
}

/// Where one link sees an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// Who first said so.
    pub(super) source: IpAddr,
    pub(super) host: Name,
    pub(super) port: u16,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) txt: Option<Txt>,
}

#[derive(Debug)]
struct Sighting {
    /// The one that changed last comes last.
    views: Vec<(SocketId, View)>,
    reported: Option<Instance>,
    /// To be reported as if it was not, unless it is gone by then.
    again: bool,
}

/// An interface's index, and an instance by what it was found as: one that is of a type and of a subtype of it
/// is there twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    interface: u32,
    kind: Kind,
    instance: Label,
}

/// All instances. Bounded by the caches, which hold a record for each that is there; of those that are not,
/// only what was reported waits to be taken back.
#[derive(Debug, Default)]
pub(super) struct Presence {
    sightings: BTreeMap<Key, Sighting>,
    changed: BTreeSet<Key>,
}

impl Presence {
    pub(super) fn update(
        &mut self,
        interface: u32,
        socket: SocketId,
        (kind, instance): (&Kind, &Label),
        sight: Sight,
    ) {
        let view = match sight {
            Sight::Partial => return,
            Sight::Gone => None,
            Sight::Whole(view) => Some(view),
        };
        let key = Key { interface, kind: kind.clone(), instance: instance.clone() };
        if view.is_none() && !self.sightings.contains_key(&key) {
            return;
        }
        // Whatever case it is said in, it is told as it was first.
        let key = self.sightings.get_key_value(&key).map_or(key, |(known, _)| known.clone());
        let none = || Sighting { views: Vec::new(), reported: None, again: false };
        let sighting = self.sightings.entry(key.clone()).or_insert_with(none);
        let old = sighting.views.iter().position(|(at, _)| *at == socket);
        let old = old.map(|at| sighting.views.remove(at).1);
        if let Some(mut view) = view {
            view.txt = view.txt.or(old.and_then(|old| old.txt));
            sighting.views.push((socket, view));
        }
        if sighting.is_moot() {
            self.sightings.remove(&key);
            self.changed.remove(&key);
        } else {
            self.changed.insert(key);
        }
    }

    /// Forgets what one link saw.
    pub(super) fn remove_link(&mut self, socket: SocketId) {
        for (key, sighting) in &mut self.sightings {
            let before = sighting.views.len();
            sighting.views.retain(|(at, _)| *at != socket);
            if sighting.views.len() != before {
                self.changed.insert(key.clone());
            }
        }
        self.sightings.retain(|_, sighting| !sighting.is_moot());
        self.drop_stale();
    }

    /// Forgets the instances of a kind, without a word.
    pub(super) fn forget(&mut self, kind: &Kind) {
        self.sightings.retain(|key, _| key.kind != *kind);
        self.drop_stale();
    }

    /// Forgets one instance, without a word.
    pub(super) fn forget_instance(&mut self, kind: &Kind, instance: &Label) {
        self.sightings.retain(|key, _| (&key.kind, &key.instance) != (kind, instance));
        self.drop_stale();
    }

    /// Reports every instance of a kind that is there again.
    pub(super) fn report_again(&mut self, kind: &Kind) {
        for (key, sighting) in self.sightings.iter_mut().filter(|(key, _)| key.kind == *kind) {
            if !sighting.views.is_empty() {
                sighting.again = true;
                self.changed.insert(key.clone());
            }
        }
    }

    /// How many instances are there, of those that were told.
    pub(super) fn len(&self) -> usize {
        self.sightings.values().filter(|sighting| sighting.reported.is_some()).count()
    }

    /// The next difference to what was reported.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        while let Some(key) = self.changed.pop_first() {
            let Some(sighting) = self.sightings.get_mut(&key) else {
                continue;
            };
            let Some(instance) = sighting.merged(&key) else {
                let gone = self.sightings.remove(&key)?;
                if gone.reported.is_none() {
                    continue;
                }
                let Key { interface, kind, instance } = key;
                return Some(Event::Lost { interface, kind, instance });
            };
            if std::mem::take(&mut sighting.again) {
                sighting.reported = None;
            }
            if sighting.reported.as_ref() == Some(&instance) {
                continue;
            }
            return Some(match sighting.reported.replace(instance.clone()) {
                Some(_) => Event::Updated(instance),
                None => Event::Found(instance),
            });
        }
        None
    }

    /// How full its tables are, where all caches together hold at most `cached` records.
    pub(super) fn tables(&self, cached: usize) -> [Table; 3] {
        let views = self.sightings.values().map(|sighting| sighting.views.len());
        [
            // Those that are there, and those that were reported and are not.
            Table::new(INSTANCES_SEEN, self.sightings.len(), cached.saturating_mul(2)),
            Table::new("mdns: instances that changed", self.changed.len(), cached.saturating_mul(2)),
            Table::fullest("mdns: links that see an instance", views, LINKS_AN_INTERFACE),
        ]
    }

    fn drop_stale(&mut self) {
        let sightings = &self.sightings;
        self.changed.retain(|key| sightings.contains_key(key));
    }
}

impl Sighting {
    /// Whether it came and went with nobody told.
    fn is_moot(&self) -> bool {
        self.views.is_empty() && self.reported.is_none()
    }

    fn merged(&self, key: &Key) -> Option<Instance> {
        let interface = key.interface;
        let (_, newest) = self.views.last()?;
        let all = self.views.iter().flat_map(|(_, view)| &view.addresses);
        let addresses: BTreeSet<SocketAddr> = all.map(|ip| reachable(*ip, newest.port, interface)).collect();
        Some(Instance {
            interface,
            source: newest.source,
            kind: key.kind.clone(),
            name: key.instance.clone(),
            host: newest.host.clone(),
            port: newest.port,
            addresses: addresses.into_iter().collect(),
            txt: self.views.iter().rev().find_map(|(_, view)| view.txt.clone()).unwrap_or_default(),
        })
    }
}

/// A link-local address of IPv6 means nothing without its interface. RFC 4007 §6.
fn reachable(ip: IpAddr, port: u16, interface: u32) -> SocketAddr {
    match ip {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => SocketAddrV6::new(v6, port, 0, interface).into(),
        IpAddr::V4(_) | IpAddr::V6(_) => SocketAddr::new(ip, port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ServiceName;
    use crate::mdns::ServiceType;

    #[test]
    fn an_instance_that_is_said_in_another_case_is_told_as_before_until_it_is_lost() {
        let (mut presence, socket) = (Presence::default(), SocketId(1));
        let kind = Kind::from(ServiceType::udp(&ServiceName::new("test").unwrap()));
        let host = Name::from_labels([&b"host"[..], b"local"]).unwrap();
        let ip: IpAddr = [10, 0, 0, 1].into();
        let view = |port| View { source: ip, host: host.clone(), port, addresses: vec![ip], txt: None };
        let mut seen = |name: &str, sight| {
            presence.update(1, socket, (&kind, &Label::new(name).unwrap()), sight);
            let told = presence.poll_event().unwrap();
            match &told {
                Event::Found(Instance { name, .. }) | Event::Updated(Instance { name, .. }) => {
                    name.to_string()
                }
                Event::Lost { instance, .. } => format!("lost {instance}"),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(seen("one", Sight::Whole(view(1))), "one");
        assert_eq!(seen("ONE", Sight::Whole(view(2))), "one");
        assert_eq!(seen("One", Sight::Gone), "lost one");
    }

    #[test]
    fn an_instance_that_goes_before_it_is_told_of_again_is_lost_all_the_same() {
        let (mut presence, socket) = (Presence::default(), SocketId(1));
        let kind = Kind::from(ServiceType::udp(&ServiceName::new("test").unwrap()));
        let name = Label::new("one").unwrap();
        let host = Name::from_labels([&b"host"[..], b"local"]).unwrap();
        let ip = [10, 0, 0, 1].into();
        let view = View { source: ip, host, port: 1, addresses: vec![ip], txt: None };
        presence.update(1, socket, (&kind, &name), Sight::Whole(view));
        assert!(matches!(presence.poll_event(), Some(Event::Found(_))));
        presence.report_again(&kind);
        presence.remove_link(socket);
        assert!(matches!(presence.poll_event(), Some(Event::Lost { .. })));
    }
}
