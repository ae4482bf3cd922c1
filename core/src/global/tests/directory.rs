//! A discovery server as a plain map, which says and does what a test wants.

use crate::global::seal;
use crate::id::{ConnId, Fingerprint, PeerId};
use crate::identity::Identity;
use crate::wire::discovery::{
    Accepted, Announcement, Answer, Empty, Gone, Missing, Numbered, Refusal, RefusalCode, Reply, Request,
    Response, Wanted,
};
use crate::wire::record::{Body, ENTRY_LEN, Payload};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// How a server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Honest,
    /// Nobody answers a dial.
    Down,
    /// It takes connections and requests, and answers nothing.
    Silent,
    /// It says this to every request.
    Refusing(RefusalCode, u32),
    /// Its replies end in the middle.
    Truncating,
    /// It resets every request.
    Breaking,
    /// It says that whoever is asked for does not fit, for ever.
    Crammed,
}

/// A subscription.
pub(super) struct Watcher {
    pub(super) node: usize,
    pub(super) conn: ConnId,
    pub(super) request: u64,
    pub(super) wanted: Vec<Wanted>,
    /// Who was told to be there.
    seen: Vec<Fingerprint>,
}

pub(super) struct Directory {
    pub(super) key: Identity,
    pub(super) mood: Mood,
    /// What it takes for the time, in seconds since 1970; `None` where it is right.
    pub(super) clock_s: Option<u64>,
    pub(super) records: BTreeMap<Fingerprint, (u64, Announcement)>,
    pub(super) highest: BTreeMap<Fingerprint, u64>,
    pub(super) watchers: Vec<Watcher>,
    /// Everything that it was asked, and by whom.
    pub(super) log: Vec<(usize, Request)>,
    pub(super) dials: usize,
    /// It answers this about everybody it is asked for.
    pub(super) lie: Option<Answer>,
}

/// To whom something is said: on a subscription, with its length.
pub(super) struct Said {
    pub(super) node: usize,
    pub(super) conn: ConnId,
    pub(super) request: u64,
    pub(super) bytes: Bytes,
    pub(super) is_last: bool,
}

pub(super) fn framed(reply: &Reply) -> Bytes {
    let bytes = reply.encode();
    [&(bytes.len() as u32).to_be_bytes()[..], &bytes].concat().into()
}

impl Directory {
    pub(super) fn new(n: u8) -> Self {
        Self {
            key: Identity::from_entropy([200 + n; 32]),
            mood: Mood::Honest,
            clock_s: None,
            records: BTreeMap::new(),
            highest: BTreeMap::new(),
            watchers: Vec::new(),
            log: Vec::new(),
            dials: 0,
            lie: None,
        }
    }

    /// Answers a request of whoever has this key, at that time.
    pub(super) fn answer(
        &mut self,
        (node, conn, request): (usize, ConnId, u64),
        (who, from): (Fingerprint, SocketAddr),
        now_s: u64,
        bytes: &[u8],
    ) -> Vec<Said> {
        let asked = Request::decode(bytes).expect("a client asks in order").expect("and what is known");
        self.log.push((node, asked.clone()));
        let now_s = self.clock_s.unwrap_or(now_s);
        let mut out = Vec::new();
        let reply = match (self.mood, asked) {
            (Mood::Silent, _) => return out,
            (Mood::Refusing(code, retry_after_s), asked) => {
                let error = refusal(code, 0, retry_after_s, now_s);
                if matches!(asked, Request::Subscribe(_)) {
                    out.push(Said { node, conn, request, bytes: framed(&error), is_last: true });
                    return out;
                }
                error
            }
            (_, Request::ClientAnnouncement(announcement)) => {
                self.announce(who, from, now_s, announcement, &mut out)
            }
            (_, Request::Refresh(Numbered { seq })) => match self.records.get(&who) {
                Some((held, _)) if *held == seq => accepted(from, seq, now_s),
                _ => refusal(RefusalCode::Stale, self.highest.get(&who).copied().unwrap_or(0), 0, now_s),
            },
            (_, Request::Withdraw(Numbered { seq })) => {
                if self.records.get(&who).is_some_and(|(held, _)| *held <= seq) {
                    self.records.remove(&who);
                    self.highest.insert(who, seq);
                    self.tell_watchers(who, &mut out);
                }
                Reply::Ok(Empty {})
            }
            (_, Request::Lookup(wanted)) => self.look_up(&wanted),
            (_, Request::QueryClientAnnouncement(ids)) => {
                let wanted: Vec<Wanted> =
                    ids.iter().map(|id| Wanted { peer_id: *id, token: [0; 32] }).collect();
                self.look_up(&wanted)
            }
            (_, Request::Subscribe(wanted)) => {
                let mut watcher = Watcher { node, conn, request, wanted, seen: Vec::new() };
                for wanted in watcher.wanted.clone() {
                    if let Some(answer) = self.find(&wanted) {
                        watcher.seen.push(print_of(&wanted.peer_id));
                        let bytes = framed(&Reply::Announced(answer));
                        out.push(Said { node, conn, request, bytes, is_last: false });
                    }
                }
                self.watchers.push(watcher);
                return out;
            }
        };
        let mut bytes = reply.encode();
        if self.mood == Mood::Truncating {
            bytes.truncate(bytes.len() / 2);
        }
        out.push(Said { node, conn, request, bytes, is_last: true });
        out
    }

