//! One pass over a MessagePack value before serde sees it.
//!
//! Checks what serde takes as it comes: nesting, duplicate keys, lengths against the bytes that are there,
//! text that is no UTF-8, and bytes after the end. Linear but for the keys of a map (n log n); allocates
//! nothing but those keys, and never by a claimed length.

use super::Malformed;
use std::collections::BTreeSet;

/// Maps and arrays within each other: deeper is malformed.
const MAX_DEPTH: usize = 8;

/// The name of a message, and the bytes of the value that holds its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) name: &'a str,
    pub(super) fields: &'a [u8],
}

/// Reads a map of one key, whose value is a map, and checks all of it.
pub(super) fn message(body: &[u8]) -> Result<Message<'_>, Malformed> {
    let message = value(body)?;
    match (Scan { rest: message.fields }).head()? {
        Head::Map(_) => Ok(message),
        Head::Scalar | Head::Text(_) | Head::Bytes(_) | Head::Array(_) => Err(Malformed),
    }
}

/// Reads a map of one key, whatever its value, and checks all of it.
pub(super) fn value(body: &[u8]) -> Result<Message<'_>, Malformed> {
    let mut scan = Scan { rest: body };
    let Head::Map(1) = scan.head()? else { return Err(Malformed) };
    let name = scan.key()?;
    let fields = scan.rest;
    scan.value(1)?;
    if scan.rest.is_empty() { Ok(Message { name, fields }) } else { Err(Malformed) }
}

/// Reads an array of at most `max` values, each as its own bytes, and checks all of it.
pub(super) fn array(bytes: &[u8], max: usize) -> Result<Vec<&[u8]>, Malformed> {
    let mut scan = Scan { rest: bytes };
    let Head::Array(len) = scan.head()? else { return Err(Malformed) };
    if len > max {
        return Err(Malformed);
    }
    let mut items = Vec::new();
    for _ in 0..len {
        let begin = scan.rest;
        scan.value(1)?;
        items.push(&begin[..begin.len() - scan.rest.len()]);
    }
    if scan.rest.is_empty() { Ok(items) } else { Err(Malformed) }
}

/// The bytes of a byte string, and nothing after it.
pub(super) fn bytes(value: &[u8]) -> Result<&[u8], Malformed> {
    let mut scan = Scan { rest: value };
    let (Some(0xc4..=0xc6), Head::Bytes(len)) = (value.first(), scan.head()?) else { return Err(Malformed) };
    let bytes = scan.take(len)?;
    if scan.rest.is_empty() { Ok(bytes) } else { Err(Malformed) }
}

/// The first bytes of a value.
enum Head {
    /// A number, nil or bool, whole already.
    Scalar,
    /// So many bytes of text follow.
    Text(usize),
    /// So many bytes follow.
    Bytes(usize),
    /// So many values follow.
    Array(usize),
    /// So many keys and values follow.
    Map(usize),
}

struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    /// Checks one value. `depth` counts the containers around it.
    fn value(&mut self, depth: usize) -> Result<(), Malformed> {
        match self.head()? {
            Head::Scalar => Ok(()),
            Head::Text(len) => self.text(len).map(drop),
            Head::Bytes(len) => self.take(len).map(drop),
            Head::Array(len) => {
                let inside = deeper(depth)?;
                (0..len).try_for_each(|_| self.value(inside))
            }
            Head::Map(len) => self.map(len, deeper(depth)?),
        }
    }

    /// Checks the keys and values of a map that is itself the `depth`th container.
    fn map(&mut self, len: usize, depth: usize) -> Result<(), Malformed> {
        let mut keys = BTreeSet::new();
        for _ in 0..len {
            if !keys.insert(self.key()?) {
                return Err(Malformed);
            }
            self.value(depth)?;
        }
        Ok(())
    }

    fn key(&mut self) -> Result<&'a str, Malformed> {
        let Head::Text(len) = self.head()? else { return Err(Malformed) };
        self.text(len)
    }

    fn text(&mut self, len: usize) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.take(len)?).map_err(|_| Malformed)
    }

    fn head(&mut self) -> Result<Head, Malformed> {
        #[cfg(test)]
        crate::testing::step();
        let marker = self.take(1)?[0];
        Ok(match marker {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Head::Scalar,
            0x80..=0x8f => Head::Map(usize::from(marker & 0x0f)),
            0x90..=0x9f => Head::Array(usize::from(marker & 0x0f)),
            0xa0..=0xbf => Head::Text(usize::from(marker & 0x1f)),
            // The one byte that MessagePack never uses.
            0xc1 => return Err(Malformed),
            0xc4..=0xc6 => Head::Bytes(self.length(1 << (marker - 0xc4))?),
            // Extensions carry one byte of type in front of their data.
            0xc7..=0xc9 => Head::Bytes(self.length(1 << (marker - 0xc7))?.saturating_add(1)),
            0xd4..=0xd8 => Head::Bytes((1 << (marker - 0xd4)) + 1),
            0xca | 0xce | 0xd2 => self.scalar(4)?,
            0xcb | 0xcf | 0xd3 => self.scalar(8)?,
            0xcc | 0xd0 => self.scalar(1)?,
            0xcd | 0xd1 => self.scalar(2)?,
            0xd9..=0xdb => Head::Text(self.length(1 << (marker - 0xd9))?),
            0xdc | 0xdd => Head::Array(self.length(2 << (marker - 0xdc))?),
            0xde | 0xdf => Head::Map(self.length(2 << (marker - 0xde))?),
        })
    }

    fn scalar(&mut self, len: usize) -> Result<Head, Malformed> {
        self.take(len).map(|_| Head::Scalar)
    }

    /// A big-endian length of `bytes` bytes: 1, 2 or 4.
    fn length(&mut self, bytes: usize) -> Result<usize, Malformed> {
        Ok(self.take(bytes)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn deeper(depth: usize) -> Result<usize, Malformed> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(Malformed) }
}
