//! Feeds the engine octets that nobody wrote. For fuzz targets and the replay of their seeds.

pub(crate) mod session;

use super::cache::{Cache, Upkeep};
use super::guard::{self, Way};
use super::link::{GROUP_V4, Link, PORT};
use super::parse::{Message, parse};
use super::recall::recall;
use super::records::Record;
use super::{Label, Limits, Mdns, Naming, Service, ServiceId, ServiceType, write};
use crate::id::{ServiceName, SocketId};
use crate::io::{Family, InterfaceAddr, Received};
use crate::rng::{Rng, Seed};
use crate::wire::txt::Txt;
use bytes::BytesMut;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

const SOCKET: SocketId = SocketId(1);
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const MAX_RECORDS: usize = 16;

/// Gives an engine that publishes, browses and resolves the same datagram in every way that it can come, and
/// lets three minutes pass.
pub(crate) fn datagram(start: Instant, datagram: &[u8]) {
    round_trip(start, datagram);
    let mut mdns = engine(start);
    let ways = [
        (SocketAddr::new(STRANGER, PORT), IpAddr::V4(GROUP_V4)),
        (SocketAddr::new(STRANGER, 40_000), IpAddr::V4(GROUP_V4)),
        (SocketAddr::new(STRANGER, PORT), OWN),
        (SocketAddr::new(OWN, PORT), IpAddr::V4(GROUP_V4)),
    ];
    let mut now = run(&mut mdns, start, start + Duration::from_secs(5));
    for (source, to) in ways {
        let rx = Received {
            socket: SOCKET,
            interface: Some(2),
            source,
            destination: Some(to),
            ecn: None,
            stride: datagram.len().max(1),
            payload: BytesMut::from(datagram),
        };
        mdns.handle_datagram(now, &rx);
        now = run(&mut mdns, now, now + Duration::from_millis(700));
    }
    run(&mut mdns, now, now + Duration::from_secs(180));
}

fn label(text: &str) -> Label {
    Label::new(text).expect("short and printable")
}

fn engine(now: Instant) -> Mdns {
    let mut mdns = Mdns::new(Limits { cached_records: MAX_RECORDS }, Rng::child(&Seed::new([1; 32]), "mdns"));
    let kind = ServiceType::udp(&ServiceName::new("test").expect("a sound name"));
    let addresses = vec![InterfaceAddr { ip: OWN, prefix: 24 }];
    mdns.handle_link_up(
        now,
        Link { socket: SOCKET, family: Family::V4, interface: 2, addresses, shares_port: false },
    );
    let (instance, host) = (label("node-0"), label("node-0"));
    let of = |id: u64, naming, instance| {
        let (kind, host, subtypes, txt) = (kind.clone(), host.clone(), vec![label("_sub-0")], Txt::default());
        (ServiceId(id), Service { kind, subtypes, instance, naming, host, port: 4000, txt })
    };
    for (id, service) in [of(0, Naming::Hashed, instance), of(1, Naming::Chosen, label("Chosen"))] {
        mdns.publish(now, id, service);
    }
    mdns.browse(now, kind.clone().into()).expect("the first of many");
    mdns.resolve(now, &kind, &label("node-1"));
    mdns
}

/// Does what is due until `end`. The engine must come to rest in between.
fn run(mdns: &mut Mdns, mut now: Instant, end: Instant) -> Instant {
    let mut buf = Vec::new();
    for _ in 0..10_000 {
        while mdns.poll_transmit(now, &mut buf).is_some() {
            assert!(buf.len() <= guard::MAX_MESSAGE, "a datagram is too long");
            assert!(guard::head(&buf).is_ok(), "a datagram of ours has no sound header");
            buf.clear();
        }
        while mdns.poll_event().is_some() {}
        match mdns.poll_timeout() {
            Some(deadline) if deadline.at < end => {
                now = now.max(deadline.at);
                mdns.handle_timeout(now);
            }
            Some(_) | None => return end,
        }
    }
    panic!("the engine never rests");
}

/// What was read can be written, and is then read as the same.
fn round_trip(now: Instant, datagram: &[u8]) {
    let Some(Message::Response(records)) = read(now, datagram) else {
        return;
    };
    let mut again = Vec::new();
    for datagram in write::response(Family::V4, &records, &[]) {
        match read(now, &datagram) {
            Some(Message::Response(records)) => again.extend(records),
            Some(Message::Query(_)) | None => panic!("what we write can't be read"),
        }
    }
    assert_eq!(again, records, "what is written is not what was read");
}

fn read(now: Instant, datagram: &[u8]) -> Option<Message> {
    let mut safe = Vec::new();
    let head = guard::head(datagram).ok()?;
    guard::scan(datagram, &head, &mut safe, |_, _| true).ok()?;
    let message = parse(&head, &safe).expect("the parser reads what the guard lets pass");
    assert_eq!(head.way == Way::Query, matches!(message, Message::Query(_)), "a query is no response");
    if let Message::Response(records) = &message {
        let again = recall(&head, &mut safe, &cache_of(now, records));
        assert!(again.is_none_or(|again| again == message), "what is held is not what was read");
    }
    Some(message)
}

fn cache_of(now: Instant, records: &[Record]) -> Cache {
    let (mut cache, mut rng) = (Cache::new(MAX_RECORDS), Rng::child(&Seed::new([1; 32]), "mdns"));
    for record in records {
        cache.insert(now, (record, Upkeep::Lapse, STRANGER), &mut rng, |_, _, _| false);
    }
    cache
}
