//! Whom this node wants to find, and what is known of where they are.
//!
//! Paired peers are asked for with the tokens that their secrets give; keys that are trusted and not paired yet by their
//! names alone. Never asks: see `global/contact.rs`.

use super::answer::{self, Rejected, Said};
use super::contact::ServerId;
use super::reach::Around;
use super::seal;
use crate::config::Hearsay;
use crate::id::{Fingerprint, PeerId, PublicKey};
use crate::store::PairSecret;
use crate::wire::discovery::{Answer, Wanted};
use crate::wire::record::MAX_ENTRIES;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Where somebody is.
#[derive(Debug, Default)]
struct Found {
    said: Option<Said>,
    /// What servers say that nobody signed.
    hearsay: Vec<SocketAddr>,
    /// Which servers say so.
    holders: BTreeSet<ServerId>,
}

/// Somebody who is looked for.
#[derive(Debug, Default)]
struct Seeking {
    /// His key, where more than its hash is known.
    key: Option<PublicKey>,
    /// Of the pairings with him; none where he is trusted alone.
    secrets: Vec<PairSecret>,
    /// Higher for who was connected later.
    rank: u64,
    /// The highest number of his records so far.
    seen: u64,
    found: Option<Found>,
    /// What others were told of where he is.
    told: Vec<SocketAddr>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Seek {
    all: BTreeMap<Fingerprint, Seeking>,
    hearsay: Hearsay,
    rank: u64,
    /// Changes with who they are.
    version: u64,
    /// Of whom nothing is known any more, and others are to be told so.
    lost: BTreeSet<PublicKey>,
    /// Others may have to be told something.
    stale: bool,
}

impl Seek {
    pub(super) fn new(hearsay: Hearsay) -> Self {
        Self { all: BTreeMap::new(), hearsay, rank: 0, version: 0, lost: BTreeSet::new(), stale: false }
    }

    /// The keys that are paired with the secrets of all pairings, and those that are trusted.
    pub(super) fn set(
        &mut self,
        paired: BTreeMap<PublicKey, Vec<PairSecret>>,
        trusted: &BTreeSet<Fingerprint>,
    ) {
        let with_key = paired.into_iter().map(|(key, secrets)| (key.fingerprint(), (Some(key), secrets)));
        let mut wanted: BTreeMap<_, _> = with_key.collect();
        for print in trusted {
            wanted.entry(*print).or_insert((None, Vec::new()));
        }
        let is_same = |(print, (_, secrets)): (&Fingerprint, &(_, Vec<PairSecret>))| {
            self.all.get(print).is_some_and(|old| old.secrets == *secrets)
        };
        if wanted.len() == self.all.len() && wanted.iter().all(is_same) {
            return;
        }
        self.version += 1;
        let mut old = std::mem::take(&mut self.all);
        for (print, (key, secrets)) in wanted {
            let mut seeking = old.remove(&print).unwrap_or_default();
            if seeking.secrets != secrets {
                // What was readable by a pairing that ended is known no longer.
                seeking.found = None;
                seeking.secrets = secrets;
            }
            seeking.key = key.or(seeking.key);
            self.all.insert(print, seeking);
        }
        let gone = old.into_values().filter(|seeking| !seeking.told.is_empty());
        self.lost.extend(gone.filter_map(|seeking| seeking.key));
        self.stale = true;
    }

    /// Changes with who is sought.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn has_paired(&self) -> bool {
        self.all.values().any(|seeking| !seeking.secrets.is_empty())
    }

    pub(super) fn is_sought(&self, print: &Fingerprint) -> bool {
        self.all.contains_key(print)
    }

    /// The key of somebody who is sought, where it is known.
    pub(super) fn key(&self, print: &Fingerprint) -> Option<PublicKey> {
        self.all.get(print).and_then(|seeking| seeking.key)
    }

    /// Where somebody says that he is, or else what servers say without him.
    pub(super) fn said(&self, print: &Fingerprint) -> Vec<SocketAddr> {
        let found = self.all.get(print).and_then(|seeking| seeking.found.as_ref());
        let signed = found.and_then(|found| found.said.as_ref()).map(|said| &said.addresses);
        signed.or(found.map(|found| &found.hearsay)).cloned().unwrap_or_default()
    }

