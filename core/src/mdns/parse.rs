//! Octets to messages, by `simple-dns`, behind the guard. RFC 6762 §18.
//!
//! Keeps only records of class IN and of types that mean something here.

use super::guard::{Head, RAW_TXT, Way};
use super::name::Name;
use super::records::{Data, Question, Record, Share, Srv, Ttl, Type, Types, Want};
use crate::wire::txt::Txt;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Packet, QCLASS, ResourceRecord};

/// A message that passed the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Query(Query),
    /// All that it says, of every section, in its order. Questions in it are ignored. RFC 6762 §6.
    Response(Vec<Record>),
}

/// What somebody asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Echoed to ordinary resolvers alone. RFC 6762 §18.1.
    pub(super) id: u16,
    /// More known answers follow. RFC 6762 §7.2.
    pub(super) truncated: bool,
    pub(super) questions: Vec<Question>,
    /// What the asker knows already. RFC 6762 §7.1.
    pub(super) known: Vec<Record>,
    /// What the asker would like to publish: not empty in a probe. RFC 6762 §8.2.
    pub(super) proposed: Vec<Record>,
}

/// Names that are kept of a message, lest each record that repeats one has a copy of its own.
const MAX_NAMES: usize = 16;

/// The names of a message so far, each once.
#[derive(Default)]
struct Names(Vec<Name>);

impl Names {
    fn name(&mut self, name: &simple_dns::Name<'_>) -> Option<Name> {
        let name = Name::from_labels_or(name.as_bytes(), &self.0).ok()?;
        if self.0.len() < MAX_NAMES && !self.0.contains(&name) {
            self.0.push(name.clone());
        }
        Some(name)
    }
}

/// Reads what the guard wrote. `None` where the parser still refuses it.
pub(super) fn parse(head: &Head, safe: &[u8]) -> Option<Message> {
    let packet = Packet::parse(safe).ok()?;
    let mut names = Names::default();
    let questions = packet.questions.iter().filter_map(|asked| question(asked, &mut names)).collect();
    let mut records = |section: &[ResourceRecord<'_>]| {
        section.iter().filter_map(|said| record(said, &mut names)).collect::<Vec<_>>()
    };
    Some(match head.way {
        Way::Query => Message::Query(Query {
            id: head.id,
            truncated: head.truncated,
            questions,
            known: records(&packet.answers),
            proposed: records(&packet.name_servers),
        }),
        Way::Response => {
            let mut all = records(&packet.answers);
            all.extend(records(&packet.name_servers));
            all.extend(records(&packet.additional_records));
            Message::Response(all)
        }
    })
}

fn question(question: &simple_dns::Question<'_>, names: &mut Names) -> Option<Question> {
    match question.qclass {
        QCLASS::CLASS(CLASS::IN) | QCLASS::ANY => {}
        QCLASS::CLASS(_) => return None,
    }
    Some(Question {
        name: names.name(&question.qname)?,
        kind: Type(question.qtype.into()),
        want: if question.unicast_response { Want::Unicast } else { Want::Multicast },
    })
}

fn record(record: &ResourceRecord<'_>, names: &mut Names) -> Option<Record> {
    Some(Record {
        data: data(&record.rdata, names)?,
        name: names.name(&record.name)?,
        ttl: Ttl(record.ttl),
        share: if record.cache_flush { Share::Unique } else { Share::Shared },
    })
}

fn data(data: &RData<'_>, names: &mut Names) -> Option<Data> {
    Some(match data {
        RData::A(a) => Data::A(a.address.into()),
        RData::AAAA(aaaa) => Data::Aaaa(aaaa.address.into()),
        RData::NSEC(nsec) => {
            let first = nsec.type_bit_maps.iter().find(|map| map.window_block == 0);
            Data::Nsec(first.map_or_else(Types::default, |map| Types::from_bitmap(&map.bitmap)))
        }
        RData::PTR(ptr) => Data::Ptr(names.name(&ptr.0)?),
        RData::SRV(srv) => Data::Srv(Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: names.name(&srv.target)?,
        }),
        RData::NULL(kind, null) if Type(*kind) == RAW_TXT => Data::Txt(Txt::decode(null.get_data()).ok()?),
        RData::Empty(kind) if Type((*kind).into()) == RAW_TXT => Data::Txt(Txt::default()),
        _ => return None,
    })
}
