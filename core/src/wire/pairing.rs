//! The messages of the pairing stream, in the order in which they come.

use super::control::Described;
use super::frame::Frame;
use super::{Malformed, strict};
use crate::as_bin;
use crate::id::PairId;
use crate::metadata::Metadata;
use crate::store::Role;
use serde::{Deserialize, Deserializer, Serialize};

/// `attempts_left` where attempts are not counted.
pub(crate) const NOT_COUNTED: u8 = 255;
/// Suites, and methods, that a `PairHello` may offer.
const MAX_OFFERS: usize = 32;

/// A message of the pairing stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Pairing {
    /// 0, from the QUIC client: which part it plays.
    Open(Open),
    /// 1, joiner to host.
    PairHello(PairHello),
    /// 2, host to joiner.
    PairHelloAck(PairHelloAck),
    /// 2 or 6, host to joiner: the session ends.
    Reject(Reject),
    /// 3, joiner to host.
    PakeA(Point),
    /// 4, host to joiner.
    PakeB(Point),
    /// 5, joiner to host.
    ConfirmA(Confirm),
    /// 6, host to joiner.
    ConfirmB(Confirm),
    /// 7, both: the first authenticated names.
    Meta(Metadata),
    /// 8, both.
    UserOk(UserOk),
    /// 9, joiner to host: saved, and bound by what the host decides.
    Prepared(Decision),
    /// 10, host to joiner: saved, and decided.
    Commit(Decision),
    /// 11, joiner to host.
    Done(Decision),
    /// Any time: the session ends, and its sender has no record of it.
    Abort(Abort),
}

/// Which part the QUIC client plays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Open {
    #[serde(deserialize_with = "strict::word")]
    pub(crate) role: Role,
    /// The only method that it came for, where that matters: a host that dials to be trusted says `trust`, so that
    /// nobody is asked for a code that there is not.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "only_method")]
    pub(crate) method: Option<String>,
}

impl Open {
    /// To pair by whatever both can do.
    pub(crate) fn new(role: Role) -> Self {
        Self { role, method: None }
    }
}

/// What the joiner can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PairHello {
    pub(crate) version: u16,
    #[serde(deserialize_with = "strict::list::<_, u8, MAX_OFFERS>")]
    pub(crate) suites: Vec<u8>,
    #[serde(deserialize_with = "methods")]
    pub(crate) methods: Vec<String>,
    #[serde(with = "as_bin")]
    pub(crate) nonce: [u8; 16],
}

/// What the host chose of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PairHelloAck {
    pub(crate) version: u16,
    pub(crate) suite: u8,
    #[serde(deserialize_with = "strict::text::<_, MAX_METHOD>")]
    pub(crate) method: String,
    #[serde(with = "as_bin")]
    pub(crate) nonce: [u8; 16],
    pub(crate) attempts_left: u8,
}

/// Bytes that the name of a method may have.
const MAX_METHOD: usize = 32;

/// The host's refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reject {
    #[serde(deserialize_with = "strict::word")]
    pub(crate) reason: RejectReason,
    /// Counts for `bad_code` alone.
    #[serde(default = "not_counted")]
    pub(crate) attempts_left: u8,
}

/// Why a host refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RejectReason {
    NoWindow,
    Busy,
    Locked,
    Version,
    Method,
    BadCode,
}

/// A point of the key exchange, its side byte first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Point {
    #[serde(with = "as_bin")]
    pub(crate) point: [u8; 33],
}

/// A proof that the sender derived the same keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Confirm {
    #[serde(with = "as_bin")]
    pub(crate) mac: [u8; 32],
}

/// The user, if one is asked, agrees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserOk {}

/// A step of both or neither.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub(crate) pair_id: PairId,
}

/// Why a session ends before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Abort {
    #[serde(deserialize_with = "strict::word")]
    pub(crate) reason: AbortReason,
}

/// Why a side gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AbortReason {
    Refused,
    Cancelled,
    Timeout,
    Hook,
    Store,
    Busy,
}

impl Pairing {
    /// The message as a frame.
    pub(crate) fn encode(&self) -> Frame {
        Frame::encode(self)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`Malformed`] for everything that breaks the format or a limit, a message of an unknown name too.
    pub(crate) fn decode(frame: &Frame) -> Result<Self, Malformed> {
        let message = frame.message()?;
        let fields = message.fields;
        Ok(match message.name {
            "Open" => Self::Open(strict::fields(fields)?),
            "PairHello" => Self::PairHello(strict::fields(fields)?),
            "PairHelloAck" => Self::PairHelloAck(strict::fields(fields)?),
            "Reject" => Self::Reject(strict::fields(fields)?),
            "PakeA" => Self::PakeA(strict::fields(fields)?),
            "PakeB" => Self::PakeB(strict::fields(fields)?),
            "ConfirmA" => Self::ConfirmA(strict::fields(fields)?),
            "ConfirmB" => Self::ConfirmB(strict::fields(fields)?),
            "Meta" => Self::Meta(strict::fields::<Described>(fields)?.into()),
            "UserOk" => Self::UserOk(strict::fields(fields)?),
            "Prepared" => Self::Prepared(strict::fields(fields)?),
            "Commit" => Self::Commit(strict::fields(fields)?),
            "Done" => Self::Done(strict::fields(fields)?),
            "Abort" => Self::Abort(strict::fields(fields)?),
            _ => return Err(Malformed),
        })
    }
}

fn methods<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    let list = strict::list::<D, strict::Text<MAX_METHOD>, MAX_OFFERS>(d)?;
    Ok(list.into_iter().map(|text| text.0).collect())
}

fn only_method<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    strict::text::<D, MAX_METHOD>(d).map(Some)
}

fn not_counted() -> u8 {
    NOT_COUNTED
}
