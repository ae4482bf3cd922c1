use super::*;
use crate::event::ConnectFailure;
use crate::id::ConnId;
use crate::peers::lonely::{Lonely, SECOND, address, key};
use crate::quic::Cause;
use crate::wire::close::CloseCode;
use std::net::SocketAddr;

#[test]
fn a_dead_peer_is_dialled_some_thirty_times_in_the_first_hour_and_twelve_times_an_hour_after_it() {
    let mut lonely = Lonely::with(Policy::Eager, [1]);
    lonely.run(3600 * SECOND);
    assert!((15..=35).contains(&lonely.dials.len()), "{}", lonely.dials.len());
    lonely.dials.clear();
    lonely.run(24 * 3600 * SECOND);
    // 10 s in vain and 150 s of pause, about.
    assert!((400..=700).contains(&lonely.dials.len()), "{}", lonely.dials.len());
}

#[test]
fn pauses_are_drawn_and_grow() {
    let mut lonely = Lonely::with(Policy::Eager, [1]);
    lonely.run(3 * 3600 * SECOND);
    let pauses: Vec<Duration> = lonely
        .told
        .iter()
        .filter_map(|state| match state {
            PeerState::Waiting { pause, why: IdleReason::Failed(ConnectFailure::TimedOut) } => Some(*pause),
            _ => None,
        })
        .collect();
    for (pause, step) in pauses.iter().zip(&STEPS[1..]) {
        assert!(*pause <= Duration::from_secs(*step));
    }
    assert!(pauses.iter().all(|pause| *pause <= 300 * SECOND));
    assert!(pauses.iter().any(|pause| *pause >= 100 * SECOND), "{pauses:?}");
}

#[test]
fn a_lazy_peer_is_not_dialled_until_the_application_asks_and_then_once() {
    let mut lonely = Lonely::with(Policy::Lazy, [1]);
    lonely.run(3600 * SECOND);
    assert!(lonely.dials.is_empty() && lonely.told.is_empty());
    lonely.peers.connect(lonely.now, key(1)).unwrap();
    lonely.hear();
    lonely.run(3600 * SECOND);
    assert_eq!(lonely.dials.len(), 1);
    let failed = PeerState::Idle(IdleReason::Failed(ConnectFailure::TimedOut));
    assert_eq!(lonely.told, [PeerState::Dialling { addresses: 1 }, failed]);
    assert_eq!(lonely.state(1), failed);
}

#[test]
fn whatever_gives_hope_ends_a_pause() {
    type Hope = fn(&mut Lonely);
    let hopes: [Hope; 4] = [
        |lonely| lonely.peers.handle_network_changed(lonely.now),
        |lonely| lonely.peers.add_address(lonely.now, key(1).peer_id(lonely.peers.kind), address(99)),
        |lonely| assert!(lonely.peers.connect(lonely.now, key(1)).is_ok()),
        |lonely| assert!(lonely.peers.set_policy(lonely.now, &key(1), Some(Policy::Eager))),
    ];
    for hope in hopes {
        let mut lonely = Lonely::with(Policy::Eager, [1]);
        lonely.run(2 * 3600 * SECOND);
        let waits_long = |lonely: &Lonely| matches!(lonely.state(1), PeerState::Waiting { pause, .. } if pause > 60 * SECOND);
        for _ in 0..3600 {
            if !waits_long(&lonely) {
                lonely.run(SECOND);
            }
        }
        assert!(waits_long(&lonely));
        lonely.run(12 * SECOND);
        lonely.dials.clear();
        hope(&mut lonely);
        lonely.hear();
        lonely.run(Duration::ZERO);
        assert!(!lonely.dials.is_empty(), "it is dialled at once");
        // And again soon after: the pauses begin anew.
        lonely.run(14 * SECOND);
        assert!(lonely.dials.len() >= 2);
    }
}

#[test]
fn a_peer_that_is_announced_again_and_again_is_dialled_once_a_second_at_most() {
    let mut lonely = Lonely::with(Policy::Eager, [1]);
    for n in 0..1000 {
        lonely.run(SECOND / 100);
        let id = key(1).peer_id(lonely.peers.kind);
        lonely.peers.add_address(lonely.now, id, ([198, 51, 100, 1], n + 1).into());
        lonely.hear();
        // Whoever is there answers at once, and has another key.
        let dialled: Vec<ConnId> = (0..=lonely.conns).map(ConnId).collect();
        for conn in dialled {
            lonely.peers.handle_lost(lonely.now, conn, Cause::WrongKey);
        }
        lonely.hear();
    }
    assert!(lonely.peers.next_dial <= 12, "{} in 10 s", lonely.peers.next_dial);
}

#[test]
fn peers_that_are_kept_connected_are_dialled_thirty_two_at_a_time() {
    let mut lonely = Lonely::with(Policy::Eager, 1..=200);
    lonely.run(Duration::ZERO);
    assert_eq!(lonely.peers.dials.len(), MAX_AT_ONCE);
    lonely.run(300 * SECOND);
    let all: BTreeSet<SocketAddr> = lonely.dials.iter().map(|(_, to)| *to).collect();
    assert_eq!(all.len(), 200, "each has its turn");
}

#[test]
fn who_is_forgotten_while_it_is_dialled_or_waited_for_is_not_dialled_again() {
    for wait in [Duration::ZERO, 15 * SECOND, 100 * SECOND] {
        let mut lonely = Lonely::with(Policy::Eager, [1]);
        lonely.run(wait);
        lonely.peers.set_paired(lonely.now, &BTreeSet::new());
        lonely.hear();
        lonely.run(12 * SECOND);
        lonely.dials.clear();
        lonely.run(3600 * SECOND);
        assert!(lonely.dials.is_empty());
        assert!(lonely.peers.due.is_empty() && lonely.peers.state(&key(1)).is_none());
    }
}

#[test]
fn a_connection_that_ends_is_dialled_at_once_unless_it_was_closed_on_purpose() {
    for (cause, at_once, ever) in [
        (Cause::TimedOut, true, true),
        (Cause::Reset, true, true),
        (Cause::Peer(Some(CloseCode::Shutdown)), false, true),
        (Cause::Here(CloseCode::Ok), false, false),
    ] {
        let mut lonely = Lonely::with(Policy::Eager, [1]);
        lonely.run(Duration::ZERO);
        let up_since = lonely.now;
        lonely.peers.hang_up_all(|_| true);
        lonely.run(60 * SECOND);
        lonely.dials.clear();
        let reason = super::super::connections::disconnect_reason(cause);
        lonely.peers.on_ended(lonely.now, &key(1), reason, up_since);
        lonely.run(Duration::ZERO);
        assert_eq!(!lonely.dials.is_empty(), at_once, "{cause:?}");
        lonely.run(3600 * SECOND);
        assert_eq!(!lonely.dials.is_empty(), ever, "{cause:?}");
    }
}
