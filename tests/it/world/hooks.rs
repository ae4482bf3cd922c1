//! Hooks that fail, stall or panic.

use super::*;
use handfast_tests::app::Hook;

/// Two hosts that begin to pair, while the hook of one ends like this.
fn pairing_with(at_host: bool, hook: Hook) -> (World, Host, Host) {
    let (mut world, a, b) = two_hosts();
    let (odd, other) = if at_host { (a, b) } else { (b, a) };
    world[odd].app.hooks = hook;
    start_pairing(&mut world, a, b);
    (world, odd, other)
}

fn nobody_is_paired(world: &mut World, case: &str) {
    let hosts: Vec<Host> = world.machines().map(|(host, _)| host).collect();
    for host in hosts {
        assert_eq!(paired(world, host), [0; 3], "{case}");
        assert!(matches!(outcome(world, host), Some(Err(_))), "{case}: {:?}", outcome(world, host));
        assert!(!told(world, host, |event| matches!(event, Event::PeerPaired(_))), "{case}");
    }
}

#[test]
fn a_hook_that_fails_ends_the_pairing_on_both_sides() {
    for at_host in [true, false] {
        let (mut world, ..) = pairing_with(at_host, Hook::Fail);
        world.run_for(secs(60));
        nobody_is_paired(&mut world, &format!("at the host: {at_host}"));
        assert_eq!(fired(&world, Fault::HookFailed), 1);
    }
}

#[test]
fn a_hook_that_panics_has_failed_and_its_node_lives_on() {
    for at_host in [true, false] {
        let (mut world, a, b) = two_hosts();
        let odd = if at_host { a } else { b };
        world[odd].app.hooks_panic = true;
        start_pairing(&mut world, a, b);
        world.run_for(secs(60));
        nobody_is_paired(&mut world, &format!("at the host: {at_host}"));
        assert_eq!(fired(&world, Fault::HookPanicked), 1);
        world[odd].app.hooks_panic = false;
        start_pairing(&mut world, a, b);
        world.run_for(secs(60));
        assert_eq!((paired(&mut world, a), paired(&mut world, b)), ([1; 3], [1; 3]));
    }
}

#[test]
fn a_hook_that_answers_late_holds_the_pairing_for_as_long() {
    for at_host in [true, false] {
        let (mut world, odd, other) = pairing_with(at_host, Hook::Stall(secs(20)));
        assert!(world.run_until(SOON, |world| world.tally().of(Fault::HookStalled) == 1));
        assert_eq!(world[odd].hooks_pending(), 1);
        world.run_for(secs(20) - Duration::from_millis(1));
        assert!(outcome(&world, other).is_none() && outcome(&world, odd).is_none());
        world.run_for(SOON);
        assert_eq!((paired(&mut world, odd), paired(&mut world, other)), ([1; 3], [1; 3]));
        assert_eq!((world[odd].hooks_pending(), fired(&world, Fault::HookStalled)), (0, 1));
    }
}

#[test]
fn a_rollback_drops_the_hook_that_has_not_answered() {
    // Hooks have 30 s.
    for hook in [Hook::Stall(secs(60)), Hook::Hang] {
        for at_host in [true, false] {
            let (mut world, odd, _) = pairing_with(at_host, hook);
            assert!(world.run_until(SOON, |world| world[odd].hooks_pending() == 1));
            assert!(world.run_until(secs(40), |world| world[odd].hooks_pending() == 0));
            assert!(world[odd].app.saved.is_empty(), "undone");
            world.run_for(secs(120));
            nobody_is_paired(&mut world, &format!("{hook:?} at the host: {at_host}"));
            assert_eq!(fired(&world, Fault::HookStalled), 1);
        }
    }
}
