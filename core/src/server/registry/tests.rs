//! The registry against a map.

use super::*;
use crate::io::UnixTime;
use crate::rng::{Rng, Seed};
use crate::testing::base;
use proptest::prelude::*;
use std::collections::BTreeMap;

const EPOCH_S: u64 = 1_700_000_000;

/// What happens to the registry.
#[derive(Clone, Debug)]
enum Step {
    Put { who: u8, seq: u64, content: u8, lease_s: u64 },
    Refresh { who: u8, seq: u64, lease_s: u64 },
    Withdraw { who: u8, seq: u64 },
    Pass { time_s: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (who, seq) = (0..12_u8, 0..6_u64);
    let lease_s = 1..200_u64;
    let step = prop_oneof![
        4 => (who.clone(), seq.clone(), 0..2_u8, lease_s.clone())
            .prop_map(|(who, seq, content, lease_s)| Step::Put { who, seq, content, lease_s }),
        1 => (who.clone(), seq.clone(), lease_s)
            .prop_map(|(who, seq, lease_s)| Step::Refresh { who, seq, lease_s }),
        1 => (who, seq).prop_map(|(who, seq)| Step::Withdraw { who, seq }),
        2 => prop_oneof![1..300_u64, Just(700_000)].prop_map(|time_s| Step::Pass { time_s }),
    ];
    prop::collection::vec(step, 0..80)
}

/// One that holds, or that is gone: its number, what it says, and when it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Known {
    seq: u64,
    content: Option<u8>,
    until_s: u64,
}

struct Both {
    begun: Instant,
    at_s: u64,
    registry: Registry,
    model: BTreeMap<u8, Known>,
}

fn owner(who: u8) -> Fingerprint {
    Fingerprint::from_bytes([who; 32])
}

impl Both {
    fn now(&self) -> Now {
        let mono = self.begun + Duration::from_secs(self.at_s);
        Now { mono, wall: UnixTime::from_micros((EPOCH_S + self.at_s) * 1_000_000) }
    }

    fn entry(&self, who: u8, seq: u64, content: u8, lease_s: u64) -> DirectoryEntry {
        let wall = EPOCH_S + self.at_s;
        DirectoryEntry {
            owner: owner(who),
            sha1: [who; 20],
            seq,
            record: Bytes::copy_from_slice(&[content; 3]),
            addresses: Vec::new(),
            announced_s: wall,
            expires_s: wall + lease_s,
        }
    }

    fn step(&mut self, step: &Step) {
        let (now, old) = (self.now(), |model: &BTreeMap<u8, Known>, who| model.get(who).copied());
        match *step {
            Step::Put { who, seq, content, lease_s } => {
                let request = DirectoryRequest::Put(self.entry(who, seq, content, lease_s));
                let (reply, change) = self.registry.serve(now, &request);
                let is_same = |old: &Known| old.seq == seq && old.content == Some(content);
                let old = old(&self.model, &who);
                if let Some(old) = old.filter(|old| old.seq >= seq && !is_same(old)) {
                    assert_eq!((reply, change), (DirectoryReply::Stale { seq: old.seq }, None));
                    return;
                }
                assert_eq!(reply, DirectoryReply::Done);
                assert_eq!(change.is_some(), !old.is_some_and(|old| is_same(&old)));
                let until_s = self.at_s + lease_s;
                self.model.insert(who, Known { seq, content: Some(content), until_s });
            }
            Step::Refresh { who, seq, lease_s } => {
                let expires_s = EPOCH_S + self.at_s + lease_s;
                let request =
                    DirectoryRequest::Refresh { owner: owner(who), sha1: [who; 20], seq, expires_s };
                let (reply, change) = self.registry.serve(now, &request);
                assert_eq!(change, None);
                match self.model.get_mut(&who) {
                    Some(old) if old.seq == seq && old.content.is_some() => {
                        old.until_s = self.at_s + lease_s;
                        assert_eq!(reply, DirectoryReply::Done);
                    }
                    old => {
                        let seq = old.map_or(0, |old| old.seq);
                        assert_eq!(reply, DirectoryReply::Stale { seq });
                    }
                }
            }
            Step::Withdraw { who, seq } => {
                let request = DirectoryRequest::Withdraw { owner: owner(who), sha1: [who; 20], seq };
                let (reply, change) = self.registry.serve(now, &request);
                let old = old(&self.model, &who);
                if let Some(old) = old.filter(|old| old.seq > seq) {
                    assert_eq!((reply, change), (DirectoryReply::Stale { seq: old.seq }, None));
                    return;
                }
                assert_eq!(reply, DirectoryReply::Done);
                assert_eq!(change.is_some(), old.is_some_and(|old| old.content.is_some()));
                let until_s = self.at_s + u64::from(GRAVE_S);
                self.model.insert(who, Known { seq, content: None, until_s });
            }
            Step::Pass { time_s } => self.pass(time_s),
        }
    }

    /// Time passes second by second for what is due, as it does for a server.
    fn pass(&mut self, time_s: u64) {
        let end_s = self.at_s + time_s;
        while let Some(at) = self.registry.poll_timeout()
            && at <= self.begun + Duration::from_secs(end_s)
        {
            self.at_s = self.at_s.max((at - self.begun).as_secs());
            let mut changes = Vec::new();
            while self.registry.expire(self.now().mono, 3, &mut changes) {}
            for change in changes {
                let who = change.sha1[0];
                let known = self.model[&who];
                assert_eq!((change.owner, known.until_s + 1), (owner(who), self.at_s), "in time");
                let until_s = self.at_s + u64::from(GRAVE_S);
                self.model.insert(who, Known { seq: known.seq, content: None, until_s });
            }
            let stretch = u64::from(GRAVE_STRETCH_S);
            let (at_s, is_over) = (self.at_s, |until_s: u64, at_s: u64| until_s / stretch < at_s / stretch);
            self.model.retain(|_, known| known.content.is_some() || !is_over(known.until_s, at_s));
        }
        self.at_s = end_s;
    }

    fn compare(&self) {
        let now = self.now();
        for who in 0..12 {
            let content = self.model.get(&who).and_then(|known| known.content);
            for id in [PeerId::Sha1([who; 20]), PeerId::Sha256([who; 32])] {
                let found = self.registry.get(now, &id).map(|entry| entry.record[0]);
                assert_eq!(found, content, "{who}");
            }
        }
        let live = self.model.values().filter(|known| known.content.is_some()).count();
        assert_eq!((self.registry.live(), self.registry.graves()), (live, self.model.len() - live));
        assert_eq!(self.registry.slots.used(), self.model.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn a_registry_holds_what_a_map_would(steps in steps()) {
        let begun = base();
        let registry = Registry::new(begun, &mut Rng::child(&Seed::new([1; 32]), "test"), 100, 100);
        let mut both = Both { begun, at_s: 0, registry, model: BTreeMap::new() };
        for step in &steps {
            both.step(step);
            both.compare();
        }
    }
}
