//! Domain names as mDNS has them: raw UTF-8 labels, compared by ASCII case alone. RFC 6762 §16, appendix C.
//!
//! Checked once, when made. Never normalises Unicode and never knows punycode.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// The longest label, in octets. RFC 1035 §2.3.4.
pub(crate) const MAX_LABEL: usize = 63;
/// The longest name, in octets, its final zero included. RFC 6762 appendix C.
pub(crate) const MAX_NAME: usize = 256;

/// A name: its labels, each behind its length, and a final zero.
///
/// No octet of a length is an ASCII letter, so that the whole may be folded at once.
#[derive(Clone)]
pub(crate) struct Name {
    wire: Arc<[u8]>,
    /// Its first octets, folded, the first one the highest, and zeros where it is shorter: most names differ
    /// here, and a table of thousands finds one without a look at the others.
    head: u64,
}

/// One label of a name: 1 to 63 octets.
#[derive(Clone)]
pub(crate) struct Label(Arc<[u8]>);

/// Why there is no such name or label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    /// A control character in the label of an instance. RFC 6763 §4.1.1.
    #[error("a label has a control character")]
    Control,
    /// A label that is empty or too long.
    #[error("a label has 1 to 63 octets")]
    LabelLength,
    /// Too many octets in all.
    #[error("a name has at most 255 octets and a final zero")]
    NameLength,
}

impl Label {
    /// A label that we publish. RFC 6763 §4.1.1.
    pub(crate) fn new(text: &str) -> Result<Self, NameError> {
        if text.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        Self::from_octets(text.as_bytes())
    }

    /// A label as it came in: any octets.
    pub(crate) fn from_octets(octets: &[u8]) -> Result<Self, NameError> {
        if octets.is_empty() || octets.len() > MAX_LABEL {
            return Err(NameError::LabelLength);
        }
        Ok(Self(octets.into()))
    }

    /// Its octets.
    pub(crate) fn as_octets(&self) -> &[u8] {
        &self.0
    }

    /// Its text, where it is UTF-8.
    pub(crate) fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl Name {
    /// The name with these labels, the outermost last.
    pub(crate) fn from_labels<'a>(labels: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, NameError> {
        Self::from_labels_or(labels, &[])
    }

    /// The same, of which one of `known` is a copy that is there already, letter case included.
    pub(super) fn from_labels_or<'a>(
        labels: impl IntoIterator<Item = &'a [u8]>,
        known: &[Self],
    ) -> Result<Self, NameError> {
        let mut wire = [0; MAX_NAME];
        let mut len = 0;
        for label in labels {
            if label.is_empty() || label.len() > MAX_LABEL {
                return Err(NameError::LabelLength);
            }
            let end = len + 1 + label.len();
            // Its final zero has yet to follow.
            let place = wire.get_mut(len..end).filter(|_| end < MAX_NAME).ok_or(NameError::NameLength)?;
            place[0] = label.len() as u8;
            place[1..].copy_from_slice(label);
            len = end;
        }
        let wire = &wire[..=len];
        let head = head(wire);
        let same = known.iter().find(|name| name.head == head && *name.wire == *wire);
        Ok(same.cloned().unwrap_or_else(|| Self { wire: wire.into(), head }))
    }

    /// A name that lies in a buffer, uncompressed.
    pub(super) fn from_wire(wire: &[u8]) -> Option<Self> {
        let mut rest = wire;
        while let Some((_, after)) = split_label(rest) {
            rest = after;
        }
        (rest == [0] && wire.len() <= MAX_NAME).then(|| Self { wire: wire.into(), head: head(wire) })
    }

    /// The name one level below this one.
    pub(crate) fn child(&self, label: &Label) -> Result<Self, NameError> {
        Self::from_labels(std::iter::once(label.as_octets()).chain(self.labels()))
    }

    /// Labels, each behind its length, and a final zero: never compressed.
    pub(crate) fn as_wire(&self) -> &[u8] {
        &self.wire
    }

    /// Its labels, the innermost first.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.wire[..];
        std::iter::from_fn(move || {
            let (label, after) = split_label(rest)?;
            rest = after;
            Some(label)
        })
    }

    /// Its first label; the root has none.
    pub(crate) fn first(&self) -> Option<Label> {
        split_label(&self.wire).map(|(label, _)| Label(label.into()))
    }

    /// Whether it is exactly one label below `parent`.
    pub(crate) fn is_child_of(&self, parent: &Name) -> bool {
        split_label(&self.wire).is_some_and(|(_, rest)| folded_eq(rest, &parent.wire))
    }
}

