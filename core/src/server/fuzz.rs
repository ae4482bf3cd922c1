//! Lets clients that keep no rule talk to a server, over a store that may fail. For its fuzz target and the replay of
//! its seeds.

pub(in crate::server) mod world;

use super::{Keeping, ServerConfig};
use crate::directory::{DirectoryChange, DirectoryReply};
use crate::id::{PeerId, StreamId};
use crate::script::Script;
use crate::wire::discovery::{Reply, Request, Wanted};
use std::time::{Duration, Instant};
use world::{World, announcement, id, long_id, owner, refresh, wanted, withdraw};

/// Keys that clients have.
const CLIENTS: usize = 3;

/// Connections of all clients in one life of the server: a handshake costs more than all else that a script does.
const MAX_JOINS: usize = 9;

/// Steps that are heeded: what follows costs time and finds nothing.
const MAX_STEPS: usize = 120;

/// Connections are asked whether they stand so seldom that what a script does in a week takes no time: with the usual
/// 20 s a script that sleeps spends all of its time on that.
const IDLE_TIMEOUT: Duration = Duration::from_secs(500_000);

/// Longer than any request, and than any silence.
const REST: Duration = Duration::from_secs(120);

const SLEEPS: [Duration; 6] = [
    Duration::from_millis(1),
    Duration::from_secs(1),
    Duration::from_secs(11),
    Duration::from_secs(50),
    Duration::from_secs(3700),
    Duration::from_secs(700_000),
];

/// How far a script came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Announcements that were taken.
    pub(crate) announced: u64,
    /// Peers that somebody was told of.
    pub(crate) found: u64,
    /// Changes that subscribers were told.
    pub(crate) pushed: u64,
    /// Requests that were refused.
    pub(crate) refused: u64,
    /// Requests that took too long.
    pub(crate) late: u64,
}

/// Reads octets as a request and as a reply. What is read can be written, and is then read as the same.
pub(crate) fn messages(octets: &[u8]) -> usize {
    let mut read = 0;
    if let Ok(Some(request)) = Request::decode(octets) {
        read += 1;
        assert_eq!(
            Request::decode(&request.encode()),
            Ok(Some(request)),
            "requests are read as they are written"
        );
    }
    if let Ok(Some(reply)) = Reply::decode(octets) {
        read += 1;
        assert_eq!(Reply::decode(&reply.encode()), Ok(Some(reply)), "replies are read as they are written");
    }
    read
}

/// Plays a script of requests, and then lets everything end.
pub(crate) fn session(start: Instant, script: &[u8]) -> Reached {
    let mut script = Script::new(script);
    let mut config = ServerConfig::new().with_port(4433);
    (config.max_records, config.max_tombstones, config.max_subscriptions) = (2, 2, 300);
    config.idle_timeout = IDLE_TIMEOUT;
    if script.flag() {
        config = config.with_keeping(Keeping::Asked);
    }
    let world = World::begin(start, config.clone());
    let mut session = Session { world, config, clients: [None; CLIENTS], streams: Vec::new() };
    for _ in 0..MAX_STEPS {
        let Some(step) = script.step() else { break };
        session.step(step, &mut script);
        session.world.run();
    }
    session.end()
}

struct Session {
    config: ServerConfig,
    world: World,
    /// The number that each key's client has, of those that have connected.
    clients: [Option<usize>; CLIENTS],
    /// Streams that were opened, and by which client.
    streams: Vec<(usize, StreamId)>,
}

impl Session {
    fn step(&mut self, step: u8, script: &mut Script<'_>) {
        let who = usize::from(script.octet()) % CLIENTS;
        match step % 8 {
            // Sound in its form, if not in what it says.
            0..=2 => {
                let request = self.request(who, script);
                self.say(who, &request.encode(), true);
            }
            // Damaged, or made up.
            3 => {
                let mut octets = self.request(who, script).encode().to_vec();
                script.damage(&mut octets);
                messages(&octets);
                self.say(who, &octets, script.flag());
            }
            4 => {
                let (octets, end) = (script.octets(), script.flag());
                messages(octets);
                self.say(who, octets, end);
            }
            5 => self.world.pass(script.pick(&SLEEPS)),
            6 => {
                let which = usize::from(script.octet());
                match self.streams.len() {
                    0 => {
                        if let Some(client) = self.clients[who].take() {
                            self.world.leave(client);
                        }
                    }
                    len => {
                        let (client, stream) = self.streams.swap_remove(which % len);
                        self.world.give_up(client, stream);
                    }
                }
            }
            _ => self.happen(who, script),
        }
    }

