//! Discovery beyond the LAN, as an application holds it.

use crate::handle::Node;
use crate::runtime::Runtime;
use handfast_core::{PeerId, ServerStatus};

impl<R: Runtime> Node<R> {
    /// How it stands with each discovery server, in the configuration's order.
    /// [`Event::ServerState`](crate::Event::ServerState) tells of changes.
    ///
    /// ```no_run
    /// # fn look<R: handfast_driver::Runtime>(node: &handfast_driver::Node<R>) {
    /// for status in node.servers() {
    ///     println!("{}: {}", status.server, status.state);
    /// }
    /// # }
    /// ```
    pub fn servers(&self) -> Vec<ServerStatus> {
        self.handle.lock().machine.global().servers()
    }

    /// Asks every discovery server where a paired peer is, now. Each answer is told by
    /// [`Event::LookedUp`](crate::Event::LookedUp).
    ///
    /// `false`, and nothing is asked, where the peer is not paired, where no server is used, and beyond 16 look-ups at
    /// once and then one in 2 s: servers tell by themselves of peers that move. This is for who does not want to wait
    /// for a server that is tried again later, or wants to know what each says.
    pub fn look_up(&self, peer: PeerId) -> bool {
        self.handle.with(|locked, now| locked.machine.global().look_up(now, peer))
    }

    /// Uses discovery servers again, after [`Node::switch_servers_off`].
    pub fn switch_servers_on(&self) {
        self.handle.with(|locked, now| locked.machine.global().switch_on(now));
    }

    /// Uses no discovery server any more: what was announced is withdrawn, within 3 s, and after that nothing is sent to
    /// any. Where they said that peers are is known no longer.
    pub fn switch_servers_off(&self) {
        self.handle.with(|locked, now| locked.machine.global().switch_off(now));
    }
}
