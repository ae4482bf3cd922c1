//! Reads a response of which every record is cached already, without the parser. RFC 6762 §10.
//!
//! Most of what a LAN says was said before: whoever is asked says it again. A record whose octets are those of one
//! that is held need not be made anew. Reads what the parser would read, or nothing: never a record that is new.

use super::cache::{Cache, Held};
use super::guard::{Head, OPAQUE, Origin, RAW_TXT, Said, Spelled, Unspelled, Walk, Way};
use super::name::{Name, WireName};
use super::parse::Message;
use super::records::{Data, Record, Share, Ttl, Type, Types};
use std::ops::Range;

/// What the parser would read in a message that passed the guard. `None` where it asks, or says something new.
pub(super) fn recall(head: &Head, safe: &mut [u8], cache: &Cache) -> Option<Message> {
    match head.way {
        Way::Query => None,
        Way::Response => Some(Message::Response(records(head, safe, cache)?)),
    }
}

fn records(head: &Head, safe: &mut [u8], cache: &Cache) -> Option<Vec<Record>> {
    let mut walk = Walk::new(safe);
    for _ in 0..head.questions() {
        walk.question().ok()?;
    }
    let mut records = Vec::new();
    let mut last: Option<(Option<Origin>, Held<'_>)> = None;
    let mut target = Spelled::default();
    for _ in 0..head.records() {
        let said = walk.said().ok()?;
        if said.kind == OPAQUE {
            continue;
        }
        let held = match last {
            Some((origin, held)) if origin == said.origin => held,
            Some(_) | None => cache.held(&WireName::new(walk.owner()))?,
        };
        last = Some((said.origin, held));
        let (name, data) = find(held, &said, &mut walk, &mut target)?;
        // Names are equal in any case, and kept in their own.
        if name.as_wire() != walk.owner() {
            return None;
        }
        let share = if said.flush { Share::Unique } else { Share::Shared };
        // Once the first is known, most often all are.
        records.reserve_exact(head.records() - records.len());
        records.push(Record { name: name.clone(), ttl: Ttl(said.ttl), share, data: data.clone() });
    }
    Some(records)
}

/// The record that is held, and says the same in the same octets.
fn find<'c>(
    held: Held<'c>,
    said: &Said,
    walk: &mut Walk<'_>,
    target: &mut Spelled,
) -> Option<(&'c Name, &'c Data)> {
    let Range { start, end } = said.data;
    match said.kind {
        Type::A => {
            let octets = walk.octets(start..end);
            held.find(Type::A, |data| matches!(data, Data::A(ip) if ip.octets() == octets))
        }
        Type::AAAA => {
            let octets = walk.octets(start..end);
            held.find(Type::AAAA, |data| matches!(data, Data::Aaaa(ip) if ip.octets() == octets))
        }
        Type::NSEC => {
            let maps = walk.data_name(start..end, &mut Unspelled).ok()??;
            let types = match walk.octets(maps..end) {
                [0, len, maps @ ..] => Types::from_bitmap(&maps[..usize::from(*len)]),
                _ => Types::default(),
            };
            held.find(Type::NSEC, |data| matches!(data, Data::Nsec(held) if *held == types))
        }
        Type::PTR => {
            walk.data_name(start..end, target).ok()??;
            let (name, data) = held.pointer(&WireName::new(target.wire()))?;
            let is_same = matches!(data, Data::Ptr(held) if held.as_wire() == target.wire());
            is_same.then_some((name, data))
        }
        Type::SRV => {
            let name = start + 6;
            walk.data_name(name..end, target).ok()??;
            let numbers = walk.octets(start..name);
            held.find(Type::SRV, |data| match data {
                Data::Srv(srv) => {
                    let held = [srv.priority, srv.weight, srv.port].map(u16::to_be_bytes);
                    held.as_flattened() == numbers && srv.target.as_wire() == target.wire()
                }
                Data::A(_) | Data::Aaaa(_) | Data::Nsec(_) | Data::Ptr(_) | Data::Txt(_) => false,
            })
        }
        RAW_TXT => {
            let octets = walk.octets(start..end);
            // None at all is the same as one empty string. RFC 6763 §6.1.
            let octets = if octets.is_empty() { &[0] } else { octets };
            held.find(Type::TXT, |data| matches!(data, Data::Txt(txt) if txt.as_rdata() == octets))
        }
        // The guard left no others.
        Type(_) => None,
    }
}
