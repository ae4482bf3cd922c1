use super::*;
use crate::id::{PeerId, PeerIdKind};
use crate::identity::Identity;
use proptest::collection::vec;
use proptest::prelude::*;

fn name(n: u8) -> PeerId {
    Identity::from_entropy([n; 32]).peer_id(PeerIdKind::Sha1)
}

#[test]
fn the_messages_of_the_original_are_these_bytes() {
    let announcement = Announcement {
        peer_id: name(1),
        addresses: vec!["192.168.0.1:7".parse().unwrap()],
        record: Bytes::from_static(&[7, 8]),
        lease_s: 3600,
    };
    let id = name(1).to_string();
    let expected = [
        &b"\x81\xb2ClientAnnouncement\x84\xa7peer_id\xd9\x28"[..],
        id.as_bytes(),
        b"\xa9addresses\x91\xad192.168.0.1:7\xa6record\xc4\x02\x07\x08\xa7lease_s\xcd\x0e\x10",
    ]
    .concat();
    assert_eq!(Request::ClientAnnouncement(announcement).encode(), expected);
    let query = [&b"\x81\xb7QueryClientAnnouncement\x91\xd9\x28"[..], id.as_bytes()].concat();
    assert_eq!(Request::QueryClientAnnouncement(vec![name(1)]).encode(), query);
    assert_eq!(Reply::Ok(Empty {}).encode(), b"\x81\xa2Ok\x80"[..]);
}

#[test]
fn an_unknown_message_is_told_from_a_malformed_one() {
    assert_eq!(Request::decode(b"\x81\xa3New\x91\x01"), Ok(None));
    assert_eq!(Reply::decode(b"\x81\xa3New\x80"), Ok(None));
    for (bytes, why) in [
        (&b"\x81\xa7Refresh\x80"[..], "a field left out"),
        (b"\x81\xa7Refresh\x81\xa3seq\x01\x00", "a trailing byte"),
        (b"\x81\xa7Refresh\x82\xa3seq\x01\xa3seq\x01", "a field twice"),
        (b"\x81\xa7Refresh\x81\xa3seq\xff", "a number below zero"),
        (b"\x81\xa7Refresh\x91\x01", "an array of fields"),
        (b"\x81\xa6Lookup\x80", "a map for a list"),
        (b"\x81\xb7QueryClientAnnouncement\x91\x01", "a number for a name"),
        (b"\x81\xb7QueryClientAnnouncement\x91\xa1a", "a name that is none"),
        (b"\x81\xb7QueryClientAnnouncement\xdd\xff\xff\xff\xff", "a length beyond the end"),
        (b"", "nothing"),
    ] {
        assert_eq!(Request::decode(bytes), Err(Malformed), "{why}");
    }
}

#[test]
fn limits_hold_at_their_edges() {
    let reads = |request: &Request| Request::decode(&request.encode()).is_ok();
    let query = |len| Request::QueryClientAnnouncement(vec![name(1); len]);
    assert!(reads(&query(64)) && !reads(&query(65)));
    let wanted = Wanted { peer_id: name(1), token: [0; 32] };
    assert!(reads(&Request::Lookup(vec![wanted; 64])) && !reads(&Request::Lookup(vec![wanted; 65])));
    let subscribe = |len| Request::Subscribe(vec![wanted; len]);
    // The request's own size is the nearer limit for long names.
    assert!(reads(&subscribe(160)) && !reads(&subscribe(257)));
    let announcement = |addresses, record| {
        Request::ClientAnnouncement(Announcement {
            peer_id: name(1),
            addresses: vec!["192.0.2.1:1".parse().unwrap(); addresses],
            record: vec![0; record].into(),
            lease_s: 0,
        })
    };
    assert!(reads(&announcement(16, 4096)));
    assert!(!reads(&announcement(17, 0)) && !reads(&announcement(0, 4097)));
    assert_eq!(Request::decode(&vec![0; MAX_REQUEST + 1]), Err(Malformed));
    assert_eq!(Reply::decode(&vec![0; MAX_REPLY + 1]), Err(Malformed));
}

