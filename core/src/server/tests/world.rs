//! What the tests of this folder share beside what they share with the fuzz target.

pub(super) use crate::server::fuzz::world::*;

use crate::id::{PeerId, PeerIdKind, StreamId};
use crate::server::ServerConfig;
use crate::testing::base;
use crate::wire::discovery::{RefusalCode, Reply, Request};
use bytes::Bytes;

impl World {
    pub(super) fn new() -> Self {
        Self::of(ServerConfig::new().with_port(4433))
    }

    pub(super) fn of(config: ServerConfig) -> Self {
        Self::begin(base(), config)
    }

    /// Client `n` connects, with the key of that number.
    pub(super) fn join(&mut self) -> usize {
        let n = self.clients.len();
        self.join_as(n)
    }

    /// Whether a client is connected.
    pub(super) fn is_connected(&self, n: usize) -> bool {
        self.clients[n].causes.is_empty()
    }

    /// A client reads nothing more, or goes on to.
    pub(super) fn set_listens(&mut self, n: usize, listens: bool) {
        self.clients[n].listens = listens;
    }

    /// Says octets on a stream of their own.
    pub(super) fn say(&mut self, n: usize, octets: &[u8], end: bool) -> StreamId {
        self.try_say(n, octets, end).expect("the client is connected and asks little at a time")
    }

    pub(super) fn ask(&mut self, n: usize, request: &Request) -> StreamId {
        self.say(n, &request.encode(), true)
    }

    /// What came on a stream so far, and whether that is all.
    pub(super) fn heard(&self, n: usize, id: StreamId) -> Option<&(Vec<u8>, bool)> {
        self.clients[n].heard.get(&id)
    }

    /// The whole reply to a request.
    pub(super) fn reply(&self, n: usize, id: StreamId) -> Reply {
        let (bytes, fin) = self.heard(n, id).expect("there is a reply");
        assert!(*fin, "the reply is whole");
        decode(bytes)
    }

    /// Asks and hears.
    pub(super) fn request(&mut self, n: usize, request: &Request) -> Reply {
        let id = self.ask(n, request);
        self.reply(n, id)
    }

    /// What a subscriber was told since this was last asked.
    pub(super) fn told(&mut self, n: usize, id: StreamId) -> Vec<Reply> {
        self.run();
        let Some((bytes, _)) = self.clients[n].heard.get_mut(&id) else { return Vec::new() };
        let (mut rest, mut replies) = (&bytes[..], Vec::new());
        while let Some((len, after)) = rest.split_first_chunk() {
            let (body, after) = after.split_at(u32::from_be_bytes(*len) as usize);
            replies.push(decode(body));
            rest = after;
        }
        bytes.clear();
        replies
    }

    /// Announces a record.
    pub(super) fn announce(&mut self, n: usize, record: Bytes) -> Reply {
        let peer_id = self.clients[n].identity.peer_id(PeerIdKind::Sha1);
        self.request(n, &announcement(peer_id, record))
    }

    /// Announces a record that is taken.
    pub(super) fn announced(&mut self, n: usize, record: Bytes) {
        let reply = self.announce(n, record);
        assert!(matches!(reply, Reply::ClientAnnouncementOk(_)), "{reply:?}");
    }
}

fn decode(body: &[u8]) -> Reply {
    let reply = Reply::decode(body).expect("a server says what the format has");
    reply.expect("a server says what this version knows")
}

/// The code of a refusal, and the number and the time in it.
pub(super) fn refusal(reply: &Reply) -> (RefusalCode, u64, u32) {
    match reply {
        Reply::Error(refusal) => (refusal.code, refusal.seq, refusal.retry_after_s),
        other => panic!("it was not refused: {other:?}"),
    }
}

/// The records that a reply has, by whose they are, and how many are missing.
pub(super) fn found(reply: &Reply) -> (Vec<(PeerId, Bytes)>, usize) {
    match reply {
        Reply::QueryClientAnnouncementResponse(response) => {
            let one = |answer: &crate::wire::discovery::Answer| {
                (answer.peer_id, answer.record.clone().expect("nodes always sign"))
            };
            (response.found.iter().map(one).collect(), response.missing.len())
        }
        other => panic!("no response: {other:?}"),
    }
}
