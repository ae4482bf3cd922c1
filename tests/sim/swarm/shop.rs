//! What one user's device offers, what it looks for, and what it was told of both. What the user wants is durable;
//! what his node knows of it is not.
//!
//! Never judges what is found: that takes somebody who knows what is there.

use super::offer::{Deed, Facts, Offer, kind};
use super::truth::Feats;
use crate::app::Context;
use handfast_core::error::PublishError;
use handfast_core::{
    BrowseId, Event, Metadata, Node, PublicationId, ServiceInstance, ServiceKey, ServiceType,
};
use std::collections::{BTreeMap, BTreeSet};

/// Something that is offered.
#[derive(Debug)]
pub(super) struct Stall {
    pub(super) offer: Offer,
    /// Whether anybody may take its name.
    contested: bool,
    /// While its node has it.
    pub(super) id: Option<PublicationId>,
    /// The name under which it is announced, as was told.
    pub(super) told: Option<String>,
}

/// Something that is looked for.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) kind: ServiceType,
    /// While its node has it.
    pub(super) id: Option<BrowseId>,
    /// What was found, by the events.
    pub(super) shown: BTreeMap<ServiceKey, ServiceInstance>,
}

/// What a device offers and looks for.
#[derive(Debug, Default)]
pub(super) struct Shop {
    pub(super) stalls: BTreeMap<usize, Stall>,
    pub(super) searches: BTreeMap<usize, Search>,
    /// What the device is called, where its user said so.
    pub(super) called: Option<String>,
    /// Searches of this life of the node that ended: what waited is still told.
    ended: BTreeSet<BrowseId>,
}

impl Shop {
    /// The node is gone, and with it what it was told.
    pub(super) fn crashed(&mut self) {
        for stall in self.stalls.values_mut() {
            (stall.id, stall.told) = (None, None);
        }
        for search in self.searches.values_mut() {
            search.id = None;
            search.shown.clear();
        }
        self.ended.clear();
    }

    /// The node says goodbye, and forgets what it offered and looked for. What waits is still told.
    pub(super) fn stopped(&mut self) {
        let ended: Vec<BrowseId> = self.searches.values().filter_map(|search| search.id).collect();
        self.crashed();
        self.ended.extend(ended);
    }

    /// A node begins: it is told what its user wants.
    pub(super) fn started(&mut self, cx: &mut Context<'_>) {
        for number in self.stalls.keys().copied().collect::<Vec<_>>() {
            self.put_up(cx, number);
        }
        for number in self.searches.keys().copied().collect::<Vec<_>>() {
            self.look(cx, number);
        }
        self.introduce(cx);
    }

    /// The user does something. `contested` says whether anybody else may want the name of what he publishes.
    pub(super) fn act(&mut self, cx: &mut Context<'_>, deed: &Deed, contested: bool) {
        match deed {
            Deed::Publish(number, offer) => {
                self.withdraw(cx, *number);
                let stall = Stall { offer: offer.clone(), contested, id: None, told: None };
                self.stalls.insert(*number, stall);
                self.put_up(cx, *number);
            }
            Deed::Change(number, facts) => self.change(cx, *number, *facts),
            Deed::Withdraw(number) => self.withdraw(cx, *number),
            Deed::Seek(number, text) => {
                self.rest(cx, *number);
                let search = Search { kind: kind(text), id: None, shown: BTreeMap::new() };
                self.searches.insert(*number, search);
                self.look(cx, *number);
            }
            Deed::Rest(number) => self.rest(cx, *number),
            Deed::Describe(text) => {
                self.called = Some(text.clone());
                self.introduce(cx);
            }
        }
    }

    fn put_up(&mut self, cx: &mut Context<'_>, number: usize) {
        let Some(stall) = self.stalls.get_mut(&number) else { return };
        match cx.node.services().publish(cx.now, stall.offer.service()) {
            Ok(id) => stall.id = Some(id),
            // Another one of the same device is called so.
            Err(PublishError::Known) => {
                self.stalls.remove(&number);
            }
            // It is published by the node's next life.
            Err(PublishError::Stopped) => {}
            Err(error) => panic!("a device publishes a few services: {error}"),
        }
    }

