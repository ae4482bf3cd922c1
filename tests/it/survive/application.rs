//! Applications that fail their node, and peers that are not who they were.

use super::support::*;
use handfast_core::{ConnectFailure, Event, Target};
use handfast_tests::app::Hook;
use handfast_tests::fabric::Host;
use handfast_tests::world::World;
use std::time::Duration;

/// Lets `host` show a code and `joiner` type it.
fn pair(world: &mut World, host: Host, joiner: Host) {
    let code = world.tell(host, |node, now| node.pairing().host(now, &Target::Any)).unwrap().code;
    let at = world.address(host);
    world.tell(joiner, |node, now| node.pairing().join(now, code, &Target::At(vec![at]))).unwrap();
}

#[test]
fn a_hook_that_hangs_for_minutes_holds_up_nobody_else() {
    let (mut world, a, b) = pair_of_hosts(1);
    let (on_a, _) = connect(&mut world, a, b);
    let c = world.add(config(), &identity(3), vec![]);
    world.run_for(SOON);
    world[a].app.hooks = Hook::Hang;
    pair(&mut world, a, c);
    let asked =
        |event: &Event| matches!(event, Event::PairingProgress(_, handfast_core::PairingStep::Saving));
    assert!(world.run_until(SOON, |world| told(world, a, asked)));
    // Bytes, keep-alives, refreshes and the end of the pairing itself: all in their time.
    for _ in 0..10 {
        assert!(passes(&mut world, (a, on_a), b, Duration::from_secs(1)));
        world.run_for(Duration::from_secs(60));
    }
    assert_eq!(conn(&world, a), Some(on_a));
    assert!(sees(&mut world, a, b) && sees(&mut world, b, a));
    for host in [a, c] {
        assert!(told(&world, host, |event| matches!(event, Event::PairingEnded(_, Err(_)))));
    }
}

#[test]
fn a_device_that_comes_back_with_another_key_is_a_stranger_until_somebody_types_a_code() {
    let (mut world, a, b) = pair_of_hosts(1);
    connect(&mut world, a, b);
    world.shut_down(b);
    world.run_for(SOON);
    world.crash(b);
    // It was set up anew, and is found where it was.
    let anew = world.add(config(), &identity(4), vec![]);
    world.run_for(SOON);
    let (to, peer) = (world.address(anew), name(&identity(2)));
    world.tell(a, |node, now| {
        node.peers().add_address(now, peer, to);
        node.connect(now, peer).unwrap();
    });
    let wrong = Event::ConnectFailed(peer, ConnectFailure::WrongPeer);
    assert!(world.run_until(SOON * 3, |world| told(world, a, |event| *event == wrong)));
    let nobody = world.tell(a, |node, now| node.connect(now, name(&identity(4))));
    assert_eq!(nobody, Err(handfast_core::error::ConnectError::NotPaired));
    let paired = |world: &mut World| world.tell(a, |node, _| node.peers().paired());
    assert_eq!(
        paired(&mut world).iter().map(|peer| peer.key).collect::<Vec<_>>(),
        [identity(2).public_key()]
    );
    pair(&mut world, a, anew);
    let key = identity(4).public_key();
    let known = |event: &Event| matches!(event, Event::PeerPaired(peer) if peer.key == key);
    assert!(world.run_until(SOON, |world| told(world, a, known)));
    assert_eq!(paired(&mut world).len(), 2, "the old key is still another peer");
}

#[test]
fn a_connection_that_breaks_in_the_middle_of_a_message_is_an_error_on_both_sides() {
    let (mut world, a, b) = pair_of_hosts(1);
    let (on_a, _) = connect(&mut world, a, b);
    let id = world.tell(a, |node, now| {
        let id = node.open(now, on_a, handfast_core::Direction::Uni, "", 1).unwrap();
        node.stream(on_a, id).unwrap().write(b"half a mess").unwrap();
        id
    });
    assert!(world.run_until(SOON, |world| !opened(world, b).is_empty()));
    let (on_b, id_b) = opened(&world, b)[0];
    world.take_down(a, 1);
    world.run_for(config().idle_timeout * 2);
    assert_eq!((conn(&world, a), conn(&world, b)), (None, None));
    let written = world.tell(a, |node, _| {
        node.stream(on_a, id).and_then(|mut s| s.write(b"age").map_err(|_| handfast_core::error::Gone))
    });
    assert!(written.is_err());
    let first = world.tell(b, |node, _| read(node, on_b, id_b));
    assert_eq!(first, Ok((b"half a mess".to_vec(), false)));
    let second = world.tell(b, |node, _| read(node, on_b, id_b));
    assert_eq!(second, Err(handfast_core::error::ReadError::Gone));
}
