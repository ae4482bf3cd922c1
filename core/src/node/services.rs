//! Any service of DNS-SD: what the application publishes beside the node, and what it looks for beside its
//! peers. Between the application's words and those of `mdns`.
//!
//! Never listens on a port of a service: that is the application's.

mod searches;

pub(super) use searches::MAX_BROWSES;

use super::{Node, advertise};
use crate::error::{BrowseError, PublishError, UpdateError};
use crate::event::Event;
use crate::io::{Now, Output};
use crate::mdns::{self, Instance, Kind, Label, MAX_SERVICES, Naming, ServiceId};
use crate::service::{
    BrowseId, PublicationId, Service, ServiceInstance, ServiceKey, ServiceType, TxtRecord, TxtValue,
};
use crate::table::Table;
use crate::wire::txt::{Txt, Value};
use searches::Searches;
use std::collections::BTreeMap;
use std::time::Instant;

/// Services that an application may publish: the engine takes the node itself as well.
pub(super) const MAX_PUBLICATIONS: usize = MAX_SERVICES - 1;

/// What is published, and what is looked for.
#[derive(Default)]
pub(super) struct Services {
    published: BTreeMap<PublicationId, Publication>,
    searches: Searches,
    /// Publications and searches since the start. The node itself is the service 0.
    begun: u64,
}

struct Publication {
    service: Service,
    /// What it is called, which is not what it wants to be called where somebody else is.
    name: String,
}

/// The verbs of DNS-SD, borrowed from a node.
pub struct ServicesMut<'a> {
    pub(super) node: &'a mut Node,
}

