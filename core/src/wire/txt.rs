//! The TXT record's key/value pairs. RFC 6763 §6.
//!
//! Keeps the octets as they came, so that what is read is written again unchanged; never looks a key up by
//! anything but ASCII case.

use std::sync::Arc;

/// The longest TXT record that is kept, in octets: twice what RFC 6763 §6.2 wants to see at most.
pub(crate) const MAX_TXT: usize = 2600;

/// A TXT record: at least one string, of at most 255 octets each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Txt(Arc<[u8]>);

/// What stands behind a key. RFC 6763 §6.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// `key`: present, without value.
    Present,
    /// `key=`: a value, possibly empty.
    Octets(&'a [u8]),
}

/// Why octets or pairs are no TXT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TxtError {
    /// A key that is empty, or has other characters than RFC 6763 §6.4 allows.
    #[error("a key has printable US-ASCII characters, without '='")]
    Key,
    /// A string of more than 255 octets, or too many of them.
    #[error("a string or the whole is too long")]
    Length,
    /// A string that runs past the end.
    #[error("a string runs past the end")]
    Truncated,
}

impl Default for Txt {
    /// Says nothing: one zero octet, since a TXT record is never empty. RFC 6763 §6.1.
    fn default() -> Self {
        Self([0].as_slice().into())
    }
}

impl Txt {
    /// Takes rdata as it came in. None at all is the same as one empty string.
    pub(crate) fn decode(rdata: &[u8]) -> Result<Self, TxtError> {
        if rdata.is_empty() {
            return Ok(Self::default());
        }
        check(rdata)?;
        Ok(Self(rdata.into()))
    }

    /// Whether rdata can be [decoded](Self::decode).
    pub(crate) fn is_sound(rdata: &[u8]) -> bool {
        check(rdata).is_ok()
    }

    /// Writes pairs, in their order.
    pub(crate) fn encode<'a>(
        pairs: impl IntoIterator<Item = (&'a str, Value<'a>)>,
    ) -> Result<Self, TxtError> {
        let mut rdata = Vec::new();
        for (key, value) in pairs {
            if key.is_empty() || !key.bytes().all(|b| (0x20..=0x7e).contains(&b) && b != b'=') {
                return Err(TxtError::Key);
            }
            let mut string = key.as_bytes().to_vec();
            if let Value::Octets(octets) = value {
                string.push(b'=');
                string.extend_from_slice(octets);
            }
            rdata.push(u8::try_from(string.len()).map_err(|_| TxtError::Length)?);
            rdata.append(&mut string);
        }
        Self::decode(&rdata)
    }

    /// The octets of the record.
    pub(crate) fn as_rdata(&self) -> &[u8] {
        &self.0
    }

    /// What stands behind a key. ASCII case is ignored, and the first of several counts. RFC 6763 §6.4.
    pub(crate) fn get(&self, key: &str) -> Option<Value<'_>> {
        self.pairs().find(|(k, _)| k.eq_ignore_ascii_case(key.as_bytes())).map(|(_, value)| value)
    }

    /// All pairs in their order, later ones of the same key included; strings without a key are none.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&[u8], Value<'_>)> {
        let mut rest = &self.0[..];
        let strings = std::iter::from_fn(move || {
            let (&len, after) = rest.split_first()?;
            let (string, after) = after.split_at_checked(usize::from(len))?;
            rest = after;
            Some(string)
        });
        strings.filter_map(|string| match string.iter().position(|b| *b == b'=') {
            Some(0) => None,
            Some(at) => Some((&string[..at], Value::Octets(&string[at + 1..]))),
            None => (!string.is_empty()).then_some((string, Value::Present)),
        })
    }
}

fn check(rdata: &[u8]) -> Result<(), TxtError> {
    if rdata.len() > MAX_TXT {
        return Err(TxtError::Length);
    }
    let mut rest = rdata;
    while let Some((&len, after)) = rest.split_first() {
        rest = after.get(usize::from(len)..).ok_or(TxtError::Truncated)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn the_first_of_two_equal_keys_counts_whatever_its_case() {
        let txt = Txt::decode(b"\x05Key=a\x05kEY=b").unwrap();
        assert_eq!(txt.get("key"), Some(Value::Octets(b"a")));
    }

    #[test]
    fn a_key_without_value_differs_from_one_with_an_empty_value() {
        let txt = Txt::decode(b"\x01a\x02b=").unwrap();
        assert_eq!(txt.get("a"), Some(Value::Present));
        assert_eq!(txt.get("b"), Some(Value::Octets(b"")));
        assert_eq!(txt.get("c"), None);
    }

    #[test]
    fn a_string_without_a_key_is_ignored() {
        assert_eq!(Txt::decode(b"\x02=x\x00\x03a=\xff").unwrap().pairs().count(), 1);
    }

    #[test]
    fn an_empty_record_is_one_zero_octet() {
        assert_eq!(Txt::decode(b"").unwrap().as_rdata(), [0]);
        assert_eq!(Txt::encode([]).unwrap().as_rdata(), [0]);
    }

    #[test]
    fn a_string_past_the_end_is_no_txt() {
        assert_eq!(Txt::decode(b"\x05abc"), Err(TxtError::Truncated));
        assert_eq!(Txt::decode(&[0; MAX_TXT + 1]), Err(TxtError::Length));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let pairs = [("txtvers", Value::Octets(b"1")), ("pair", Value::Present), ("n", Value::Octets(b"="))];
        let txt = Txt::encode(pairs).unwrap();
        assert_eq!(txt.as_rdata(), b"\x09txtvers=1\x04pair\x03n==");
        assert!(txt.pairs().map(|(k, v)| (std::str::from_utf8(k).unwrap(), v)).eq(pairs));
        assert_eq!(Txt::encode([("a=", Value::Present)]), Err(TxtError::Key));
        assert_eq!(Txt::encode([("a", Value::Octets(&[0; 254]))]), Err(TxtError::Length));
    }

    fn a_key() -> impl Strategy<Value = String> {
        "[ -<>-~]{1,20}"
    }

    proptest! {
        #[test]
        fn all_pairs_read_back_in_their_order(
            pairs in vec((a_key(), prop::option::of(vec(any::<u8>(), 0..200))), 0..10),
        ) {
            let given = pairs.iter().map(|(key, octets)| {
                (key.as_str(), octets.as_deref().map_or(Value::Present, Value::Octets))
            });
            let txt = Txt::encode(given.clone()).unwrap();
            prop_assert!(txt.pairs().map(|(k, v)| (std::str::from_utf8(k).unwrap(), v)).eq(given));
            prop_assert_eq!(Txt::decode(txt.as_rdata()), Ok(txt.clone()));
        }

        #[test]
        fn any_octets_are_kept_as_they_came_or_refused(rdata in vec(any::<u8>(), 0..3000)) {
            crate::wire::fuzz::txt(&rdata);
        }

        #[test]
        fn any_strings_are_kept_and_are_at_most_as_many_pairs(strings in vec(vec(any::<u8>(), 0..80), 1..30)) {
            let rdata: Vec<u8> =
                strings.iter().flat_map(|s| [vec![s.len() as u8], s.clone()].concat()).collect();
            let txt = crate::wire::fuzz::txt(&rdata).unwrap();
            prop_assert!(txt.pairs().count() <= strings.len());
        }
    }
}
