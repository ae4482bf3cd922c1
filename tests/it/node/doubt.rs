//! A crash left a record in doubt: whoever holds it finds and dials the peer without being told to.

use super::support::*;
use handfast_core::store::{PairRecord, PairState, Role};

fn in_doubt(state: PairState, role: Role) -> (PairRecord, PairRecord) {
    let (own, peer) = (identity(2), identity(1));
    let theirs = if role == Role::Host { Role::Joiner } else { Role::Host };
    let other = record(&peer, &own, theirs);
    let mut mine = record(&own, &peer, role);
    mine.state = state;
    (mine, other)
}

#[test]
fn a_record_that_the_peer_lacks_is_rolled_back_once_it_is_seen() {
    for (state, role) in [(PairState::Prepared, Role::Joiner), (PairState::Committed, Role::Host)] {
        for first in [true, false] {
            let mut world = new_world(3);
            let (mine, _) = in_doubt(state, role);
            let strangers_first = first.then(|| add(&mut world, config(), &identity(1), vec![]));
            let own = add(&mut world, config(), &identity(2), vec![mine]);
            let _stranger =
                strangers_first.unwrap_or_else(|| add(&mut world, config(), &identity(1), vec![]));
            assert!(world.run_until(SOON, |world| world[own].store.records.is_empty()), "{state:?} {first}");
        }
    }
}

#[test]
fn a_record_that_the_peer_holds_as_paired_is_paired_once_it_is_seen() {
    let mut world = new_world(4);
    let (mine, theirs) = in_doubt(PairState::Committed, Role::Host);
    let own = add(&mut world, config(), &identity(2), vec![mine]);
    add(&mut world, config(), &identity(1), vec![theirs]);
    let is_paired = |record: &PairRecord| record.state == PairState::Paired;
    assert!(world.run_until(SOON, |world| world[own].store.records.values().all(is_paired)));
}
