//! Whole nodes, told things that no honest world would tell them. For fuzz targets and the replay of their
//! seeds.

pub(crate) mod adversary;
pub(crate) mod calls;
mod dealings;
mod driven;

use super::advertise;
use crate::metadata::Metadata;
use crate::wire;

/// Octets that are a TXT record, read as a peer's announcement: nothing of it is over its limit. Whether it
/// was one.
pub(crate) fn txt(rdata: &[u8]) -> bool {
    let Some(txt) = wire::fuzz::txt(rdata) else { return false };
    let hints = advertise::hints(&txt);
    assert!(hints.name.len() <= Metadata::MAX_NAME, "a name is over its limit");
    assert!(hints.os.len().max(hints.version.len()) <= Metadata::MAX_SHORT, "a word is over its limit");
    let extra: usize = hints.extra.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert!(extra <= rdata.len(), "more is kept than was said");
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::replay;

    #[test]
    fn the_seeds_of_txt_are_survived() {
        let mut records = 0;
        replay("txt", |_, seed| records += usize::from(txt(seed)));
        assert!(records >= 5, "{records}");
    }
}