    fn say(&mut self, who: usize, octets: &[u8], end: bool) {
        let has_room = self.world.clients.len() < MAX_JOINS;
        let Some(client) = self.clients[who].or_else(|| has_room.then(|| self.world.join_as(who))) else {
            return;
        };
        self.clients[who] = Some(client);
        match self.world.try_say(client, octets, end) {
            Some(stream) => self.streams.push((client, stream)),
            // It is gone, or waits for too much: it comes once more.
            None if has_room => self.clients[who] = None,
            None => {}
        }
    }

    fn request(&mut self, who: usize, script: &mut Script<'_>) -> Request {
        let (kind, seq) = (script.octet(), u64::from(script.octet() % 8));
        let other = usize::from(script.octet()) % CLIENTS;
        match kind % 8 {
            0 => announcement(id(who), self.world.plain(who, seq)),
            1 => {
                let record = self.world.sealed(who, seq, &[other]);
                announcement(if seq == 7 { id(other) } else { long_id(who) }, record)
            }
            2 => announcement(id(who), self.world.plain(other, seq)),
            3 => refresh(seq),
            4 => withdraw(seq),
            5 => Request::QueryClientAnnouncement(vec![id(other); usize::from(script.octet() % 66)]),
            6 => Request::Lookup(self.wanted(who, other, script)),
            _ => Request::Subscribe(self.wanted(who, other, script)),
        }
    }

    fn wanted(&self, who: usize, other: usize, script: &mut Script<'_>) -> Vec<Wanted> {
        let right = wanted(who, other);
        let wrong = Wanted { token: [script.octet(); 32], ..right };
        let named_otherwise = Wanted { peer_id: long_id(other), ..right };
        (0..script.octet() % 70).map(|_| script.pick(&[right, wrong, named_otherwise])).collect()
    }

    /// What the store and the host do.
    fn happen(&mut self, who: usize, script: &mut Script<'_>) {
        let what = script.octet();
        let seq = u64::from(script.octet());
        match what % 6 {
            0 if !self.world.asks.is_empty() => drop(self.world.answer(DirectoryReply::Done)),
            1 if !self.world.asks.is_empty() => drop(self.world.answer(DirectoryReply::Failed)),
            2 if !self.world.asks.is_empty() => drop(self.world.answer(DirectoryReply::Stale { seq })),
            3 if !self.world.asks.is_empty() => {
                let found = vec![None; usize::from(script.octet() % 4)];
                self.world.answer(DirectoryReply::Found(found));
            }
            4 => {
                let PeerId::Sha1(sha1) = id(who) else { unreachable!("the short name") };
                let change = DirectoryChange { owner: owner(who), sha1, entry: None };
                let now = self.world.clock();
                self.world.server.handle_change(now, &change);
                if seq & 1 == 1 {
                    self.world.server.handle_changes_lost(now);
                }
            }
            _ => self.begin_anew(script),
        }
    }

    /// The server ends, and begins with what is left of its snapshot.
    fn begin_anew(&mut self, script: &mut Script<'_>) {
        let mut file = Vec::new();
        self.world.server.snapshot(self.world.clock(), 0, &mut file);
        script.damage(&mut file);
        self.world.restart(self.config.clone());
        let now = self.world.clock();
        if let Ok(len) = self.world.server.restore(now, &file) {
            assert!(len <= file.len(), "a piece of a snapshot has no more bytes than there are");
        }
        self.streams.clear();
        self.clients = [None; CLIENTS];
    }

    /// Everybody goes: soon nothing is left but what holds.
    fn end(mut self) -> Reached {
        for who in 0..self.world.clients.len() {
            self.world.leave(who);
        }
        self.world.pass(REST);
        for table in self.world.server.tables() {
            let lasts = table.name.contains("records")
                || table.name.contains("tombstones")
                || table.name.contains("slots")
                || table.name.contains("lately")
                || table.name.contains("handles");
            assert!(lasts || table.len == 0, "something is left of clients that are gone: {table:?}");
        }
        let stats = self.world.server.stats();
        Reached {
            announced: stats.announcements,
            found: stats.found,
            pushed: stats.pushed,
            refused: stats.refused,
            late: stats.late,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{base, replay};

    #[test]
    fn the_seeds_of_the_fuzz_target_are_survived_and_come_far() {
        let mut all = Reached::default();
        replay("discovery", |_, seed| {
            let reached = session(base(), seed);
            assert_eq!(session(base(), seed), reached, "the same script does the same");
            all.announced += reached.announced;
            all.found += reached.found;
            all.pushed += reached.pushed;
            all.refused += reached.refused;
            all.late += reached.late;
        });
        let Reached { announced, found, pushed, refused, late } = all;
        assert!([announced, found, pushed, refused, late].iter().all(|count| *count > 0), "{all:?}");
    }
}
