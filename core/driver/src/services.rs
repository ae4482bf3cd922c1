//! Any service of DNS-SD, as an application holds it: one that it publishes, and a search for those of others.

use crate::desk::NodeHandle;
use crate::handle::Node;
use crate::queue::{Coalesce, Matter, Queue, Word};
use crate::runtime::Runtime;
use crate::shared::Life;
use futures_core::Stream;
use handfast_core::error::{BrowseError, PublishError, ServiceError, UpdateError};
use handfast_core::{BrowseId, PublicationId, Service, ServiceInstance, ServiceKey, ServiceType, TxtRecord};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

impl<R: Runtime> Node<R> {
    /// Publishes a service beside this node, until what is returned is dropped: any of DNS-SD, on any port of
    /// this machine. The node does not listen there.
    ///
    /// Others see it after about 1 s: see [`Publication`].
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn publish(&self, service: Service) -> Result<Publication, PublishError> {
        Publication::begin(&self.handle, service)
    }

    /// Looks for services of a kind, or of a subtype, until what is returned is dropped. What is known to be
    /// there is told at once. Services that this node publishes are not found.
    ///
    /// ```no_run
    /// # use handfast_driver::{Node, Runtime, ServiceEvent};
    /// # async fn run<R: Runtime>(node: Node<R>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut printers = node.browse("_ipp._tcp".parse()?)?;
    /// while let Some(event) = printers.next().await {
    ///     if let ServiceEvent::Found(printer) = event {
    ///         println!("{} at {:?}", printer.name, printer.addresses);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`BrowseError`].
    pub fn browse(&self, kind: ServiceType) -> Result<Browser, BrowseError> {
        Browser::begin(&self.handle, kind)
    }
}

/// Why a TXT record was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetTxtError {
    /// It may not be published.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The service is no longer published: the node was stopped.
    #[error(transparent)]
    Update(#[from] UpdateError),
}

/// A service that is published. Dropping it says goodbye for it.
///
/// It is a handle of its node: while it lives, the node runs.
///
/// The name is probed for at first, so that nobody on the LAN sees the service before 0.75 s have passed.
/// [`Event::ServicePublished`](crate::Event::ServicePublished) tells, with this [`id`](Self::id), that it is
/// announced; [`Event::ServiceRenamed`](crate::Event::ServiceRenamed) that somebody else has its name, so that it
/// goes on as `Name (2)`, and [`Event::ServiceUnnamed`](crate::Event::ServiceUnnamed) that no name could be had
/// within a minute.
pub struct Publication {
    handle: NodeHandle,
    id: PublicationId,
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Publication {
    pub(crate) fn begin(handle: &NodeHandle, service: Service) -> Result<Self, PublishError> {
        let id = handle.with(|locked, now| match locked.life {
            Life::Running => locked.machine.services().publish(now, service),
            Life::Stopping | Life::Stopped => Err(PublishError::Stopped),
        })?;
        Ok(Self { handle: handle.clone(), id })
    }

    /// Which publication this is, as events name it.
    pub fn id(&self) -> PublicationId {
        self.id
    }

    /// What the service is called at present; `None` once the node was stopped.
    pub fn name(&self) -> Option<String> {
        self.handle.lock().machine.services().name(self.id).map(str::to_owned)
    }

    /// Announces another TXT record. More than ten changes a minute wait for their turn, and only the last of
    /// those is announced.
    ///
    /// # Errors
    /// [`SetTxtError`], and nothing changes.
    pub fn set_txt(&self, txt: TxtRecord) -> Result<(), SetTxtError> {
        self.change(|service| service.with_txt(txt))
    }

    /// Announces another port.
    ///
    /// # Errors
    /// [`UpdateError`], and nothing changes.
    pub fn set_port(&self, port: u16) -> Result<(), UpdateError> {
        match self.change(|service| Ok(service.with_port(port))) {
            Err(SetTxtError::Update(error)) => Err(error),
            Err(SetTxtError::Service(_)) | Ok(()) => Ok(()),
        }
    }

    fn change(&self, how: impl FnOnce(Service) -> Result<Service, ServiceError>) -> Result<(), SetTxtError> {
        self.handle.with(|locked, now| {
            let mut services = locked.machine.services();
            let service = services.published(self.id).cloned().ok_or(UpdateError::Gone)?;
            services.update(now, self.id, how(service)?)?;
            Ok(())
        })
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.handle.with(|locked, now| locked.machine.services().withdraw(now, self.id));
    }
}

/// What a [`Browser`] tells. All of it is hearsay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceEvent {
    /// A service was found that was not known to be there.
    Found(ServiceInstance),
    /// What is known of a service that was found changed: its address, its port, its TXT record.
    Updated(ServiceInstance),
    /// A service that was found is no longer there.
    Lost(ServiceKey),
}

impl Coalesce for ServiceEvent {
    fn word(&self) -> Word<'_> {
        match self {
            Self::Found(service) => Word::Found(Matter::of(None, service)),
            Self::Updated(service) => Word::Updated(Matter::of(None, service)),
            Self::Lost(key) => Word::Lost(Matter::named(None, key)),
        }
    }

    fn into_update(self) -> Self {
        if let Self::Found(service) = self { Self::Updated(service) } else { self }
    }

    fn into_find(self) -> Self {
        if let Self::Updated(service) = self { Self::Found(service) } else { self }
    }
}

/// A search for services of a kind, as a stream. Dropping it ends the search.
///
/// It is a handle of its node: while it lives, the node runs. The stream ends when the node is stopped. At most
/// [`MAX_QUEUED_EVENTS`](crate::MAX_QUEUED_EVENTS) events wait to be read; see [`Browser::lagged`].
pub struct Browser {
    handle: NodeHandle,
    id: BrowseId,
    queue: Arc<Queue<ServiceEvent>>,
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Browser {
    pub(crate) fn begin(handle: &NodeHandle, kind: ServiceType) -> Result<Self, BrowseError> {
        let (id, queue) = handle.with(|locked, now| {
            if locked.life != Life::Running {
                return Err(BrowseError::Stopped);
            }
            let id = locked.machine.services().browse(now, kind)?;
            Ok((id, locked.desk.browse(id)))
        })?;
        Ok(Self { handle: handle.clone(), id, queue })
    }

    /// Which search this is, as events name it.
    pub fn id(&self) -> BrowseId {
        self.id
    }

    /// What was found, changed or got lost next, or `None` once the node is stopped. Cancel safe.
    pub async fn next(&mut self) -> Option<ServiceEvent> {
        poll_fn(|cx| self.queue.poll_pop(cx)).await
    }

    /// How many events were dropped or replaced since this was last asked, because they were not read in time: see
    /// [`MAX_QUEUED_EVENTS`](crate::MAX_QUEUED_EVENTS). [`Browser::found`] has what is there in any case.
    pub fn lagged(&mut self) -> u64 {
        self.queue.take_lagged()
    }

    /// What is there at present, whether or not the stream was read that far. Empty once the node was stopped.
    pub fn found(&self) -> Vec<ServiceInstance> {
        self.handle.lock().machine.services().found(self.id)
    }

    /// Tells that a service did not answer where it should be: it is asked for, and lost unless it says within
    /// 10 s that it is there.
    pub fn reconfirm(&self, key: &ServiceKey) {
        self.handle.with(|locked, now| locked.machine.services().reconfirm(now, key));
    }
}

impl Stream for Browser {
    type Item = ServiceEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ServiceEvent>> {
        self.queue.poll_pop(cx)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.handle.with(|locked, now| {
            locked.desk.stop_browse(self.id);
            locked.machine.services().stop_browse(now, self.id);
        });
    }
}
