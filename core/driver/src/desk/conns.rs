//! The connections at the desk: whose each is, and who waits for something of it.

use super::Desk;
use crate::events::MAX_QUEUED_EVENTS;
use crate::shared::Locked;
use crate::slot::Pool;
use crate::waiters::{Place, Waiters};
use handfast_core::{ConnId, ConnectedPeer, DisconnectReason, Node, PeerId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A connection and its end, which every handle of it shares.
#[derive(Clone)]
pub(crate) struct Standing {
    pub(crate) peer: ConnectedPeer,
    pub(crate) end: Arc<End>,
}

/// Whether a connection has ended, and why.
#[derive(Default)]
pub(crate) struct End(Mutex<Ending>);

#[derive(Default)]
struct Ending {
    reason: Option<DisconnectReason>,
    waiting: Waiters,
}

impl End {
    fn lock(&self) -> MutexGuard<'_, Ending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn come(&self, reason: DisconnectReason, wakers: &mut Vec<Waker>) {
        let mut ending = self.lock();
        ending.reason.get_or_insert(reason);
        ending.waiting.wake(wakers);
    }

    /// Why the connection ended, once it has.
    pub(crate) fn poll(&self, cx: &Context<'_>, place: &mut Place) -> Poll<DisconnectReason> {
        let ending = self.lock();
        if let Some(reason) = ending.reason {
            return Poll::Ready(reason);
        }
        ending.waiting.wait(place, cx.waker());
        Poll::Pending
    }
}

/// The connections that stand, and those that ended lately.
#[derive(Default)]
pub(super) struct Conns {
    standing: BTreeMap<ConnId, Conn>,
    /// As many as events may wait for a hook: one that is called late still learns of the end.
    ended: VecDeque<(ConnId, Arc<End>)>,
}

/// One that stands.
pub(super) struct Conn {
    pub(super) peer: PeerId,
    /// Who waits to open a stream.
    pub(super) openers: Waiters,
    /// Who waits for a datagram.
    pub(super) readers: Waiters,
    /// What its streams hold for their readers.
    pub(super) pool: Pool,
    end: Arc<End>,
}

impl Conns {
    pub(super) fn get(&self, conn: ConnId) -> Option<&Conn> {
        self.standing.get(&conn)
    }

    pub(super) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Conn> {
        self.standing.get_mut(&conn)
    }

    pub(super) fn begin(&mut self, peer: &ConnectedPeer) -> Standing {
        let end = Arc::new(End::default());
        let conn = Conn {
            peer: peer.id,
            openers: Waiters::default(),
            readers: Waiters::default(),
            pool: Pool::default(),
            end: Arc::clone(&end),
        };
        self.standing.insert(peer.conn, conn);
        Standing { peer: peer.clone(), end }
    }

    pub(super) fn end(&mut self, conn: ConnId, reason: DisconnectReason, wakers: &mut Vec<Waker>) {
        let Some(gone) = self.standing.remove(&conn) else { return };
        gone.openers.wake(wakers);
        gone.readers.wake(wakers);
        gone.end.come(reason, wakers);
        if self.ended.len() >= MAX_QUEUED_EVENTS {
            self.ended.pop_front();
        }
        self.ended.push_back((conn, gone.end));
    }

    /// The loop is over, and every connection with it.
    pub(super) fn end_all(&mut self, wakers: &mut Vec<Waker>) {
        for conn in self.standing.keys().copied().collect::<Vec<_>>() {
            self.end(conn, DisconnectReason::ClosedHere, wakers);
        }
    }

    /// Room for the bytes of a new stream.
    pub(super) fn pool(&self, conn: ConnId) -> Pool {
        self.standing.get(&conn).map(|conn| conn.pool.clone()).unwrap_or_default()
    }

    /// Ends that are remembered.
    pub(super) fn remembered(&self) -> usize {
        self.ended.len()
    }

    /// Tasks that wait for something of a connection that stands.
    pub(super) fn waiting(&self) -> usize {
        let of = |conn: &Conn| conn.openers.len() + conn.readers.len() + conn.end.lock().waiting.len();
        self.standing.values().map(of).sum()
    }

    fn find_end(&self, conn: ConnId) -> Option<Arc<End>> {
        let standing = self.standing.get(&conn).map(|conn| &conn.end);
        let ended = || self.ended.iter().find(|(id, _)| *id == conn).map(|(_, end)| end);
        standing.or_else(ended).cloned()
    }
}

impl Desk {
    /// A connection of which a hook is told, be it that it has ended meanwhile.
    pub(crate) fn told_of(&self, peer: ConnectedPeer) -> Standing {
        let end = self.conns.find_end(peer.conn).unwrap_or_else(|| {
            // So long ago that its end is forgotten.
            let end = End::default();
            end.come(DisconnectReason::ClosedHere, &mut Vec::new());
            Arc::new(end)
        });
        Standing { peer, end }
    }
}

impl Locked<Node, Desk> {
    /// The connections that stand and that the application was told of.
    pub(crate) fn connections(&mut self) -> Vec<Standing> {
        let connected = self.machine.peers().connected().into_iter();
        let conns = &self.desk.conns;
        let standing = |peer: ConnectedPeer| {
            let end = Arc::clone(&conns.get(peer.conn)?.end);
            Some(Standing { peer, end })
        };
        connected.filter_map(standing).collect()
    }
}
