//! The searches for services: what each is told goes to a queue of its own.

use super::Desk;
use crate::events::MAX_QUEUED_EVENTS;
use crate::queue::Queue;
use crate::services::ServiceEvent;
use handfast_core::{BrowseId, Event};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

/// The queues of the searches that go on.
#[derive(Default)]
pub(super) struct Browsers(BTreeMap<BrowseId, Arc<Queue<ServiceEvent>>>);

impl Desk {
    /// The queue of a search that has begun, until [`Desk::stop_browse`].
    pub(crate) fn browse(&mut self, id: BrowseId) -> Arc<Queue<ServiceEvent>> {
        let queue = Arc::new(Queue::default());
        self.browsers.0.insert(id, Arc::clone(&queue));
        queue
    }

    /// Nobody reads that queue any longer.
    pub(crate) fn stop_browse(&mut self, id: BrowseId) {
        self.browsers.0.remove(&id);
    }
}

impl Browsers {
    /// Queues an event for the search that it is about.
    pub(super) fn tell(&self, event: &Event, wakers: &mut Vec<Waker>) {
        let (id, event) = match event {
            Event::ServiceFound(id, instance) => (id, ServiceEvent::Found(instance.clone())),
            Event::ServiceUpdated(id, instance) => (id, ServiceEvent::Updated(instance.clone())),
            Event::ServiceLost(id, key) => (id, ServiceEvent::Lost(key.clone())),
            // The other events are about no search.
            _ => return,
        };
        if let Some(queue) = self.0.get(id) {
            wakers.extend(queue.push_bounded(event, MAX_QUEUED_EVENTS));
        }
    }

    /// Nothing more is found.
    pub(super) fn stopped(&mut self, wakers: &mut Vec<Waker>) {
        for queue in std::mem::take(&mut self.0).into_values() {
            wakers.extend(queue.close());
        }
    }
}
