//! Which device a word on the command line means.

use crate::exit::{Failure, Kind};
use crate::output::{clean, short};
use handfast_core::store::PairRecord;
use handfast_core::{DiscoveredPeer, Fingerprint, PairedPeer, PeerId, PeerIdKind, PublicKey};

/// A shorter beginning of an id names nobody.
const MIN_PREFIX: usize = 4;

/// A device that may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: PeerId,
    pub(crate) other_id: Option<PeerId>,
    pub(crate) label: Option<String>,
    pub(crate) name: String,
}

/// A paired device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paired {
    pub(crate) key: PublicKey,
    pub(crate) name: String,
}

impl Paired {
    pub(crate) fn id(&self) -> PeerId {
        self.key.peer_id(PeerIdKind::Sha1)
    }

    /// What people call it.
    pub(crate) fn shown_name(&self) -> String {
        if self.name.is_empty() { self.id().to_string() } else { self.name.clone() }
    }
}

impl From<&PairRecord> for Paired {
    fn from(record: &PairRecord) -> Self {
        Self { key: record.peer, name: record.metadata.name.clone() }
    }
}

impl From<&PairedPeer> for Paired {
    fn from(peer: &PairedPeer) -> Self {
        Self { key: peer.key, name: peer.metadata.name.clone() }
    }
}

impl From<&Paired> for Candidate {
    fn from(paired: &Paired) -> Self {
        Self {
            id: paired.id(),
            other_id: Some(paired.key.peer_id(PeerIdKind::Sha256)),
            label: Some(paired.key.fingerprint().label()),
            name: paired.name.clone(),
        }
    }
}

impl From<&DiscoveredPeer> for Candidate {
    fn from(peer: &DiscoveredPeer) -> Self {
        let label = peer.fingerprint.as_ref().map(Fingerprint::label);
        Self { id: peer.id, other_id: None, label, name: peer.name.clone() }
    }
}

impl Candidate {
    /// The whole id, in either form.
    fn has_id(&self, word: &str) -> bool {
        self.ids().any(|id| id == word)
    }

    fn ids(&self) -> impl Iterator<Item = String> {
        [Some(self.id), self.other_id].into_iter().flatten().map(|id| id.to_string())
    }

    /// The middle dot of a label is hard to type: a hyphen, or nothing, will do.
    fn has_label(&self, word: &str) -> bool {
        let plain = |text: &str| text.replace(['·', '-'], "").to_ascii_lowercase();
        self.label.as_ref().is_some_and(|label| plain(label) == plain(word))
    }

    fn has_name(&self, word: &str) -> bool {
        self.name.to_lowercase() == word.to_lowercase()
    }

    fn begins_with(&self, word: &str) -> bool {
        word.len() >= MIN_PREFIX && self.ids().any(|id| id.starts_with(&word.to_ascii_lowercase()))
    }

    /// For people, one line.
    pub(crate) fn describe(&self) -> String {
        let label = self.label.as_ref().map(|label| format!(" ({label})")).unwrap_or_default();
        format!("{} {}{label}", short(&self.id.to_string()), clean(&self.name))
    }
}

/// What a word may mean among the devices at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// This one.
    One(PeerId),
    /// None of them.
    Nobody,
    /// Any of these.
    Several(Vec<Candidate>),
}

/// A whole id first, since nobody can imitate one; then a label, a name, and the beginning of an id.
pub(crate) fn find(word: &str, candidates: &[Candidate]) -> Meaning {
    let tests = [Candidate::has_id, Candidate::has_label, Candidate::has_name, Candidate::begins_with];
    for fits in tests {
        let mut fitting: Vec<_> = candidates.iter().filter(|c| fits(c, word)).cloned().collect();
        match fitting.len() {
            0 => {}
            1 => return Meaning::One(fitting.remove(0).id),
            _ => return Meaning::Several(fitting),
        }
    }
    Meaning::Nobody
}

/// The paired device that is meant.
pub(crate) fn find_paired<'a>(word: &str, paired: &'a [Paired]) -> Result<&'a Paired, Failure> {
    let candidates: Vec<_> = paired.iter().map(Candidate::from).collect();
    match find(word, &candidates) {
        Meaning::One(id) => {
            let found = paired.iter().find(|paired| paired.key.is_named(&id));
            Ok(found.expect("the candidate was made from it"))
        }
        Meaning::Nobody => Err(Kind::NotPaired.because(format_args!(
            "not paired with any device called `{word}`; see `handfast peers`, or pair with `handfast pair`"
        ))),
        Meaning::Several(candidates) => Err(several(word, &candidates)),
    }
}

/// A list to choose from.
pub(crate) fn several(word: &str, candidates: &[Candidate]) -> Failure {
    let list: Vec<_> = candidates.iter().map(Candidate::describe).collect();
    let list = list.join("; ");
    Kind::NoSuchPeer.because(format_args!("`{word}` may be several devices, name one by its id: {list}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast_core::Identity;

    fn candidate(n: u8, name: &str) -> Candidate {
        let key = Identity::from_entropy([n; 32]).public_key();
        Candidate {
            id: key.peer_id(PeerIdKind::Sha1),
            other_id: Some(key.peer_id(PeerIdKind::Sha256)),
            label: Some(key.fingerprint().label()),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_device_is_found_by_id_beginning_label_and_name() {
        let all = [candidate(1, "Laptop"), candidate(2, "phone")];
        let id = all[0].id.to_string();
        let label = all[0].label.clone().unwrap();
        let other = all[0].other_id.unwrap().to_string();
        for word in [
            &*id,
            &id[..6],
            &id[..6].to_uppercase(),
            &other,
            &other[..6],
            &label,
            &label.replace('·', "-"),
            "laptop",
        ] {
            assert_eq!(find(word, &all), Meaning::One(all[0].id), "{word}");
        }
        for word in ["", &id[..3], "lap", "tablet"] {
            assert_eq!(find(word, &all), Meaning::Nobody, "{word}");
        }
    }

    #[test]
    fn a_name_that_two_devices_have_names_neither() {
        let all = [candidate(1, "laptop"), candidate(2, "Laptop")];
        assert_eq!(find("laptop", &all), Meaning::Several(all.to_vec()));
    }

    #[test]
    fn a_device_that_takes_the_id_of_another_for_its_name_is_not_taken_for_it() {
        let honest = candidate(1, "laptop");
        let all = [candidate(2, &honest.id.to_string()), honest.clone()];
        assert_eq!(find(&honest.id.to_string(), &all), Meaning::One(honest.id));
    }
}
