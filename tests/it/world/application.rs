//! The example of an application under simulation.

use super::*;

#[path = "../../sim/examples/counter/counter.rs"]
mod counter;

#[test]
fn an_application_of_ones_own_agrees_in_the_end_whatever_is_lost() {
    for seed in 0..10 {
        let (world, hosts) = counter::play(seed);
        assert!(hosts.iter().all(|host| world[*host].app.sum() == 60));
        let tally = world.tally();
        assert!(tally.of(Fault::Lost) > 0, "seed {seed}");
        assert_eq!((tally.of(Fault::Crashed), tally.of(Fault::Restarted)), (1, 1), "seed {seed}");
    }
    let digest = |seed| counter::play(seed).0.trace.digest();
    assert_eq!(digest(3), digest(3));
}
