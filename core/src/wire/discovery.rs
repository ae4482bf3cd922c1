//! The messages between a node and a discovery server. Each is one value on a stream of its own, up to the stream's end.
//!
//! A value has the form of a frame's body: a map of one key, the message's name. Knows nothing of what records hold:
//! see `global/record.rs`.

use super::Malformed;
use super::scan;
use super::strict::{self, Map};
use crate::as_bin;
use crate::id::PeerId;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::net::SocketAddr;

/// Bytes that a request may have.
pub(crate) const MAX_REQUEST: usize = 16 << 10;
/// Bytes that a reply may have; on a subscription each of them.
pub(crate) const MAX_REPLY: usize = 64 << 10;
/// Bytes that a signed record may have.
pub(crate) const MAX_RECORD: usize = 4 << 10;
/// Ids that one query or look-up may name.
pub(crate) const MAX_WANTED: usize = 64;
/// Ids that one connection may subscribe to.
pub(crate) const MAX_SUBSCRIBED: usize = 256;
/// Addresses that one announcement may name.
pub(crate) const MAX_ADDRESSES: usize = 16;
/// Bytes that most messages fit into.
const ROOM: usize = 1 << 10;
/// Bytes of what an error says for people.
const MAX_DETAIL: usize = 256;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Request {
    /// Where the client is.
    ClientAnnouncement(Announcement),
    /// Where these are, as far as they tell anybody.
    #[serde(serialize_with = "names")]
    QueryClientAnnouncement(Vec<PeerId>),
    /// The announcement of that number holds on.
    Refresh(Numbered),
    /// The announcement of that number, or an earlier one, holds no longer.
    Withdraw(Numbered),
    /// Where these are, for who has their tokens.
    Lookup(Vec<Wanted>),
    /// The same, and whatever changes of it from then on.
    Subscribe(Vec<Wanted>),
}

/// Where a client is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announcement {
    /// The client's own name.
    #[serde(deserialize_with = "strict::parsed", serialize_with = "shown")]
    pub(crate) peer_id: PeerId,
    /// What anybody may know; empty unless the client tells its addresses to all.
    #[serde(deserialize_with = "addresses", serialize_with = "shown_each")]
    pub(crate) addresses: Vec<SocketAddr>,
    /// The signed record.
    #[serde(deserialize_with = "record", serialize_with = "as_bin::serialize")]
    pub(crate) record: Bytes,
    /// For how long it is meant, in seconds.
    pub(crate) lease_s: u32,
}

/// An announcement, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Numbered {
    pub(crate) seq: u64,
}

/// Somebody who is looked for, and the proof that he may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    #[serde(deserialize_with = "strict::parsed", serialize_with = "shown")]
    pub(crate) peer_id: PeerId,
    #[serde(with = "as_bin")]
    pub(crate) token: [u8; 32],
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Reply {
    /// The announcement, or its renewal, holds.
    ClientAnnouncementOk(Accepted),
    /// Who was found.
    QueryClientAnnouncementResponse(Response),
    /// It is done.
    Ok(Empty),
    /// On a subscription: somebody is there, or is somewhere else.
    Announced(Answer),
    /// On a subscription: somebody is there no longer.
    Gone(Gone),
    /// On a subscription: changes were lost; ask anew.
    Resync(Empty),
    /// It was not done.
    Error(Refusal),
}

/// How long an announcement holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Accepted {
    /// Where the client's packets come from.
    #[serde(deserialize_with = "address", serialize_with = "shown")]
    pub(crate) observed: SocketAddr,
    pub(crate) lease_s: u32,
    /// When to announce again.
    pub(crate) reannounce_after_s: u32,
    pub(crate) seq: u64,
    /// The server's clock, in seconds since 1970.
    pub(crate) now_s: u64,
}

/// Who was found and who was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Response {
    #[serde(deserialize_with = "maps::<_, _, MAX_WANTED>")]
    pub(crate) found: Vec<Answer>,
    #[serde(deserialize_with = "maps::<_, _, MAX_WANTED>")]
    pub(crate) missing: Vec<Missing>,
}

/// Where somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// As he was asked for.
    #[serde(deserialize_with = "strict::parsed", serialize_with = "shown")]
    pub(crate) peer_id: PeerId,
    /// His signed record.
    #[serde(deserialize_with = "optional_record", serialize_with = "optional_bin")]
    pub(crate) record: Option<Bytes>,
    /// What he tells anybody. Nobody signed it.
    #[serde(deserialize_with = "addresses", serialize_with = "shown_each")]
    pub(crate) addresses: Vec<SocketAddr>,
    /// How long ago he announced it, in seconds.
    pub(crate) age_s: u32,
}

/// Somebody who was not found, or may not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Missing {
    #[serde(deserialize_with = "strict::parsed", serialize_with = "shown")]
    pub(crate) peer_id: PeerId,
    /// When to ask again, in seconds; 0 where he only did not fit into the answer.
    pub(crate) retry_after_s: u32,
}

/// Who is there no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gone {
    #[serde(deserialize_with = "strict::parsed", serialize_with = "shown")]
    pub(crate) peer_id: PeerId,
}

/// A message that says all by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Empty {}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    #[serde(deserialize_with = "strict::word")]
    pub(crate) code: RefusalCode,
    /// The highest number that the server holds of the client, else 0.
    pub(crate) seq: u64,
    /// When to ask again, in seconds.
    pub(crate) retry_after_s: u32,
    /// The server's clock, in seconds since 1970.
    pub(crate) now_s: u64,
    /// For people.
    #[serde(deserialize_with = "strict::text::<_, MAX_DETAIL>")]
    pub(crate) detail: String,
}

