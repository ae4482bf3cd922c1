//! What nodes and strangers of a world put on the wire, and who sees it or cuts it off on its way there.

use super::{Place, World};
use crate::app::App;
use crate::fabric::{Host, Outgoing};
use crate::fault::Fault;
use crate::stranger::Misdeed;
use std::net::SocketAddr;
use std::time::Duration;

/// One datagram that a node sent.
pub struct Seen<'a> {
    /// How long after the beginning of the world.
    pub at: Duration,
    /// Whose node.
    pub host: Host,
    /// How often the host's node began.
    pub boots: u64,
    /// How often the host's node, or its interfaces, began anew.
    pub changes: u64,
    /// The interface that its socket is bound to, if it is to one.
    pub interface: Option<u32>,
    /// From where.
    pub source: SocketAddr,
    /// To where.
    pub destination: SocketAddr,
    /// Its bytes.
    pub bytes: &'a [u8],
}

pub(super) type Watch = Box<dyn FnMut(&Seen<'_>)>;
pub(super) type Cut = Box<dyn FnMut(Host, &Outgoing) -> bool>;

impl<A: App> World<A> {
    /// Lets somebody see every datagram that a node sends.
    pub fn watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// Loses every datagram of a node that `cut` picks, before anything else happens to it: for a cut at exactly
    /// the n-th datagram, or one that tells datagrams apart. Those that follow chances are a
    /// [`Link`](crate::fabric::Link)'s.
    ///
    /// What is lost counts as [`Fault::Lost`]. It is in no trace, and neither a watcher nor the fabric sees it.
    /// A new filter takes the place of the old one.
    ///
    /// ```
    /// use handfast_core::{Config, Identity, ServiceName};
    /// use handfast_tests::world::World;
    /// use std::time::Duration;
    ///
    /// let mut world = World::seeded(1);
    /// let config = Config::new(ServiceName::new("chat").unwrap());
    /// let host = world.add(config, &Identity::from_entropy([1; 32]), vec![]);
    /// let sent = |world: &World| -> u64 { world.fabric.all_sent().map(|(.., sent)| sent.datagrams).sum() };
    /// let before = sent(&world);
    /// let mut left = 3;
    /// world.lose(move |from, _| {
    ///     let is_cut = from == host && left == 0;
    ///     left -= u32::from(left > 0);
    ///     is_cut
    /// });
    /// world.run_for(Duration::from_secs(60));
    /// assert_eq!(sent(&world), before + 3);
    /// ```
    pub fn lose(&mut self, cut: impl FnMut(Host, &Outgoing) -> bool + 'static) {
        self.cut = Some(Box::new(cut));
    }

    /// Ends [`World::lose`].
    pub fn lose_nothing(&mut self) {
        self.cut = None;
    }

    /// Sends what a node wants sent.
    pub(super) fn send(&mut self, host: Host, out: Outgoing) {
        if self.cut.as_mut().is_some_and(|cut| cut(host, &out)) {
            self.tally.fired(Fault::Lost);
            return;
        }
        let (now, at, to) = (self.now, self.elapsed(), out.destination);
        let (interface, payload) = (out.interface, out.payload.clone());
        let copy = self.taps.then(|| out.clone());
        let Ok(source) = self.fabric.send(now, host, out) else { return };
        self.trace.sent(at, (host, self.places[host.0].name()), [source, to], &payload);
        let (boots, changes) = (self[host].boots, self[host].changes);
        if let Some(watch) = &mut self.watch {
            watch(&Seen { at, host, boots, changes, interface, source, destination: to, bytes: &payload });
        }
        let Some(mut copy) = copy else { return };
        copy.source_ip = Some(source.ip());
        let mut retorts = Vec::new();
        for (number, place) in self.places.iter_mut().enumerate() {
            if let Place::Stranger(stranger) = place
                && stranger.taps()
            {
                let at_once = stranger.overheard(now, host, &copy);
                retorts.extend(at_once.into_iter().map(|misdeed| (Host(number), misdeed)));
            }
        }
        for (stranger, misdeed) in retorts {
            self.misbehave(stranger, misdeed);
        }
    }

    /// Lets a stranger send something, whether it is his turn or not. It counts as the fault that it names.
    ///
    /// # Panics
    /// Where the host is no stranger.
    pub fn misbehave(&mut self, host: Host, misdeed: Misdeed) {
        assert!(matches!(self.places[host.0], Place::Stranger(_)), "only strangers misbehave");
        self.tally.fired(misdeed.fault);
        let (now, at, to) = (self.now, self.elapsed(), misdeed.out.destination);
        let payload = misdeed.out.payload.clone();
        let sent = match misdeed.as_if_from {
            Some(source) => self.fabric.forge(now, host, source, misdeed.out),
            None => self.fabric.send(now, host, misdeed.out),
        };
        if let Ok(source) = sent {
            self.trace.sent(at, (host, self.places[host.0].name()), [source, to], &payload);
        }
    }
}
