//! What a service says of itself: keys and values, in their order. RFC 6763 §6.

use crate::error::TxtError;

/// The longest string of a TXT record, in bytes: a key, a `=` and a value. RFC 6763 §6.1.
const MAX_STRING: usize = 255;

/// What stands behind a key of a [`TxtRecord`]. RFC 6763 §6.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxtValue<'a> {
    /// The key is there, without a value.
    Present,
    /// The value, which may be empty, and need not be text.
    Bytes(&'a [u8]),
}

/// The keys and values that a service publishes beside its port: everyone on the LAN can read them, and forge
/// those of others.
///
/// Keys are printable ASCII without `=`; they are compared without regard to ASCII case, and each is there
/// once: of several that were received the first counts. A key, its `=` and its value have at most 255 bytes
/// together. Aim at 400 bytes in all: more than [`TxtRecord::MAX_SIZE`] is not published. RFC 6763 §6.2.
///
/// ```
/// use handfast_core::{TxtRecord, TxtValue};
///
/// let txt = TxtRecord::new().with("path", "/")?.with("note", "")?.with_flag("color")?;
/// assert_eq!(txt.get_str("PATH"), Some("/"));
/// assert_eq!(txt.get("note"), Some(TxtValue::Bytes(b"")));
/// assert_eq!(txt.get("color"), Some(TxtValue::Present));
/// assert_eq!(txt.get("duplex"), None);
/// # Ok::<(), handfast_core::error::TxtError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxtRecord(Vec<(String, Option<Vec<u8>>)>);

impl TxtRecord {
    /// Bytes that a record may have that is published, with the length of each of its strings. RFC 6763 §6.2.
    pub const MAX_SIZE: usize = 1300;

    /// A record that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a key: one that is there already keeps its place.
    ///
    /// # Errors
    /// [`TxtError`].
    pub fn with(self, key: &str, value: impl AsRef<[u8]>) -> Result<Self, TxtError> {
        self.set(key, Some(value.as_ref().to_vec()))
    }

    /// Sets a key without a value.
    ///
    /// # Errors
    /// [`TxtError`].
    pub fn with_flag(self, key: &str) -> Result<Self, TxtError> {
        self.set(key, None)
    }

    fn set(mut self, key: &str, value: Option<Vec<u8>>) -> Result<Self, TxtError> {
        if !is_key(key.as_bytes()) {
            return Err(TxtError::Key);
        }
        let known = self.0.iter_mut().find(|(k, _)| k.eq_ignore_ascii_case(key));
        let pair = (key.to_owned(), value);
        if string_len(&pair) > MAX_STRING {
            return Err(TxtError::Length);
        }
        match known {
            Some(known) => *known = pair,
            None => self.0.push(pair),
        }
        self.check()?;
        Ok(self)
    }

    /// What was received: keys that are none are left out, and those that came before.
    pub(crate) fn heard<'a>(pairs: impl IntoIterator<Item = (&'a [u8], TxtValue<'a>)>) -> Self {
        let mut txt = Self::new();
        for (key, value) in pairs {
            let Some(key) = std::str::from_utf8(key).ok().filter(|key| is_key(key.as_bytes())) else {
                continue;
            };
            if txt.get(key).is_none() {
                let value = match value {
                    TxtValue::Present => None,
                    TxtValue::Bytes(bytes) => Some(bytes.to_vec()),
                };
                txt.0.push((key.to_owned(), value));
            }
        }
        txt
    }

    /// Whether it may be published: what was received may be longer.
    pub(crate) fn check(&self) -> Result<(), TxtError> {
        if self.size() > Self::MAX_SIZE { Err(TxtError::Size) } else { Ok(()) }
    }

    /// What stands behind a key; `None` where it is not there.
    pub fn get(&self, key: &str) -> Option<TxtValue<'_>> {
        self.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// The value of a key, where it has one that is text.
    pub fn get_str(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            TxtValue::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            TxtValue::Present => None,
        }
    }

    /// All keys and values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, TxtValue<'_>)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_deref().map_or(TxtValue::Present, TxtValue::Bytes)))
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes it has on the wire.
    pub fn size(&self) -> usize {
        // One that says nothing is one zero byte. RFC 6763 §6.1.
        self.0.iter().map(|pair| 1 + string_len(pair)).sum::<usize>().max(1)
    }
}

