//! Both or neither: what two lists of pairings make of one id.
//!
//! Pure. The engine runs it after each list read and each own change, tentative ids first, on no timer.

use crate::id::PairId;
use crate::store::{PairState, Role};
use crate::wire::control::{Entry, Listed, MAX_HELLO_ENTRIES, MAX_STATE_ENTRIES};

/// One id on this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mine {
    pub(super) pair_id: PairId,
    pub(super) role: Role,
    /// The record's state; [`Listed::Hook`] too while a live session holds the id.
    pub(super) state: Listed,
}

/// What is to be done about one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// Nothing for now.
    Wait,
    /// Undo what the hook did, then forget.
    RollBack,
    /// Both saved the peer: store it as paired.
    Pair,
    /// The peer ended the pairing.
    Unpair,
}

/// What to do about `mine`, given the peer's last list and all that this side holds for the peer.
///
/// | mine \ theirs | left out | gone | prepared | committed | paired |
/// |---|---|---|---|---|---|
/// | joiner prepared | – | roll back | – | pair | pair |
/// | host committed | – | roll back | – | – | pair |
/// | paired | – | unpair | – | – | – |
///
/// An id that either side has as `hook` waits. Only a named `gone` counts: a list can be older than the id.
pub(super) fn verdict(mine: Mine, all_mine: &[Mine], theirs: &[Entry]) -> Verdict {
    let Some(their) = theirs.iter().find(|entry| entry.pair_id == mine.pair_id) else {
        return Verdict::Wait;
    };
    match (mine.state, mine.role, their.state) {
        (Listed::Hook | Listed::Gone, _, _) | (_, _, Listed::Hook) => Verdict::Wait,
        (Listed::Prepared | Listed::Committed, _, Listed::Gone) => Verdict::RollBack,
        (Listed::Prepared, Role::Joiner, Listed::Committed | Listed::Paired) => Verdict::Pair,
        (Listed::Committed, Role::Host, Listed::Paired) => Verdict::Pair,
        (Listed::Prepared | Listed::Committed, _, Listed::Prepared | Listed::Committed | Listed::Paired) => {
            Verdict::Wait
        }
        (Listed::Paired, _, Listed::Gone) if is_settled(all_mine, theirs) => Verdict::Unpair,
        (Listed::Paired, _, Listed::Gone | Listed::Prepared | Listed::Committed | Listed::Paired) => {
            Verdict::Wait
        }
    }
}

/// No id of the two is tentative or in its hook on either side.
fn is_settled(mine: &[Mine], theirs: &[Entry]) -> bool {
    let settled = |state: Listed| matches!(state, Listed::Paired | Listed::Gone);
    mine.iter().all(|mine| settled(mine.state)) && theirs.iter().all(|their| settled(their.state))
}

/// What to tell the peer: all of `mine`, and as `gone` what the peer listed last and this side lacks.
pub(super) fn list(mine: &[Mine], theirs: &[Entry]) -> Vec<Entry> {
    let held = mine.iter().map(|mine| Entry { pair_id: mine.pair_id, state: mine.state });
    let lacking = theirs.iter().filter(|their| {
        !matches!(their.state, Listed::Hook | Listed::Gone)
            && !mine.iter().any(|mine| mine.pair_id == their.pair_id)
    });
    let gone = lacking.map(|their| Entry { pair_id: their.pair_id, state: Listed::Gone });
    held.take(MAX_HELLO_ENTRIES).chain(gone).take(MAX_STATE_ENTRIES).collect()
}

/// Whether a record waits for the peer's word.
pub(super) fn is_tentative(state: PairState) -> bool {
    match state {
        PairState::Prepared | PairState::Committed => true,
        PairState::Hook | PairState::Paired => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    fn id(n: u8) -> PairId {
        PairId::from_bytes([n; 32])
    }

    fn run(state: Listed, role: Role, theirs: &[Entry]) -> Verdict {
        let mine = Mine { pair_id: id(1), role, state };
        verdict(mine, &[mine], theirs)
    }

    #[test]
    fn the_table_is_as_the_protocol_has_it() {
        let states = [Listed::Hook, Listed::Gone, Listed::Prepared, Listed::Committed, Listed::Paired];
        let mut printed = String::new();
        for (state, role) in [
            (Listed::Hook, Role::Joiner),
            (Listed::Prepared, Role::Joiner),
            (Listed::Hook, Role::Host),
            (Listed::Committed, Role::Host),
            (Listed::Paired, Role::Joiner),
            (Listed::Paired, Role::Host),
        ] {
            write!(printed, "{role:?} {state:?}: {:?}", run(state, role, &[])).unwrap();
            for theirs in states {
                let entry = Entry { pair_id: id(1), state: theirs };
                write!(printed, " {:?}", run(state, role, &[entry])).unwrap();
            }
            printed.push('\n');
        }
        // Columns: left out, hook, gone, prepared, committed, paired.
        let expected = "\
Joiner Hook: Wait Wait Wait Wait Wait Wait
Joiner Prepared: Wait Wait RollBack Wait Pair Pair
Host Hook: Wait Wait Wait Wait Wait Wait
Host Committed: Wait Wait RollBack Wait Wait Pair
Joiner Paired: Wait Wait Unpair Wait Wait Wait
Host Paired: Wait Wait Unpair Wait Wait Wait
";
        assert_eq!(printed, expected);
    }

    #[test]
    fn a_pairing_outlives_gone_while_another_id_is_undecided_on_either_side() {
        let paired = Mine { pair_id: id(1), role: Role::Host, state: Listed::Paired };
        let gone = Entry { pair_id: id(1), state: Listed::Gone };
        for state in [Listed::Hook, Listed::Prepared, Listed::Committed] {
            let other = Mine { pair_id: id(2), role: Role::Host, state };
            assert_eq!(verdict(paired, &[paired, other], &[gone]), Verdict::Wait, "mine {state:?}");
            let theirs = [gone, Entry { pair_id: id(2), state }];
            assert_eq!(verdict(paired, &[paired], &theirs), Verdict::Wait, "theirs {state:?}");
        }
        assert_eq!(verdict(paired, &[paired], &[gone]), Verdict::Unpair);
    }

    #[test]
    fn a_list_names_as_gone_what_the_peer_listed_and_we_lack() {
        let mine = [Mine { pair_id: id(1), role: Role::Host, state: Listed::Paired }];
        let theirs = [(1, Listed::Paired), (2, Listed::Prepared), (3, Listed::Hook), (4, Listed::Gone)]
            .map(|(n, state)| Entry { pair_id: id(n), state });
        let said = list(&mine, &theirs);
        assert_eq!(
            said,
            [(1, Listed::Paired), (2, Listed::Gone)].map(|(n, state)| Entry { pair_id: id(n), state })
        );
    }

    #[test]
    fn a_list_has_at_most_sixteen_entries() {
        let mine: Vec<_> =
            (0..9).map(|n| Mine { pair_id: id(n), role: Role::Host, state: Listed::Paired }).collect();
        let theirs: Vec<_> = (20..36).map(|n| Entry { pair_id: id(n), state: Listed::Paired }).collect();
        assert_eq!(list(&mine, &theirs).len(), 16);
        assert_eq!(list(&mine, &[]).len(), 8);
    }
}