    /// Everybody, those first who were connected last.
    pub(super) fn ranked(&self) -> Vec<Fingerprint> {
        let mut all: Vec<_> =
            self.all.iter().map(|(print, seeking)| (Reverse(seeking.rank), *print)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, print)| print).collect()
    }

    /// Who may read where this node is: as many as a record has room for, those who were connected last.
    pub(super) fn readers(&self) -> Vec<PairSecret> {
        let ranked = self.ranked();
        let mut prints: Vec<_> = ranked.iter().flat_map(|print| self.all[print].secrets.clone()).collect();
        prints.truncate(MAX_ENTRIES);
        prints.sort_unstable_by_key(|secret| *secret.as_bytes());
        prints
    }

    /// How to ask for somebody: once with each secret. Nothing for who has none.
    pub(super) fn wanted(&self, print: &Fingerprint) -> impl Iterator<Item = Wanted> {
        let secrets = self.all.get(print).map_or(&[][..], |seeking| &seeking.secrets);
        let peer_id = PeerId::Sha256(*print.as_bytes());
        secrets.iter().map(move |secret| Wanted { peer_id, token: seal::token(secret, print) })
    }

    /// A connection to a peer stands.
    pub(super) fn handle_connected(&mut self, print: &Fingerprint) {
        if let Some(seeking) = self.all.get_mut(print) {
            self.rank += 1;
            seeking.rank = self.rank;
        }
    }

    /// A server says where somebody is.
    pub(super) fn handle_answer(
        &mut self,
        print: &Fingerprint,
        server: ServerId,
        answer: &Answer,
    ) -> Result<(), Rejected> {
        let seeking = self.all.get_mut(print).ok_or(Rejected::Unreadable)?;
        let checked = answer::check(answer, print, &seeking.secrets, seeking.seen);
        let mut found = Found::default();
        match checked {
            Ok(said) => {
                seeking.key = Some(said.owner);
                // Those who say the same stay, and so does what they say beside it.
                if let Some(old) = seeking.found.take_if(|old| old.said.as_ref() == Some(&said)) {
                    found = old;
                }
                seeking.seen = said.seq;
                found.said = Some(said);
            }
            // Without a record there is nothing but hearsay; a record that is bad makes it no better.
            Err(why) => {
                let is_bare = answer.record.is_none() && !answer.addresses.is_empty();
                if self.hearsay == Hearsay::Ignored || !is_bare {
                    return Err(why);
                }
                found = seeking.found.take().unwrap_or_default();
            }
        }
        if self.hearsay == Hearsay::Tried {
            found.hearsay.clone_from(&answer.addresses);
        }
        found.holders.insert(server);
        seeking.found = Some(found);
        self.stale = true;
        Ok(())
    }

    /// A server says that somebody is where it said no longer.
    pub(super) fn handle_gone(&mut self, print: &Fingerprint, server: ServerId) {
        let Some(seeking) = self.all.get_mut(print) else { return };
        let is_last = |found: &mut Found| found.holders.remove(&server) && found.holders.is_empty();
        if seeking.found.take_if(is_last).is_some() {
            self.stale = true;
        }
    }

    /// Nothing that servers said counts any more.
    pub(super) fn forget(&mut self) {
        for seeking in self.all.values_mut() {
            seeking.found = None;
        }
        self.stale = true;
    }

    /// What may be dialled may have changed.
    pub(super) fn look_again(&mut self) {
        self.stale = true;
    }

    /// Who is somewhere else than others were told, and where; nowhere, if it is no longer known. What was meant until
    /// before `now_s` goes last.
    pub(super) fn take_news(&mut self, around: &Around, now_s: u64) -> Vec<(PublicKey, Vec<SocketAddr>)> {
        if !std::mem::take(&mut self.stale) {
            return Vec::new();
        }
        let lost = std::mem::take(&mut self.lost).into_iter().map(|key| (key, Vec::new()));
        let mut news: Vec<(PublicKey, Vec<SocketAddr>)> = lost.collect();
        for seeking in self.all.values_mut() {
            let places = seeking.found.as_ref().map_or_else(Vec::new, |found| found.places(around, now_s));
            if let Some(key) = seeking.key
                && seeking.told != places
            {
                seeking.told.clone_from(&places);
                news.push((key, places));
            }
        }
        news
    }

    /// How many were lost and not told of, the most servers that say where one is, and the most addresses.
    pub(super) fn sizes(&self) -> [usize; 3] {
        let found = || self.all.values().filter_map(|seeking| seeking.found.as_ref());
        let holders = found().map(|found| found.holders.len()).max().unwrap_or(0);
        let told = self.all.values().map(|seeking| seeking.told.len()).max().unwrap_or(0);
        [self.lost.len(), holders, told]
    }
}

impl Found {
    /// Where to dial, in this order.
    fn places(&self, around: &Around, now_s: u64) -> Vec<SocketAddr> {
        let signed = self.said.as_ref().map_or_else(Vec::new, |said| around.dialable(&said.addresses));
        let hearsay = around.dialable_hearsay(&self.hearsay).into_iter();
        let hearsay: Vec<SocketAddr> = hearsay.filter(|address| !signed.contains(address)).collect();
        let is_outdated = self.said.as_ref().is_some_and(|said| said.not_after_s < now_s);
        if is_outdated { [hearsay, signed].concat() } else { [signed, hearsay].concat() }
    }
}