/// RFC 6763 §6.4.
fn is_key(key: &[u8]) -> bool {
    !key.is_empty() && key.iter().all(|b| (0x20..=0x7e).contains(b) && *b != b'=')
}

fn string_len((key, value): &(String, Option<Vec<u8>>)) -> usize {
    key.len() + value.as_ref().map_or(0, |value| 1 + value.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn a_key_that_is_set_again_keeps_its_place() {
        let txt = TxtRecord::new().with("a", "1").unwrap().with_flag("b").unwrap().with("A", "2").unwrap();
        let pairs: Vec<_> = txt.iter().collect();
        assert_eq!(pairs, [("A", TxtValue::Bytes(b"2")), ("b", TxtValue::Present)]);
    }

    #[test]
    fn of_keys_that_were_received_twice_the_first_counts() {
        let pairs =
            [(&b"k"[..], TxtValue::Present), (b"K", TxtValue::Bytes(b"late")), (b"\xff", TxtValue::Present)];
        let txt = TxtRecord::heard(pairs);
        assert!(txt.iter().eq([("k", TxtValue::Present)]));
    }

    #[test]
    fn a_value_that_is_no_text_is_bytes() {
        let txt = TxtRecord::new().with("k", [0xff, 0]).unwrap();
        assert_eq!(txt.get("k"), Some(TxtValue::Bytes(&[0xff, 0])));
        assert_eq!(txt.get_str("k"), None);
    }

    #[test]
    fn keys_strings_and_the_whole_have_their_limits() {
        let new = TxtRecord::new;
        for key in ["", "a=b", "tab\t", "\u{e4}"] {
            assert_eq!(new().with_flag(key), Err(TxtError::Key), "{key:?}");
        }
        assert!(new().with("k", [0; 253]).is_ok());
        assert_eq!(new().with("k", [0; 254]), Err(TxtError::Length));
        let fill = |n: usize| (0..n).try_fold(new(), |txt, n| txt.with(&n.to_string(), [0; 253]));
        assert_eq!(fill(5).unwrap().size(), 5 * 256);
        assert_eq!(fill(6), Err(TxtError::Size));
    }

    proptest! {
        #[test]
        fn what_is_set_is_got_and_takes_the_bytes_that_are_said(
            pairs in vec(("[ -<>-~]{1,8}", prop::option::of(vec(any::<u8>(), 0..60))), 0..10),
        ) {
            let set = |txt: TxtRecord, (key, value): &(String, Option<Vec<u8>>)| match value {
                Some(value) => txt.with(key, value),
                None => txt.with_flag(key),
            };
            let txt = pairs.iter().try_fold(TxtRecord::new(), set).unwrap();
            for (n, (key, value)) in pairs.iter().enumerate() {
                let last = !pairs[n + 1..].iter().any(|(later, _)| later.eq_ignore_ascii_case(key));
                let value = value.as_deref().map_or(TxtValue::Present, TxtValue::Bytes);
                prop_assert!(!last || txt.get(key) == Some(value));
            }
            // As the parser of the wire would tell it.
            let heard = TxtRecord::heard(txt.iter().map(|(key, value)| (key.as_bytes(), value)));
            prop_assert_eq!(&heard, &txt);
            let strings = txt.iter().map(|(key, value)| match value {
                TxtValue::Present => key.len() + 1,
                TxtValue::Bytes(bytes) => key.len() + 2 + bytes.len(),
            });
            prop_assert_eq!(txt.size(), strings.sum::<usize>().max(1));
        }
    }
}
