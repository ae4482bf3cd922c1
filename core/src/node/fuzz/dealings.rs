//! An application that publishes and finds services as a script says, and holds its node to what it was told.

use crate::event::Event;
use crate::io::Now;
use crate::node::Node;
use crate::script::Script;
use crate::service::{BrowseId, PublicationId, Service, ServiceInstance, ServiceKey, ServiceType, TxtRecord};
use std::collections::BTreeMap;

/// Kinds that both nodes publish and look for: a kind and a subtype of it, one beside it, that of their peers,
/// and one that may not be published.
const KINDS: [&str; 5] =
    ["_print._tcp", "_color._sub._print._tcp", "_page._tcp", "_fuzz._udp", "_old_kind._tcp"];

/// Names of services: of which both nodes use some.
const NAMES: [&str; 4] = ["one", "Two", "two.\\", "\u{2603}"];

/// What is published and looked for.
#[derive(Default)]
pub(super) struct Dealings {
    publications: Vec<PublicationId>,
    /// What each search shows, by its events.
    shown: BTreeMap<BrowseId, BTreeMap<ServiceKey, ServiceInstance>>,
    /// Whether any search showed anything.
    pub(super) found: bool,
}

impl Dealings {
    /// One verb of the application. What a verb refuses is as good as what it does.
    pub(super) fn step(&mut self, node: &mut Node, now: Now, script: &mut Script<'_>) {
        let (verb, which) = (script.octet() % 6, usize::from(script.octet()));
        let kind: ServiceType = KINDS[which % KINDS.len()].parse().expect("it is a kind");
        let publication = which.checked_rem(self.publications.len()).map(|at| self.publications[at]);
        let search = which.checked_rem(self.shown.len()).and_then(|at| self.shown.keys().nth(at)).copied();
        match verb {
            0 => {
                let Ok(service) = Service::new(kind, script.pick(&NAMES), script.word()) else { return };
                let service = changed(service, script);
                if let Ok(id) = node.services().publish(now, service) {
                    self.publications.push(id);
                }
            }
            1 => {
                let Some(id) = publication else { return };
                let service = node.services().published(id).cloned().expect("it was not withdrawn");
                assert!(node.services().name(id).is_some(), "what is published has a name");
                let service = changed(service, script);
                node.services().update(now, id, service).expect("what is published may change");
            }
            2 => {
                let Some(id) = publication else { return };
                assert!(node.services().withdraw(now, id), "what is published can be withdrawn");
                self.publications.retain(|other| *other != id);
            }
            3 => {
                if let Ok(id) = node.services().browse(now, kind) {
                    self.shown.insert(id, BTreeMap::new());
                }
            }
            4 => {
                let Some(id) = search else { return };
                assert!(node.services().stop_browse(now, id), "a search that goes on can end");
                self.shown.remove(&id);
            }
            _ => {
                let name = script.pick(&NAMES).to_owned();
                node.services()
                    .reconfirm(now, &ServiceKey { kind, name, interface: super::driven::INTERFACE });
            }
        }
    }

    /// Its node ends all of it.
    pub(super) fn forget(&mut self) {
        self.publications.clear();
        self.shown.clear();
    }

    pub(super) fn hear(&mut self, event: Event) {
        match event {
            Event::ServiceFound(id, instance) => {
                let Some(shown) = self.shown.get_mut(&id) else { return };
                assert!(shown.insert(instance.key(), instance).is_none(), "a service is found twice");
                self.found = true;
            }
            Event::ServiceUpdated(id, instance) => {
                let Some(shown) = self.shown.get_mut(&id) else { return };
                let old = shown.insert(instance.key(), instance.clone());
                assert!(old.is_some_and(|old| old != instance), "an update of nothing");
            }
            Event::ServiceLost(id, key) => {
                let Some(shown) = self.shown.get_mut(&id) else { return };
                assert!(shown.remove(&key).is_some(), "a service is lost that was not found");
            }
            // The others are heard elsewhere.
            _ => {}
        }
    }

    /// The node waits: what was told is what is there.
    pub(super) fn check(&self, node: &mut Node) {
        for (id, shown) in &self.shown {
            let found = node.services().found(*id);
            assert!(found.iter().eq(shown.values()), "what was told is not what is there");
        }
    }
}

fn changed(service: Service, script: &mut Script<'_>) -> Service {
    let value = vec![script.octet(); usize::from(script.octet())];
    let service = service.with_port(script.word());
    let txt = TxtRecord::new().with("v", value).and_then(|txt| txt.with_flag("flag"));
    let said = txt.map(|txt| service.clone().with_txt(txt).expect("it is short"));
    said.unwrap_or(service)
}

#[cfg(test)]
mod tests {
    use super::super::calls::calls;
    use crate::testing::base;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// A verb of services, time that passes, datagrams that are lost or damaged, interfaces and sockets that come
    /// and go, a wake, or a restart.
    fn a_step() -> impl Strategy<Value = Vec<u8>> {
        let services = (any::<bool>(), 0..6_u8, vec(any::<u8>(), 7)).prop_map(|(other, verb, rest)| {
            [vec![0x17 | u8::from(other) << 7, 0, 0x80, verb], rest].concat()
        });
        let world = prop::sample::select(vec![1_u8, 1, 1, 1, 2, 4, 5, 8, 9, 9, 10, 11, 15]);
        let world = (any::<bool>(), world, vec(0..8_u8, 3));
        let world = world.prop_map(|(other, step, rest)| [vec![step | u8::from(other) << 7], rest].concat());
        prop_oneof![services, world]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn whatever_happens_a_search_is_told_what_is_there(form in 0..32_u8, steps in vec(a_step(), 0..60)) {
            calls(base(), &[vec![form & !4], steps.concat()].concat());
        }
    }
}