/// The kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefusalCode {
    BadRequest,
    NotSelf,
    Stale,
    TooLarge,
    RateLimited,
    Overloaded,
    Unsupported,
    Denied,
    Internal,
}

impl Request {
    /// The request as it is sent.
    pub(crate) fn encode(&self) -> Bytes {
        encode(self)
    }

    /// Reads a whole request; `None` for one that this version does not know.
    ///
    /// # Errors
    /// [`Malformed`] for everything that breaks the format or a limit.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        if bytes.len() > MAX_REQUEST {
            return Err(Malformed);
        }
        let message = scan::value(bytes)?;
        let fields = message.fields;
        Ok(Some(match message.name {
            "ClientAnnouncement" => Self::ClientAnnouncement(strict::fields(fields)?),
            "QueryClientAnnouncement" => {
                let names: Vec<Name> = strict::items::<_, MAX_WANTED>(fields)?;
                Self::QueryClientAnnouncement(names.into_iter().map(|name| name.0).collect())
            }
            "Refresh" => Self::Refresh(strict::fields(fields)?),
            "Withdraw" => Self::Withdraw(strict::fields(fields)?),
            "Lookup" => Self::Lookup(wanted::<MAX_WANTED>(fields)?),
            "Subscribe" => Self::Subscribe(wanted::<MAX_SUBSCRIBED>(fields)?),
            _ => return Ok(None),
        }))
    }
}

impl Reply {
    /// The reply as it is sent; on a subscription behind its length.
    pub(crate) fn encode(&self) -> Bytes {
        encode(self)
    }

    /// Reads a whole reply; `None` for one that this version does not know.
    ///
    /// # Errors
    /// [`Malformed`] for everything that breaks the format or a limit.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        if bytes.len() > MAX_REPLY {
            return Err(Malformed);
        }
        let message = scan::value(bytes)?;
        let fields = message.fields;
        Ok(Some(match message.name {
            "ClientAnnouncementOk" => Self::ClientAnnouncementOk(strict::fields(fields)?),
            "QueryClientAnnouncementResponse" => {
                Self::QueryClientAnnouncementResponse(strict::fields(fields)?)
            }
            "Ok" => Self::Ok(strict::fields(fields)?),
            "Announced" => Self::Announced(strict::fields(fields)?),
            "Gone" => Self::Gone(strict::fields(fields)?),
            "Resync" => Self::Resync(strict::fields(fields)?),
            "Error" => Self::Error(strict::fields(fields)?),
            _ => return Ok(None),
        }))
    }
}

fn encode<T: Serialize>(message: &T) -> Bytes {
    let mut out = Vec::with_capacity(ROOM);
    let mut writer = rmp_serde::Serializer::new(&mut out).with_struct_map();
    message.serialize(&mut writer).expect("a message has no type that MessagePack lacks");
    out.into()
}

fn wanted<const MAX: usize>(fields: &[u8]) -> Result<Vec<Wanted>, Malformed> {
    let items: Vec<Map<Wanted>> = strict::items::<_, MAX>(fields)?;
    Ok(items.into_iter().map(|item| item.0).collect())
}

/// A peer's name as an item of a list.
struct Name(PeerId);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        strict::parsed(d).map(Self)
    }
}

/// An address as an item of a list.
struct Address(SocketAddr);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        address(d).map(Self)
    }
}

/// An address without scope: one that has one means something on its own host alone.
fn address<'de, D: Deserializer<'de>>(d: D) -> Result<SocketAddr, D::Error> {
    let address: SocketAddr = strict::parsed(d)?;
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => Err(serde::de::Error::custom("an address with a scope")),
        SocketAddr::V4(_) | SocketAddr::V6(_) => Ok(address),
    }
}

pub(super) fn addresses<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<SocketAddr>, D::Error> {
    let items = strict::list::<D, Address, MAX_ADDRESSES>(d)?;
    Ok(items.into_iter().map(|item| item.0).collect())
}

fn maps<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MAX: usize>(d: D) -> Result<Vec<T>, D::Error> {
    let items = strict::list::<D, Map<T>, MAX>(d)?;
    Ok(items.into_iter().map(|item| item.0).collect())
}

fn record<'de, D: Deserializer<'de>>(d: D) -> Result<Bytes, D::Error> {
    let bytes = as_bin::bytes(d)?;
    if bytes.len() > MAX_RECORD {
        return Err(serde::de::Error::custom("a record over its limit"));
    }
    Ok(bytes)
}

fn optional_record<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Bytes>, D::Error> {
    struct Record(Bytes);
    impl<'de> Deserialize<'de> for Record {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            record(d).map(Self)
        }
    }
    Ok(Option::<Record>::deserialize(d)?.map(|record| record.0))
}

fn optional_bin<S: Serializer>(bytes: &Option<Bytes>, s: S) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => s.serialize_bytes(bytes),
        None => s.serialize_none(),
    }
}

fn shown<T: std::fmt::Display, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(value)
}

pub(super) fn shown_each<S: Serializer>(values: &[SocketAddr], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(values.iter().map(SocketAddr::to_string))
}

fn names<S: Serializer>(names: &[PeerId], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(names.iter().map(PeerId::to_string))
}

#[cfg(test)]
mod tests;
