//! Whatever happens in whatever order: bounds hold, nothing is invented, and once all is well everybody is found.

use super::directory::Mood;
use super::world::{Kept, World, secs};
use crate::global::Switched;
use crate::wire::discovery::RefusalCode;
use proptest::prelude::*;
use std::net::SocketAddr;

const NODES: usize = 3;
const SERVERS: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    Pair(usize, usize),
    Forget(usize, usize),
    Move(usize, u8),
    Switch(usize, bool),
    Mood(usize, u8),
    Restart(usize, bool),
    StoreFails(usize, bool),
    LookUp(usize, usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (node, server) = (0..NODES, 0..SERVERS);
    prop_oneof![
        2 => (node.clone(), node.clone()).prop_map(|(a, b)| Step::Pair(a, b)),
        1 => (node.clone(), node.clone()).prop_map(|(a, b)| Step::Forget(a, b)),
        3 => (node.clone(), any::<u8>()).prop_map(|(a, to)| Step::Move(a, to)),
        1 => (node.clone(), any::<bool>()).prop_map(|(a, on)| Step::Switch(a, on)),
        3 => (server.clone(), any::<u8>()).prop_map(|(s, mood)| Step::Mood(s, mood)),
        2 => (server, any::<bool>()).prop_map(|(s, kept)| Step::Restart(s, kept)),
        1 => (node.clone(), any::<bool>()).prop_map(|(a, fails)| Step::StoreFails(a, fails)),
        1 => (node.clone(), node).prop_map(|(a, b)| Step::LookUp(a, b)),
        6 => (0..4000u64).prop_map(Step::Pass),
    ]
}

fn mood(n: u8) -> Mood {
    match n % 8 {
        0..=2 => Mood::Honest,
        3 => Mood::Down,
        4 => Mood::Silent,
        5 => Mood::Refusing(RefusalCode::Overloaded, n.into()),
        6 => Mood::Truncating,
        _ => Mood::Breaking,
    }
}

fn take(world: &mut World, step: Step) {
    match step {
        Step::Pair(a, b) if a != b && !world.nodes[a].paired.contains_key(&world.key(b)) => world.pair(a, b),
        Step::Forget(a, b) => {
            world.forget(a, b);
            world.forget(b, a);
        }
        Step::Move(node, to) => world.move_to(node, &format!("198.51.{}.{}", 100 + node, 1 + to % 200)),
        Step::Switch(node, on) => world.switch(node, if on { Switched::On } else { Switched::Off }),
        Step::Mood(server, n) => world.servers[server].mood = mood(n),
        Step::Restart(server, kept) => world.restart(server, if kept { Kept::All } else { Kept::Nothing }),
        Step::StoreFails(node, fails) => world.nodes[node].store_fails = fails,
        Step::LookUp(a, b) => {
            world.look_up(a, b);
        }
        Step::Pass(time) => world.pass(secs(time)),
        Step::Pair(..) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn once_all_is_well_paired_nodes_find_each_other_and_nobody_else(steps in proptest::collection::vec(step(), 1..40)) {
        let mut world = World::new(NODES, SERVERS);
        let mut homes: Vec<Vec<SocketAddr>> = vec![Vec::new(); NODES];
        for step in steps {
            for (node, homes) in world.nodes.iter().zip(&mut homes) {
                homes.push(SocketAddr::new(node.ip, 7000));
            }
            take(&mut world, step);
            for (a, b) in (0..NODES).flat_map(|a| (0..NODES).map(move |b| (a, b))) {
                homes[b].push(SocketAddr::new(world.nodes[b].ip, 7000));
                let told = world.where_is(a, b);
                prop_assert!(told.iter().all(|address| homes[b].contains(address)), "nothing is invented");
                prop_assert!(told.is_empty() || world.nodes[a].paired.contains_key(&world.key(b)));
            }
        }
        for server in &mut world.servers {
            server.mood = Mood::Honest;
        }
        for node in 0..NODES {
            world.nodes[node].store_fails = false;
            world.switch(node, Switched::On);
        }
        // The longest pause, and those that a server asked for.
        world.pass(secs(8000));
        for (a, b) in (0..NODES).flat_map(|a| (0..NODES).map(move |b| (a, b))) {
            let is_paired = world.nodes[a].paired.contains_key(&world.key(b));
            prop_assert_eq!(world.sees(a, b), is_paired, "{} and {}", a, b);
        }
    }
}
