//! Feeds the import of keys octets that nobody wrote. For fuzz targets and the replay of their seeds.

use super::Identity;

/// A key that is taken survives its export, and names the same peer. Whether it was one.
pub(crate) fn identity(octets: &[u8]) -> bool {
    if let Ok(text) = std::str::from_utf8(octets)
        && let Ok(identity) = Identity::from_pem(text)
    {
        let again = Identity::from_pem(&identity.to_pem()).expect("what was taken is taken again");
        assert_eq!(again.public_key(), identity.public_key(), "one key has one public key");
        return true;
    }
    let Ok(identity) = Identity::from_pkcs8(octets) else { return false };
    let again = Identity::from_pkcs8(&identity.to_pkcs8()).expect("what was taken is taken again");
    assert_eq!(again.public_key(), identity.public_key(), "one key has one public key");
    assert_eq!(again.certificate(), identity.certificate(), "one key has one certificate");
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::replay;

    #[test]
    fn the_seeds_of_the_fuzz_target_are_survived() {
        let mut keys = 0;
        replay("identity", |_, seed| keys += usize::from(identity(seed)));
        assert!(keys >= 3, "{keys}");
    }
}