#[test]
fn an_address_with_a_scope_or_without_a_port_is_malformed() {
    for (text, sound) in
        [("[fe80::1]:7", true), ("[fe80::1%3]:7", false), ("192.0.2.1", false), ("localhost:7", false)]
    {
        let gone = [
            &b"\x81\xb4ClientAnnouncementOk\x85\xa8observed"[..],
            &[0xa0 | text.len() as u8],
            text.as_bytes(),
            b"\xa7lease_s\x01\xb2reannounce_after_s\x01\xa3seq\x01\xa5now_s\x01",
        ]
        .concat();
        assert_eq!(Reply::decode(&gone).is_ok(), sound, "{text}");
    }
}

fn a_name() -> impl Strategy<Value = PeerId> {
    prop_oneof![any::<[u8; 20]>().prop_map(PeerId::Sha1), any::<[u8; 32]>().prop_map(PeerId::Sha256)]
}

fn an_address() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        any::<([u8; 4], u16)>().prop_map(SocketAddr::from),
        any::<([u8; 16], u16)>().prop_map(SocketAddr::from)
    ]
}

fn wanted_ones() -> impl Strategy<Value = Vec<Wanted>> {
    vec((a_name(), any::<[u8; 32]>()).prop_map(|(peer_id, token)| Wanted { peer_id, token }), 0..=64)
}

fn a_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (a_name(), vec(an_address(), 0..=16), vec(any::<u8>(), 0..4096), any::<u32>()).prop_map(
            |(peer_id, addresses, record, lease_s)| {
                Request::ClientAnnouncement(Announcement {
                    peer_id,
                    addresses,
                    record: record.into(),
                    lease_s,
                })
            }
        ),
        vec(a_name(), 0..=64).prop_map(Request::QueryClientAnnouncement),
        any::<u64>().prop_map(|seq| Request::Refresh(Numbered { seq })),
        any::<u64>().prop_map(|seq| Request::Withdraw(Numbered { seq })),
        wanted_ones().prop_map(Request::Lookup),
        wanted_ones().prop_map(Request::Subscribe),
    ]
}

fn an_answer() -> impl Strategy<Value = Answer> {
    let record = prop::option::of(vec(any::<u8>(), 0..600).prop_map(Bytes::from));
    (a_name(), record, vec(an_address(), 0..=16), any::<u32>())
        .prop_map(|(peer_id, record, addresses, age_s)| Answer { peer_id, record, addresses, age_s })
}

fn a_refusal() -> impl Strategy<Value = Refusal> {
    let codes = prop::sample::select(vec![
        RefusalCode::BadRequest,
        RefusalCode::NotSelf,
        RefusalCode::Stale,
        RefusalCode::TooLarge,
        RefusalCode::RateLimited,
        RefusalCode::Overloaded,
        RefusalCode::Unsupported,
        RefusalCode::Denied,
        RefusalCode::Internal,
    ]);
    (codes, any::<u64>(), any::<u32>(), any::<u64>(), "[a-z ]{0,256}").prop_map(
        |(code, seq, retry_after_s, now_s, detail)| Refusal { code, seq, retry_after_s, now_s, detail },
    )
}

fn a_reply() -> impl Strategy<Value = Reply> {
    let missing =
        (a_name(), any::<u32>()).prop_map(|(peer_id, retry_after_s)| Missing { peer_id, retry_after_s });
    prop_oneof![
        (an_address(), any::<u32>(), any::<u32>(), any::<u64>(), any::<u64>()).prop_map(
            |(observed, lease_s, reannounce_after_s, seq, now_s)| {
                Reply::ClientAnnouncementOk(Accepted { observed, lease_s, reannounce_after_s, seq, now_s })
            }
        ),
        (vec(an_answer(), 0..20), vec(missing, 0..=64))
            .prop_map(|(found, missing)| Reply::QueryClientAnnouncementResponse(Response { found, missing })),
        Just(Reply::Ok(Empty {})),
        Just(Reply::Resync(Empty {})),
        an_answer().prop_map(Reply::Announced),
        a_name().prop_map(|peer_id| Reply::Gone(Gone { peer_id })),
        a_refusal().prop_map(Reply::Error),
    ]
}

proptest! {
    #[test]
    fn every_request_reads_back(request in a_request()) {
        prop_assert_eq!(Request::decode(&request.encode()), Ok(Some(request)));
    }

    #[test]
    fn every_reply_reads_back(reply in a_reply()) {
        prop_assert_eq!(Reply::decode(&reply.encode()), Ok(Some(reply)));
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Request::decode(&bytes);
        let _ = Reply::decode(&bytes);
    }
}
