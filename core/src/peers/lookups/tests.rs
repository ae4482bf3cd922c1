use super::*;
use crate::config::{Policy, Sources};
use crate::peers::lonely::{Lonely, SECOND, address, id, key};
use std::collections::BTreeSet;

fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

/// Paired with number 1, of whom a name alone is known.
fn named() -> Lonely {
    let mut lonely = Lonely::with(Policy::Lazy, []);
    lonely.peers.set_paired(lonely.now, &BTreeSet::from([key(1)]));
    lonely.peers.add_name(lonely.now, id(1), name("laptop.example:5000"));
    lonely
}

fn connect(lonely: &mut Lonely) {
    lonely.peers.connect(lonely.now, key(1)).unwrap();
    lonely.hear();
}

fn answer(lonely: &mut Lonely, addresses: &[SocketAddr]) {
    let Some(Ask::Resolve(token, _)) = lonely.asks.pop() else { panic!("nothing was asked") };
    lonely.peers.handle_resolved(lonely.now, &token, addresses);
    lonely.hear();
}

fn dialled(lonely: &Lonely) -> Vec<SocketAddr> {
    lonely.dials.iter().map(|(_, to)| *to).collect()
}

#[test]
fn a_name_is_looked_up_when_a_dial_needs_it_and_again_after_a_minute() {
    let mut lonely = named();
    lonely.run(SECOND);
    assert!(lonely.asks.is_empty(), "nobody needs it yet");
    connect(&mut lonely);
    answer(&mut lonely, &[address(7)]);
    assert_eq!(dialled(&lonely), [address(7)]);
    lonely.run(59 * SECOND);
    connect(&mut lonely);
    assert!(lonely.asks.is_empty(), "it is still good");
    assert_eq!(dialled(&lonely), [address(7); 2]);
    lonely.run(15 * SECOND);
    connect(&mut lonely);
    assert_eq!(lonely.asks.len(), 1);
}

#[test]
fn a_dial_begins_with_what_is_known_and_takes_in_what_a_name_comes_to() {
    let mut lonely = named();
    lonely.peers.add_address(lonely.now, id(1), address(1));
    connect(&mut lonely);
    assert_eq!(dialled(&lonely), [address(1)]);
    lonely.run(SECOND);
    answer(&mut lonely, &[address(7), ([0, 0, 0, 0], 5000).into(), ([192, 0, 2, 9], 0).into()]);
    assert_eq!(dialled(&lonely), [address(1), address(7)], "what is no address to dial is left out");
}

#[test]
fn a_name_that_nobody_answers_for_has_no_address_after_five_seconds() {
    let mut lonely = named();
    connect(&mut lonely);
    lonely.run(LOOKUP_TIMEOUT - Duration::from_millis(1));
    assert!(lonely.peers.is_dialled(&key(1)));
    lonely.run(Duration::from_millis(1));
    assert!(!lonely.peers.is_dialled(&key(1)), "there is nothing left to try");
    answer(&mut lonely, &[address(7)]);
    assert!(lonely.dials.is_empty(), "an answer that comes too late is dropped");
}

#[test]
fn more_addresses_than_eight_of_one_name_are_left_out() {
    let mut lonely = named();
    connect(&mut lonely);
    let many: Vec<SocketAddr> = (1..100).map(address).collect();
    answer(&mut lonely, &many);
    lonely.run(9 * SECOND);
    assert_eq!(lonely.dials.len(), MAX_RESOLVED);
}

#[test]
fn names_are_not_looked_up_where_what_the_application_gave_is_not_heeded() {
    let mut lonely = named();
    let mut sources = Sources::all();
    sources.manual = false;
    lonely.peers.set_sources(lonely.now, sources);
    assert!(lonely.peers.connect(lonely.now, key(1)).is_err());
    lonely.hear();
    assert!(lonely.asks.is_empty());
}
