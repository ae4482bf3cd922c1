//! A crash left a record in doubt: whoever holds it finds and dials the peer without being told to.

use super::support::*;
use handfast_core::store::{PairRecord, PairState, Role};
use handfast_tests::fabric::Host;
use handfast_tests::world::World;
use std::time::Duration;

/// To be found, to be dialled, and to be told.
const AT_ONCE: Duration = Duration::from_millis(900);

/// When the peer is dialled for want of anything better is after 1, 3, 7 and 15 seconds.
const AWAY: Duration = Duration::from_secs(8);

/// A host with such a record, and its peer, who was there before or comes when it has been waited for.
fn meet(mine: PairRecord, theirs: Vec<PairRecord>, was_there: bool) -> (World, Host) {
    let mut world = new_world(3);
    if was_there {
        add(&mut world, config(), &identity(1), theirs);
        world.run_for(AWAY);
        let own = add(&mut world, config(), &identity(2), vec![mine]);
        return (world, own);
    }
    let own = add(&mut world, config(), &identity(2), vec![mine]);
    world.run_for(AWAY);
    add(&mut world, config(), &identity(1), theirs);
    (world, own)
}

fn in_state(state: PairState, role: Role) -> PairRecord {
    let mut mine = record(&identity(2), &identity(1), role);
    mine.state = state;
    mine
}

#[test]
fn a_record_that_the_peer_lacks_is_rolled_back_once_it_is_seen() {
    for (state, role) in [(PairState::Prepared, Role::Joiner), (PairState::Committed, Role::Host)] {
        for was_there in [true, false] {
            let (mut world, own) = meet(in_state(state, role), vec![], was_there);
            let is_gone = |world: &World| world[own].store.records.is_empty();
            assert!(world.run_until(AT_ONCE, is_gone), "{state:?}, was there: {was_there}");
        }
    }
}

#[test]
fn a_record_that_the_peer_holds_as_paired_is_paired_once_it_is_seen() {
    for was_there in [true, false] {
        let theirs = record(&identity(1), &identity(2), Role::Joiner);
        let (mut world, own) = meet(in_state(PairState::Committed, Role::Host), vec![theirs], was_there);
        let is_paired = |record: &PairRecord| record.state == PairState::Paired;
        let are_paired = |world: &World| world[own].store.records.values().all(is_paired);
        assert!(world.run_until(AT_ONCE, are_paired), "was there: {was_there}");
    }
}
