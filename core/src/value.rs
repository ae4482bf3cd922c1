//! Values of an application on a stream: each is a 4-byte big-endian length, and so many bytes of MessagePack with
//! named fields.
//!
//! Never takes more memory than came, whatever a length or a count claims.

#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of a value that a reader takes, unless it is told otherwise.
pub const MAX_VALUE: usize = 1 << 20;

/// Maps and arrays within each other that a reader takes.
pub const MAX_DEPTH: usize = 64;

/// Bytes of the length.
const PREFIX: usize = 4;

/// Why a value cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// Over 4 GiB, which no length can say.
    #[error("the value is over 4 GiB")]
    TooLong,
    /// Its type cannot be written as MessagePack; in the words of its `Serialize`.
    #[error("the value cannot be written: {0}")]
    Type(String),
}

/// Why bytes are no value of the type that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// Its length is over the reader's limit. Nothing that follows can be read.
    #[error("a value is longer than it may be")]
    TooLong,
    /// Maps and arrays lie within each other more than 64 deep.
    #[error("a value is nested too deeply")]
    TooDeep,
    /// Bytes follow the value, within its length.
    #[error("bytes follow the value")]
    Trailing,
    /// It ends before it is whole, or the stream does.
    #[error("the value is cut off")]
    Truncated,
    /// It is no MessagePack, or of another type; in the words of the type's `Deserialize`.
    #[error("the value is of another type: {0}")]
    Type(String),
}

/// A value as it crosses the wire, its length included.
///
/// ```
/// use handfast_core::value::{Frames, MAX_VALUE, decode, encode};
///
/// let mut wire = encode(&("volume", 11_u8))?;
/// let frame = Frames::default().next(&mut wire, MAX_VALUE)?.expect("it is whole");
/// assert_eq!(decode::<(String, u8)>(&frame)?, ("volume".to_owned(), 11));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`EncodeError`].
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, EncodeError> {
    let mut body = BytesMut::zeroed(PREFIX).writer();
    let mut writer = rmp_serde::Serializer::new(&mut body).with_struct_map();
    value.serialize(&mut writer).map_err(|error| EncodeError::Type(error.to_string()))?;
    let mut frame = body.into_inner();
    let len = u32::try_from(frame.len() - PREFIX).map_err(|_| EncodeError::TooLong)?;
    frame[..PREFIX].copy_from_slice(&len.to_be_bytes());
    Ok(frame.freeze())
}

/// The value in a frame, without its length. All of its form is checked before the type sees it.
///
/// # Errors
/// [`ValueError`], but for [`ValueError::TooLong`].
pub fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, ValueError> {
    scan(frame)?;
    rmp_serde::from_slice(frame).map_err(|error| ValueError::Type(error.to_string()))
}

/// Cuts a stream into values. Holds at most one that is not whole.
#[derive(Debug, Default)]
pub struct Frames {
    partial: BytesMut,
}

impl Frames {
    /// Takes the next value out of `piece`, the bytes that came after those of the last call; `None` where `piece` is
    /// used up. `max` is how many bytes it may have.
    ///
    /// # Errors
    /// [`ValueError::TooLong`], and again at every further call with the same limit.
    pub fn next(&mut self, piece: &mut Bytes, max: usize) -> Result<Option<Bytes>, ValueError> {
        if !self.fill(piece, PREFIX) {
            return Ok(None);
        }
        let len = self.partial[..PREFIX].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let len = usize::try_from(len).ok().filter(|len| *len <= max).ok_or(ValueError::TooLong)?;
        if !self.fill(piece, PREFIX.saturating_add(len)) {
            return Ok(None);
        }
        Ok(Some(std::mem::take(&mut self.partial).freeze().slice(PREFIX..)))
    }

    /// Whether the stream may end here: no value is begun.
    pub fn is_between(&self) -> bool {
        self.partial.is_empty()
    }

    /// Moves bytes over until there are `want`; whether there are.
    fn fill(&mut self, piece: &mut Bytes, want: usize) -> bool {
        let missing = want.saturating_sub(self.partial.len()).min(piece.len());
        self.partial.extend_from_slice(&piece.split_to(missing));
        self.partial.len() >= want
    }
}

/// What a value's first bytes say of it.
enum Head {
    /// So many bytes belong to it.
    Bytes(usize),
    /// So many values lie in it: a map has two for each entry.
    Container(u64),
}

/// Checks nesting, and lengths against the bytes that are there: serde's readers go down one level for each that a
/// value claims, and those of enums count none. Goes down nowhere itself.
fn scan(mut rest: &[u8]) -> Result<(), ValueError> {
    let mut outer = Vec::new();
    let mut left = 1_u64;
    loop {
        while left == 0 {
            match outer.pop() {
                Some(around) => left = around,
                None if rest.is_empty() => return Ok(()),
                None => return Err(ValueError::Trailing),
            }
        }
        left -= 1;
        match head(&mut rest)? {
            Head::Bytes(len) => drop(take(&mut rest, len)?),
            Head::Container(inside) => {
                if outer.len() == MAX_DEPTH {
                    return Err(ValueError::TooDeep);
                }
                outer.push(std::mem::replace(&mut left, inside));
            }
        }
    }
}

fn head(rest: &mut &[u8]) -> Result<Head, ValueError> {
    let marker = take(rest, 1)?[0];
    Ok(match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Head::Bytes(0),
        0x80..=0x8f => Head::Container(2 * u64::from(marker & 0x0f)),
        0x90..=0x9f => Head::Container(u64::from(marker & 0x0f)),
        0xa0..=0xbf => Head::Bytes(usize::from(marker & 0x1f)),
        0xc1 => return Err(ValueError::Type("a byte that MessagePack never uses".to_owned())),
        0xc4..=0xc6 => Head::Bytes(length(rest, 1 << (marker - 0xc4))?),
        // Extensions carry one byte of type in front of their data.
        0xc7..=0xc9 => Head::Bytes(length(rest, 1 << (marker - 0xc7))?.saturating_add(1)),
        0xd4..=0xd8 => Head::Bytes((1 << (marker - 0xd4)) + 1),
        0xcc | 0xd0 => Head::Bytes(1),
        0xcd | 0xd1 => Head::Bytes(2),
        0xca | 0xce | 0xd2 => Head::Bytes(4),
        0xcb | 0xcf | 0xd3 => Head::Bytes(8),
        0xd9..=0xdb => Head::Bytes(length(rest, 1 << (marker - 0xd9))?),
        0xdc | 0xdd => Head::Container(length(rest, 2 << (marker - 0xdc))? as u64),
        0xde | 0xdf => Head::Container(2 * length(rest, 2 << (marker - 0xde))? as u64),
    })
}

/// A big-endian length of `bytes` bytes: 1, 2 or 4.
fn length(rest: &mut &[u8], bytes: usize) -> Result<usize, ValueError> {
    Ok(take(rest, bytes)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], ValueError> {
    let (taken, after) = rest.split_at_checked(len).ok_or(ValueError::Truncated)?;
    *rest = after;
    Ok(taken)
}