    fn change(&mut self, cx: &mut Context<'_>, number: usize, facts: Facts) {
        let Some(stall) = self.stalls.get_mut(&number) else { return };
        stall.offer.facts = facts;
        if let Some(id) = stall.id {
            let result = cx.node.services().update(cx.now, id, stall.offer.service());
            assert!(result.is_ok(), "what is published may change: {result:?}");
        }
    }

    fn withdraw(&mut self, cx: &mut Context<'_>, number: usize) {
        if let Some(id) = self.stalls.remove(&number).and_then(|stall| stall.id) {
            let was_there = cx.node.services().withdraw(cx.now, id);
            assert!(was_there, "what is published may be withdrawn: {id:?} was not there");
        }
    }

    fn look(&mut self, cx: &mut Context<'_>, number: usize) {
        if let Some(search) = self.searches.get_mut(&number) {
            // A node that is being shut down refuses; its next life does not.
            search.id = cx.node.services().browse(cx.now, search.kind.clone()).ok();
        }
    }

    fn rest(&mut self, cx: &mut Context<'_>, number: usize) {
        if let Some(id) = self.searches.remove(&number).and_then(|search| search.id) {
            let was_there = cx.node.services().stop_browse(cx.now, id);
            assert!(was_there, "what is looked for may be given up: {id:?} was not there");
            self.ended.insert(id);
        }
    }

    fn introduce(&mut self, cx: &mut Context<'_>) {
        if let Some(called) = &self.called {
            cx.node.set_metadata(cx.now, Metadata::named(called)).expect("a short name");
        }
    }

    /// The node says something of what is offered, or found. Panics where it contradicts itself.
    pub(super) fn event(&mut self, event: &Event, feats: &mut Feats) {
        match event {
            Event::ServicePublished(id, name) => {
                feats.published += 1;
                if let Some(stall) = self.stall(*id) {
                    stall.told = Some(name.clone());
                }
            }
            Event::ServiceRenamed(id, name) => {
                feats.renamed += 1;
                if let Some(stall) = self.stall(*id) {
                    stall.told = None;
                    let contested = stall.contested;
                    assert!(
                        contested,
                        "a name that nobody contests is kept: {} became {name}",
                        stall.offer.name
                    );
                }
            }
            Event::ServiceFound(id, instance) => {
                feats.found += 1;
                let Some(search) = self.search(*id) else { return };
                assert!(search.kind == instance.kind, "a search shows what it is for: {instance:?}");
                let before = search.shown.insert(instance.key(), instance.clone());
                assert!(before.is_none(), "a service is found once: {instance:?}");
            }
            Event::ServiceUpdated(id, instance) => {
                let Some(search) = self.search(*id) else { return };
                let before = search.shown.insert(instance.key(), instance.clone());
                let differs = before.is_some_and(|before| before != *instance);
                assert!(differs, "what changes was found, and differs: {instance:?}");
            }
            Event::ServiceLost(id, key) => {
                let Some(search) = self.search(*id) else { return };
                let before = search.shown.remove(key);
                assert!(before.is_some(), "what is lost was found: {key:?}");
            }
            _ => {}
        }
    }

    /// Checks that the node has what its events told.
    pub(super) fn check(&self, node: &mut Node) {
        for search in self.searches.values() {
            let Some(id) = search.id else { continue };
            let found = node.services().found(id);
            let same = found.iter().eq(search.shown.values());
            assert!(same, "events tell what is there: {found:?}, and not {:?}", search.shown);
        }
        for stall in self.stalls.values() {
            let (Some(id), Some(told)) = (stall.id, &stall.told) else { continue };
            let name = node.services().name(id).map(str::to_owned);
            assert!(name.as_ref() == Some(told), "events tell what it is called: {told}, and not {name:?}");
        }
    }

    fn stall(&mut self, id: PublicationId) -> Option<&mut Stall> {
        self.stalls.values_mut().find(|stall| stall.id == Some(id))
    }

    fn search(&mut self, id: BrowseId) -> Option<&mut Search> {
        assert!(
            self.ended.contains(&id) || self.searches.values().any(|search| search.id == Some(id)),
            "only who looks is told: {id:?} was never begun"
        );
        self.searches.values_mut().find(|search| search.id == Some(id))
    }
}