/// A name that lies in a buffer, uncompressed: a table of names finds it without a copy.
#[derive(Clone, Copy)]
pub(super) struct WireName<'a> {
    wire: &'a [u8],
    head: u64,
}

impl<'a> WireName<'a> {
    /// Labels, each behind its length, and a final zero.
    pub(super) fn new(wire: &'a [u8]) -> Self {
        Self { wire, head: head(wire) }
    }

    /// The name one level above this one; the root has none.
    pub(super) fn parent(&self) -> Option<Self> {
        split_label(self.wire).map(|(_, rest)| Self::new(rest))
    }

    /// One bit of 64, by its first octets, whatever their case.
    pub(super) fn mark(&self) -> u64 {
        // The odd number next to 2^64 divided by the golden ratio spreads what differs little.
        1 << (self.head.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
    }

    /// In the order of [`Name`]s.
    pub(super) fn cmp_name(&self, name: &Name) -> Ordering {
        self.head.cmp(&name.head).then_with(|| folded_cmp(self.wire, &name.wire))
    }
}

/// A [`Name`] or a [`WireName`]: a map by names is asked for either.
pub(super) trait Named {
    fn wire_name(&self) -> WireName<'_>;
}

impl Named for Name {
    fn wire_name(&self) -> WireName<'_> {
        WireName { wire: &self.wire, head: self.head }
    }
}

impl Named for WireName<'_> {
    fn wire_name(&self) -> WireName<'_> {
        *self
    }
}

impl<'a> Borrow<dyn Named + 'a> for Name {
    fn borrow(&self) -> &(dyn Named + 'a) {
        self
    }
}

impl Ord for dyn Named + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.wire_name(), other.wire_name());
        a.head.cmp(&b.head).then_with(|| folded_cmp(a.wire, b.wire))
    }
}

impl PartialOrd for dyn Named + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn Named + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for dyn Named + '_ {}

fn split_label(wire: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&len, rest) = wire.split_first()?;
    if len == 0 { None } else { rest.split_at_checked(usize::from(len)) }
}

fn head(wire: &[u8]) -> u64 {
    let mut head = [0; 8];
    match wire.first_chunk() {
        Some(first) => head = *first,
        None => head[..wire.len()].copy_from_slice(wire),
    }
    folded(u64::from_be_bytes(head))
}

/// Eight octets with ASCII's capital letters made small, all at once.
fn folded(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = 0x80 * EACH;
    let low = word & !TOP;
    // The top bit of an octet says whether it is at least `A`, and whether it is beyond `Z`: no sum overflows.
    let from_a = low + (0x80 - u64::from(b'A')) * EACH;
    let beyond_z = low + (0x7f - u64::from(b'Z')) * EACH;
    let is_capital = (from_a ^ beyond_z) & !word & TOP;
    word | (is_capital >> 2)
}

/// Folds ASCII case, never Unicode. RFC 6762 §16.
fn folded_cmp(a: &[u8], b: &[u8]) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let ((a_words, _), (b_words, _)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a_words.iter().zip(b_words).filter(|(a, b)| a != b) {
        let [a, b] = [a, b].map(|word| folded(u64::from_be_bytes(*word)));
        if a != b {
            return a.cmp(&b);
        }
    }
    let same = 8 * a_words.len().min(b_words.len());
    let rest = |octets| <[u8]>::iter(octets).map(u8::to_ascii_lowercase);
    rest(&a[same..]).cmp(rest(&b[same..]))
}

/// Whether two are the same but for ASCII case.
fn folded_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && folded_cmp(a, b).is_eq()
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.head.cmp(&other.head).then_with(|| match Arc::ptr_eq(&self.wire, &other.wire) {
            true => Ordering::Equal,
            false => folded_cmp(&self.wire, &other.wire),
        })
    }
}

impl Ord for Label {
    fn cmp(&self, other: &Self) -> Ordering {
        folded_cmp(&self.0, &other.0)
    }
}

macro_rules! folded {
    ($($name:ident),*) => {$(
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }
        impl Eq for $name {}
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )*};
}
folded!(Name, Label);

impl fmt::Display for Label {
    /// `.` and `\` are escaped: in text alone. RFC 6763 §4.3.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in String::from_utf8_lossy(&self.0).chars() {
            match c {
                '.' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\{:03}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for label in self.labels() {
            write!(f, "{}.", Label(label.into()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
