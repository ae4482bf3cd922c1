//! `handfast discover`: the devices on the network as they come and go.

use super::prompt::Desk;
use crate::exit::Failure;
use crate::hub::Session;
use crate::node::found;
use crate::output::{Event as Line, Found, Output};
use handfast_core::{DiscoveredPeer, Event, PeerId};
use std::collections::BTreeMap;

/// Runs until it is dropped.
pub(crate) async fn run(session: &mut Session, output: &Output) -> Result<(), Failure> {
    session.receive_nothing();
    session.ask_for_all();
    session.tell_listening(output);
    let mut desk = Desk::new(session.asking, output);
    let mut events = session.events();
    let mut seen = Seen { output, peers: BTreeMap::new() };
    for peer in session.discovered() {
        seen.found(session, &peer);
    }
    loop {
        tokio::select! {
            event = events.next() => match event {
                None => return Ok(()),
                Some(Event::PeerDiscovered(peer) | Event::PeerUpdated(peer)) => seen.found(session, &peer),
                Some(Event::PeerExpired(id)) => seen.lost(id),
                Some(other) => desk.tell(&other),
            },
            Some(prompt) = session.prompts.recv() => desk.ask(prompt),
            () = desk.answered() => {}
        }
    }
}

/// What was told of each device.
struct Seen<'a> {
    output: &'a Output,
    peers: BTreeMap<PeerId, Found>,
}

impl Seen<'_> {
    /// Tells of a device, unless that was told already.
    fn found(&mut self, session: &Session, peer: &DiscoveredPeer) {
        let mut found = found(peer);
        if found.paired && found.name.is_empty() {
            // A server knows no names.
            found.name = session.name_of(peer.id);
        }
        if self.peers.get(&peer.id) != Some(&found) {
            self.output.tell(&Line::Found(found.clone()));
            self.peers.insert(peer.id, found);
        }
    }

    fn lost(&mut self, id: PeerId) {
        if let Some(Found { peer, name, addresses, source, paired, .. }) = self.peers.remove(&id) {
            self.output.tell(&Line::Lost { peer, name, addresses, source, paired });
        }
    }
}