impl ServicesMut<'_> {
    /// Publishes a service on every link until it is withdrawn. That nobody else has its name is found out
    /// first, which takes 0.75 to 1 s: then [`Event::ServicePublished`] tells its name. At most 31, since the node
    /// itself is one of 32.
    ///
    /// ```
    /// use handfast_core::{Node, Now, Service, TxtRecord};
    ///
    /// # fn run(node: &mut Node, now: Now) -> Result<(), Box<dyn std::error::Error>> {
    /// let page = Service::new("_http._tcp".parse()?, "Ben's page", 8080)?;
    /// let id = node.services().publish(now, page.clone())?;
    /// let with_path = page.with_txt(TxtRecord::new().with("path", "/index")?)?;
    /// node.services().update(now, id, with_path)?;
    /// node.services().withdraw(now, id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`PublishError`], and nothing is published.
    pub fn publish(&mut self, now: Now, service: Service) -> Result<PublicationId, PublishError> {
        let now = self.node.clamp(now).mono;
        if self.node.shutting_down {
            return Err(PublishError::Stopped);
        }
        if self.node.publishes(&service) {
            return Err(PublishError::Known);
        }
        if self.node.services.published.len() >= MAX_PUBLICATIONS {
            return Err(PublishError::Full);
        }
        let id = PublicationId(self.node.services.next_id());
        self.node.publish(now, ServiceId(id.0), self.node.engine_service(&service));
        let name = service.name().to_owned();
        self.node.services.published.insert(id, Publication { service, name });
        Ok(id)
    }

    /// Announces what changed of a service: its port, its subtypes, its TXT record. It keeps its kind, and the
    /// name that it wanted and the one that it got. More than ten changes a minute wait. RFC 6762 §8.4.
    ///
    /// # Errors
    /// [`UpdateError`], and nothing changes.
    pub fn update(&mut self, now: Now, id: PublicationId, service: Service) -> Result<(), UpdateError> {
        let now = self.node.clamp(now).mono;
        let Some(known) = self.node.services.published.get_mut(&id) else {
            return Err(UpdateError::Gone);
        };
        if (known.service.kind(), known.service.name()) != (service.kind(), service.name()) {
            return Err(UpdateError::Other);
        }
        known.service = service.clone();
        self.node.publish(now, ServiceId(id.0), self.node.engine_service(&service));
        Ok(())
    }

    /// Says goodbye for a service. `false` where it is not published.
    pub fn withdraw(&mut self, now: Now, id: PublicationId) -> bool {
        let now = self.node.clamp(now).mono;
        let known = self.node.services.published.remove(&id).is_some();
        if known {
            self.node.mdns.withdraw(now, ServiceId(id.0));
        }
        known
    }

    /// A service that is published, as it was described last.
    pub fn published(&self, id: PublicationId) -> Option<&Service> {
        self.node.services.published.get(&id).map(|known| &known.service)
    }

    /// What a service is called at present: `Name (2)` where somebody else is called as it wanted to be.
    pub fn name(&self, id: PublicationId) -> Option<&str> {
        self.node.services.published.get(&id).map(|known| known.name.as_str())
    }

    /// Looks for services of a kind, or of a subtype, until told otherwise: [`Event::ServiceFound`],
    /// [`Event::ServiceUpdated`] and [`Event::ServiceLost`] tell, each with the id of this search. Services that
    /// this node publishes are not among them.
    ///
    /// The LAN is asked once for all searches of a kind; one that begins later is told at once what is there.
    /// At most 64 searches, for at most 63 kinds.
    ///
    /// # Errors
    /// [`BrowseError`], and nothing is looked for.
    pub fn browse(&mut self, now: Now, kind: ServiceType) -> Result<BrowseId, BrowseError> {
        let now = self.node.clamp(now).mono;
        if self.node.shutting_down {
            return Err(BrowseError::Stopped);
        }
        let services = &mut self.node.services;
        if services.searches.len() >= MAX_BROWSES {
            return Err(BrowseError::Full);
        }
        let wanted = match services.searches.wanted(&kind) {
            Some(wanted) => wanted.clone(),
            None => {
                let wanted = engine_kind(&kind);
                // Where it is browsed for peers, what is there is told anew.
                self.node.mdns.browse(now, wanted.clone()).map_err(|_| BrowseError::Full)?;
                wanted
            }
        };
        let id = BrowseId(services.next_id());
        services.searches.insert(id, kind, wanted);
        Ok(id)
    }

    /// Ends a search. Events of it that wait are still told. `false` where it had ended.
    pub fn stop_browse(&mut self, now: Now, id: BrowseId) -> bool {
        let now = self.node.clamp(now).mono;
        let known = self.node.services.searches.contains(id);
        if let Some(wanted) = self.node.services.searches.remove(id) {
            self.node.unwant(now, &wanted);
        }
        known
    }

    /// What is there of what a search is for, as the events tell it.
    pub fn found(&self, id: BrowseId) -> Vec<ServiceInstance> {
        self.node.services.searches.found(id).cloned().collect()
    }

    /// A service did not answer where it should be: it is asked for, and lost unless it says within 10 s that it
    /// is still there. Heeded while a search for its kind goes on. RFC 6762 §10.4.
    pub fn reconfirm(&mut self, now: Now, key: &ServiceKey) {
        let now = self.node.clamp(now).mono;
        if let Some(wanted) = self.node.services.searches.wanted(&key.kind)
            && let Ok(instance) = Label::new(&key.name)
        {
            self.node.mdns.reconfirm(now, wanted.base(), &instance);
        }
    }
}

impl Services {
    fn next_id(&mut self) -> u64 {
        self.begun += 1;
        self.begun
    }

    /// What a search that began late is to be told, one thing at a time.
    pub(super) fn catch_up(&mut self) -> Option<Event> {
        self.searches.catch_up()
    }

    /// How full its tables are, where the engine reports at most `reported` services.
    pub(super) fn tables(&self, reported: usize) -> Vec<Table> {
        let published = Table::new("node: services published", self.published.len(), MAX_PUBLICATIONS);
        self.searches.tables(reported).into_iter().chain([published]).collect()
    }
}

impl Node {
    /// Whether that name is taken, by another service of the application or by the node itself.
    fn publishes(&self, service: &Service) -> bool {
        let named = |name: &str| name.eq_ignore_ascii_case(service.name());
        let same = |known: &Publication| {
            known.service.kind() == service.kind() && (named(&known.name) || named(known.service.name()))
        };
        let own = *service.kind() == ServiceType::from(&self.config.service) && named(&self.id().to_string());
        own || self.services.published.values().any(same)
    }

