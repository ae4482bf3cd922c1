//! Feeds every reader of text what nobody wrote. For fuzz targets and the replay of their seeds.

use super::{Fingerprint, PeerId, ServiceName};
use crate::code::Code;
use crate::service::ServiceType;

/// What is read is shown as it was spelled, or reads back as the same. Returns how many readers took it.
pub(crate) fn text(octets: &[u8]) -> usize {
    let Ok(text) = std::str::from_utf8(octets) else { return 0 };
    let mut taken = 0;
    if let Ok(id) = text.parse::<PeerId>() {
        assert_eq!(id.to_string(), text, "a peer id has one spelling");
        taken += 1;
    }
    if let Ok(print) = text.parse::<Fingerprint>() {
        assert_eq!(print.to_string(), text, "a fingerprint has one spelling");
        taken += 1;
    }
    if let Ok(name) = ServiceName::new(text) {
        assert_eq!(name.as_str(), text, "a service name is kept as it is");
        taken += 1;
    }
    if let Ok(kind) = text.parse::<ServiceType>() {
        assert_eq!(kind.to_string().parse(), Ok(kind), "a kind of service reads back from what is shown");
        taken += 1;
    }
    if let Ok(code) = text.parse::<Code>() {
        assert_eq!(code.to_string().parse(), Ok(code), "a code reads back from what is shown");
        taken += 1;
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::replay;

    #[test]
    fn the_seeds_of_the_fuzz_target_are_survived() {
        let mut taken = 0;
        replay("text", |_, seed| taken += text(seed));
        assert!(taken >= 10, "{taken}");
    }
}
