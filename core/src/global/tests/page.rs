//! What the page of the protocol says in figures is what the code does.

use crate::config::{MAX_SERVER_ADDRESSES, MAX_SERVERS};
use crate::global::seal::GATE_LEN;
use crate::global::{announce, clock, contact, reach};
use crate::wire::discovery::{
    MAX_ADDRESSES, MAX_RECORD, MAX_REPLY, MAX_REQUEST, MAX_SUBSCRIBED, MAX_WANTED, RefusalCode,
};
use crate::wire::record::{ENTRY_LEN, MAX_ENTRIES};

const PAGE: &str = include_str!("../../discovery_protocol.md");

/// Whether the page says so, wherever its lines end.
fn says(text: &str) -> bool {
    PAGE.split_whitespace().collect::<Vec<_>>().join(" ").contains(text)
}

/// 65536 as `65,536`.
fn figure(n: usize) -> String {
    let digits = n.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap());
    groups.collect::<Vec<_>>().join(",")
}

#[test]
fn the_limits_that_it_names_are_those_of_the_code() {
    let [request, reply, record] = [MAX_REQUEST, MAX_REPLY, MAX_RECORD].map(figure);
    let expected = [
        format!("A request has at most {request} octets, a reply {reply}, a record {record}"),
        format!("array of up to {MAX_WANTED} peer ids"),
        format!("array of up to {MAX_WANTED} maps"),
        format!("the same, up to {MAX_SUBSCRIBED} on one connection"),
        format!("`addresses`: up to {MAX_ADDRESSES}, for all to read"),
        format!("up to {MAX_ENTRIES} of {ENTRY_LEN} octets"),
        format!("gate = the first {GATE_LEN} octets"),
        format!("at most {} hours apart", announce::VALID.as_secs() / 3600),
        format!("It announces {} s after an address changed", announce::DEBOUNCE.as_secs()),
        format!("anew every {} hours", announce::RENEW.as_secs() / 3600),
        format!("{} new records at once, then one each {} s", announce::BURST, announce::EACH.as_secs()),
        format!("waits {} s for that at most", contact::LEAVE_TIMEOUT.as_secs()),
        format!("missing after {} s, then 1.5 times", contact::MISS_FIRST.as_secs()),
        format!("each time up to {} s", figure(contact::MISS_MAX.as_secs() as usize)),
        format!("does not answer within {} s", contact::REQUEST_TIMEOUT.as_secs()),
        format!("more than {} things at once", figure(contact::NEWS_BURST as usize)),
        format!("doubling to {} s", contact::MAX_PAUSE.as_secs()),
        format!("Clocks that differ by at most {} s agree", clock::TOLERANCE_S),
        format!("It dials at most {MAX_ADDRESSES} addresses of a record"),
        format!("at most {}, public ones", reach::MAX_HEARSAY),
    ];
    let missing: Vec<&String> = expected.iter().filter(|text| !says(text)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_message_code_and_key_that_is_spoken_is_on_it() {
    let messages = [
        "ClientAnnouncement",
        "QueryClientAnnouncement",
        "Refresh",
        "Withdraw",
        "Lookup",
        "Subscribe",
        "ClientAnnouncementOk",
        "QueryClientAnnouncementResponse",
        "Ok",
        "Announced",
        "Gone",
        "Resync",
        "Error",
    ];
    use RefusalCode::*;
    let codes =
        [BadRequest, NotSelf, Stale, TooLarge, RateLimited, Overloaded, Unsupported, Denied, Internal];
    let codes = codes.map(|code| serde_json::to_string(&code).unwrap().trim_matches('"').to_owned());
    let keys = ["handfast-announce-v1", "handfast-look-v1", "handfast-wrap-v1", "handfast-seal-v1"];
    for word in messages.into_iter().chain(keys).map(str::to_owned).chain(codes) {
        assert!(says(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn the_table_of_the_configuration_names_the_same() {
    let config = include_str!("../../config.rs");
    let patience = contact::REQUEST_TIMEOUT.as_secs();
    let servers = format!("{MAX_SERVERS}, {MAX_SERVER_ADDRESSES} and {patience} s");
    let readers = format!("{MAX_SUBSCRIBED} and {MAX_ENTRIES}");
    let addresses = format!("{MAX_ADDRESSES}, {MAX_ADDRESSES} and {}", reach::MAX_HEARSAY);
    for figures in [servers, readers, addresses] {
        assert!(config.contains(&format!("| {figures} |")), "{figures}");
    }
}
