//! Feeds the codecs of what a store holds octets that nobody wrote. For fuzz targets and the replay of their seeds.

use super::{MAX_WHEREABOUTS, PairRecord, Whereabouts};

/// What is read can be written, and is then read as the same; no cut of it is a record. Whether it was one.
pub(crate) fn record(octets: &[u8]) -> bool {
    let Ok(record) = PairRecord::decode(octets) else { return false };
    let again = record.encode();
    assert_eq!(PairRecord::decode(&again).as_ref(), Ok(&record), "a record reads what it writes");
    // Ids and instances take no more room in memory than in the octets that they came in.
    let listed = 32 * record.replaces.len() + 16 * record.instances.len();
    assert!(listed <= octets.len(), "a record lists more than it was given");
    let cut = again.len() / 2;
    assert!(PairRecord::decode(&again[..cut]).is_err(), "half a record is a record");
    true
}

/// The same of what is remembered of a peer's addresses.
pub(crate) fn whereabouts(octets: &[u8]) -> bool {
    let Ok(entry) = Whereabouts::decode(octets) else { return false };
    let again = entry.encode();
    assert_eq!(Whereabouts::decode(&again).as_ref(), Ok(&entry), "whereabouts are read as they are written");
    let most = entry.good.len().max(entry.given.len()).max(entry.names.len());
    assert!(most <= MAX_WHEREABOUTS, "more is remembered than may be");
    let cut = again.len() / 2;
    assert!(Whereabouts::decode(&again[..cut]).is_err(), "half an entry is an entry");
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::replay;

    #[test]
    fn the_seeds_of_the_fuzz_target_are_survived() {
        let (mut records, mut entries) = (0, 0);
        replay("record", |_, seed| {
            records += usize::from(record(seed));
            entries += usize::from(whereabouts(seed));
        });
        assert!(records >= 6 && entries >= 2, "{records} {entries}");
    }
}
