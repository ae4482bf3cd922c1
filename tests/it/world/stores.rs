//! Stores that fail, stall, or let their host crash, in the middle of a pairing.

use super::*;
use handfast_tests::store::StoreFault;

/// Two hosts that begin to pair, while the store of one meets its fate with its first write.
fn pairing_with(at_host: bool, fate: StoreFault) -> (World, Host, Host) {
    let (mut world, a, b) = two_hosts();
    let unlucky = if at_host { a } else { b };
    world[unlucky].store.script.push_back(Some(fate));
    start_pairing(&mut world, a, b);
    (world, unlucky, if at_host { b } else { a })
}

/// Dials both ways, so that who has a record hears whether the other one has.
fn meet(world: &mut World) {
    let hosts: Vec<Host> = world.machines().map(|(host, _)| host).collect();
    for (from, to, peer) in [(hosts[0], hosts[1], 2), (hosts[1], hosts[0], 1)] {
        let (at, peer) = (world.address(to), name(&identity(peer)));
        world.tell(from, |node, now| {
            node.peers().add_address(now, peer, at);
            // Who has no record has nobody to dial.
            let _ = node.connect(now, peer);
        });
        world.run_for(secs(60));
    }
}

#[test]
fn a_write_that_fails_leaves_nothing_in_the_store_and_nobody_paired() {
    for at_host in [true, false] {
        let (mut world, unlucky, other) = pairing_with(at_host, StoreFault::Fail);
        let written = world.run_until(secs(60), |world| !world[unlucky].store.records.is_empty());
        assert!(!written, "at the host: {at_host}");
        assert!(matches!(outcome(&world, unlucky), Some(Err(_))));
        meet(&mut world);
        assert_eq!((paired(&mut world, unlucky), paired(&mut world, other)), ([0; 3], [0; 3]));
        assert_eq!(fired(&world, Fault::StoreFailed), 1);
    }
}

#[test]
fn a_write_that_fails_and_is_yet_on_disk_is_settled_when_they_meet() {
    for at_host in [true, false] {
        let (mut world, unlucky, other) = pairing_with(at_host, StoreFault::FailWritten);
        let written = world.run_until(secs(60), |world| !world[unlucky].store.records.is_empty());
        assert!(written, "at the host: {at_host}");
        assert_eq!(fired(&world, Fault::StoreFailed), 1);
        world.crash(unlucky);
        world.restart(unlucky);
        world.run_for(secs(60));
        meet(&mut world);
        let (of_unlucky, of_other) = (paired(&mut world, unlucky), paired(&mut world, other));
        assert_eq!(of_unlucky[0], of_other[0], "both or neither; at the host: {at_host}");
    }
}

#[test]
fn a_write_that_stalls_holds_the_pairing_for_as_long() {
    for at_host in [true, false] {
        let (mut world, unlucky, other) = pairing_with(at_host, StoreFault::Stall(secs(5)));
        assert!(world.run_until(SOON, |world| world.tally().of(Fault::StoreStalled) == 1));
        world.run_for(secs(5) - Duration::from_millis(1));
        assert_eq!(world[unlucky].store.records.len(), 0);
        assert!(
            outcome(&world, other).is_none(),
            "nothing is said before it is stored; at the host: {at_host}"
        );
        world.run_for(SOON);
        assert_eq!((paired(&mut world, unlucky), paired(&mut world, other)), ([1; 3], [1; 3]));
        assert_eq!(fired(&world, Fault::StoreStalled), 1);
    }
}

#[test]
fn a_host_that_crashes_in_a_write_comes_back_with_what_was_written_and_both_agree() {
    for at_host in [true, false] {
        for (fate, left) in [(StoreFault::CrashBefore, 0), (StoreFault::CrashAfter, 1)] {
            let (mut world, unlucky, other) = pairing_with(at_host, fate);
            assert!(world.run_until(SOON, |world| !world[unlucky].is_up()));
            assert_eq!(world[unlucky].store.records.len(), left, "{fate:?}");
            assert_eq!((fired(&world, Fault::StoreCrashed), fired(&world, Fault::Crashed)), (1, 1));
            let said = world.trace.sent.len();
            world.run_for(secs(2));
            assert!(world.trace.sent[said..].iter().all(|sent| sent.host == other));
            world.restart(unlucky);
            world.run_for(secs(60));
            meet(&mut world);
            let (of_unlucky, of_other) = (paired(&mut world, unlucky), paired(&mut world, other));
            assert_eq!(of_unlucky[0], of_other[0], "{fate:?}, at the host: {at_host}");
        }
    }
}

#[test]
fn a_peer_that_is_forgotten_while_the_store_stalls_is_connected_no_more() {
    let (mut world, a, b) = two_hosts();
    start_pairing(&mut world, a, b);
    world.run_for(SOON);
    assert_eq!((paired(&mut world, a), paired(&mut world, b)), ([1; 3], [1; 3]));
    let connections = |world: &World| {
        let is_connected = |event: &&Event| matches!(event, Event::PeerConnected(_));
        world[a].app.events.iter().filter(is_connected).count()
    };
    let peer = name(&identity(2));
    let conn = world.tell(a, |node, _| node.peers().connected()[0].conn);
    world.tell(a, |node, now| node.close(now, conn));
    world.run_for(SOON);
    let before = connections(&world);

    world[a].store.script.push_back(Some(StoreFault::Stall(secs(20))));
    assert!(world.tell(a, |node, now| node.pairing().forget(now, peer)));
    meet(&mut world);
    assert_eq!(connections(&world), before, "it is not used while the store works, nor after");
    // The application is told, and keeps what it likes.
    let left = |[of_node, _, in_store]: [usize; 3]| of_node + in_store;
    assert_eq!((left(paired(&mut world, a)), left(paired(&mut world, b))), (0, 0));
}