    /// What the application publishes.
    pub(super) fn published_services(&self) -> Vec<(ServiceId, mdns::Service)> {
        let published = self.services.published.iter();
        published.map(|(id, known)| (ServiceId(id.0), self.engine_service(&known.service))).collect()
    }

    fn engine_service(&self, service: &Service) -> mdns::Service {
        let label = |text: &str| Label::new(text).expect("it was checked when it was made");
        mdns::Service {
            kind: engine_kind(service.kind()).base().clone(),
            subtypes: service.subtypes().iter().map(|subtype| label(subtype)).collect(),
            instance: label(service.name()),
            naming: Naming::Chosen,
            host: advertise::host(self),
            port: service.port(),
            txt: engine_txt(service.txt()),
        }
    }

    /// No search is for that any longer; peers may yet be.
    fn unwant(&mut self, now: Instant, wanted: &Kind) {
        if *wanted != advertise::kind(&self.config) {
            self.mdns.stop_browse(now, wanted);
        }
    }

    /// Forgets everything: the engine says goodbye by itself.
    pub(super) fn end_services(&mut self, now: Instant) {
        self.services.published.clear();
        for wanted in self.services.searches.clear() {
            self.unwant(now, &wanted);
        }
    }

    /// A service was seen: whoever looks for it is told.
    pub(super) fn service_seen(&mut self, instance: &Instance) {
        let Some(kind) = self.services.searches.kind_of(&instance.kind) else { return };
        // A name that is no text cannot be told, and is against RFC 6763 §4.1.1.
        let Some(name) = instance.name.as_str() else { return };
        let seen = ServiceInstance {
            interface: instance.interface,
            kind: kind.clone(),
            name: name.to_owned(),
            host: instance.host.to_string().trim_end_matches('.').to_owned(),
            port: instance.port,
            addresses: instance.addresses.clone(),
            txt: txt_record(&instance.txt),
        };
        let out = &mut self.out;
        self.services.searches.handle_seen(seen, |event| out.push_back(Output::Event(event)));
    }

    /// A service is gone: whoever looks for it is told.
    pub(super) fn service_lost(&mut self, interface: u32, kind: &Kind, name: &Label) {
        let Some(kind) = self.services.searches.kind_of(kind) else { return };
        let Some(name) = name.as_str() else { return };
        let key = ServiceKey { kind: kind.clone(), name: name.to_owned(), interface };
        let out = &mut self.out;
        self.services.searches.handle_lost(&key, |event| out.push_back(Output::Event(event)));
    }

    /// The engine has something to say of a name of ours.
    pub(super) fn service_named(
        &mut self,
        service: ServiceId,
        name: &Label,
        event: fn(PublicationId, String) -> Event,
    ) {
        let id = PublicationId(service.0);
        // The node's own name follows from its key, and says nothing to the application.
        let Some(known) = self.services.published.get_mut(&id) else { return };
        known.name = String::from_utf8_lossy(name.as_octets()).into_owned();
        let event = event(id, known.name.clone());
        self.tell(event);
    }

    /// No name could be had for a service.
    pub(super) fn service_unnamed(&mut self, service: ServiceId) {
        let id = PublicationId(service.0);
        if self.services.published.contains_key(&id) {
            self.tell(Event::ServiceUnnamed(id));
        }
    }
}

fn engine_kind(kind: &ServiceType) -> Kind {
    let label = |text: &str| Label::new(text).expect("it was checked when it was made");
    let base = mdns::ServiceType::new(&label(&format!("_{}", kind.name())), &label(kind.protocol().label()));
    match kind.subtype() {
        Some(subtype) => Kind::subtype(&base, &label(subtype)),
        None => base.into(),
    }
}

fn engine_txt(txt: &TxtRecord) -> Txt {
    let pairs = txt.iter().map(|(key, value)| match value {
        TxtValue::Present => (key, Value::Present),
        TxtValue::Bytes(bytes) => (key, Value::Octets(bytes)),
    });
    Txt::encode(pairs).expect("it was checked when it was made")
}

fn txt_record(txt: &Txt) -> TxtRecord {
    TxtRecord::heard(txt.pairs().map(|(key, value)| match value {
        Value::Present => (key, TxtValue::Present),
        Value::Octets(octets) => (key, TxtValue::Bytes(octets)),
    }))
}