    fn announce(
        &mut self,
        who: Fingerprint,
        from: SocketAddr,
        now_s: u64,
        announcement: Announcement,
        out: &mut Vec<Said>,
    ) -> Reply {
        let body = Body::verify(&announcement.record).expect("a client signs what it says");
        assert_eq!(body.owner.fingerprint(), who, "a client announces itself");
        let highest = self.highest.get(&who).copied().unwrap_or(0);
        let is_same =
            |(seq, held): &(u64, Announcement)| *seq == body.seq && held.record == announcement.record;
        if body.seq < highest || (body.seq == highest && !self.records.get(&who).is_some_and(is_same)) {
            return refusal(RefusalCode::Stale, highest, 0, now_s);
        }
        self.highest.insert(who, body.seq);
        self.records.insert(who, (body.seq, announcement));
        self.tell_watchers(who, out);
        accepted(from, body.seq, now_s)
    }

    fn look_up(&self, wanted: &[Wanted]) -> Reply {
        let mut response = Response::default();
        for wanted in wanted {
            let missing = |retry_after_s| Missing { peer_id: wanted.peer_id, retry_after_s };
            match self.find(wanted) {
                _ if self.mood == Mood::Crammed => response.missing.push(missing(0)),
                Some(answer) => response.found.push(answer),
                None => response.missing.push(missing(60)),
            }
        }
        Reply::QueryClientAnnouncementResponse(response)
    }

    fn find(&self, wanted: &Wanted) -> Option<Answer> {
        if let Some(lie) = &self.lie {
            return Some(Answer { peer_id: wanted.peer_id, ..lie.clone() });
        }
        let (_, held) = self.records.get(&print_of(&wanted.peer_id))?;
        let body = Body::verify(&held.record).unwrap();
        let gate = seal::gate(&wanted.token);
        let opens = |entry: &[u8; ENTRY_LEN]| entry[..gate.len()] == gate;
        let is_shown = matches!(body.payload, Payload::Plain(_)) || body.entries.iter().any(opens);
        is_shown.then(|| Answer {
            peer_id: wanted.peer_id,
            record: Some(held.record.clone()),
            addresses: held.addresses.clone(),
            age_s: 1,
        })
    }

    fn tell_watchers(&mut self, who: Fingerprint, out: &mut Vec<Said>) {
        let mut watchers = std::mem::take(&mut self.watchers);
        for Watcher { node, conn, request, wanted, seen } in &mut watchers {
            let (node, conn, request) = (*node, *conn, *request);
            for wanted in wanted.iter().filter(|wanted| print_of(&wanted.peer_id) == who) {
                let reply = match self.find(wanted) {
                    Some(answer) => {
                        seen.push(who);
                        Reply::Announced(answer)
                    }
                    None if seen.contains(&who) => Reply::Gone(Gone { peer_id: wanted.peer_id }),
                    None => continue,
                };
                out.push(Said { node, conn, request, bytes: framed(&reply), is_last: false });
            }
        }
        self.watchers = watchers;
    }
}

fn accepted(from: SocketAddr, seq: u64, now_s: u64) -> Reply {
    let accepted = Accepted { observed: from, lease_s: 3600, reannounce_after_s: 1800, seq, now_s };
    Reply::ClientAnnouncementOk(accepted)
}

pub(super) fn refusal(code: RefusalCode, seq: u64, retry_after_s: u32, now_s: u64) -> Reply {
    Reply::Error(Refusal { code, seq, retry_after_s, now_s, detail: String::new() })
}

pub(super) fn print_of(id: &PeerId) -> Fingerprint {
    match id {
        PeerId::Sha256(hash) => Fingerprint::from_bytes(*hash),
        PeerId::Sha1(_) => panic!("a client asks by the full hash"),
    }
}
