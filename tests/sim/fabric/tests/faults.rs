//! What each fault of a link looks like to those at its ends.

use super::*;

fn perfect() -> Link {
    Link::default()
}

/// Sends `count` numbered datagrams from host 0 to host 1, one each `gap`, and returns who arrived when.
fn numbered(lab: &mut Lab, count: u8, gap: Duration) -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    for n in 0..count {
        lab.send(0, out("192.168.1.11:9", &[n]));
        arrivals.extend(lab.run(gap));
    }
    arrivals.extend(lab.run(ms(10_000)));
    arrivals
}

fn numbers(arrivals: &[Arrival]) -> Vec<u8> {
    arrivals.iter().map(|arrival| arrival.payload[0]).collect()
}

#[test]
fn a_link_takes_its_latency_to_the_nanosecond() {
    let (mut lab, _) = Lab::lan(1, perfect().with_latency(ms(7)), 2);
    let arrivals = numbered(&mut lab, 1, Duration::ZERO);
    assert_eq!(arrivals.len(), 1);
    assert_eq!(lab.since(&arrivals[0]), ms(7));
    assert_eq!(arrivals[0].source, to("192.168.1.10:40000"));
    assert_eq!((arrivals[0].interface, arrivals[0].destination_port, arrivals[0].on_link), (ETH, 9, true));
}

#[test]
fn a_lossy_link_loses_about_as_many_as_it_says() {
    let (mut lab, _) = Lab::lan(1, perfect().with_loss(PerMille(300)), 2);
    let mut arrived = 0;
    for _ in 0..10 {
        arrived += numbered(&mut lab, 100, ms(1)).len();
    }
    assert!((630..770).contains(&arrived), "{arrived} of 1,000 arrived");
    assert_eq!(lab.fired(Fault::Lost), 1000 - arrived as u64);
}

#[test]
fn jitter_delays_within_its_bound() {
    let (mut lab, _) = Lab::lan(1, perfect().with_jitter(ms(5)), 2);
    let (mut late, mut waits) = (0, Vec::new());
    for _ in 0..100 {
        let sent = lab.now;
        lab.send(0, out("192.168.1.11:9", b"x"));
        let arrivals = lab.run(ms(100));
        let took = arrivals[0].at - sent;
        assert!((ms(1)..=ms(6)).contains(&took), "{took:?}");
        late += u64::from(took > ms(1));
        waits.push(took);
    }
    waits.sort();
    assert!(waits[99] - waits[0] > ms(4), "delays spread over the whole jitter");
    assert_eq!(lab.fired(Fault::Delayed), late);
    assert_eq!(lab.fired(Fault::Reordered), 0, "nothing was near enough to be overtaken");
}

#[test]
fn jitter_lets_datagrams_overtake_each_other() {
    let (mut lab, _) = Lab::lan(3, perfect().with_jitter(ms(5)), 2);
    let order = numbers(&numbered(&mut lab, 50, ms(1)));
    // Each that arrives while an earlier one is still on its way overtook it.
    let overtook = (0..order.len()).filter(|n| order[n + 1..].iter().any(|later| *later < order[*n])).count();
    assert!(overtook > 0);
    assert_eq!(lab.fired(Fault::Reordered), overtook as u64);
}

#[test]
fn a_duplicating_link_delivers_twice() {
    let (mut lab, _) = Lab::lan(1, perfect().with_duplicate(PerMille::ALWAYS), 2);
    let arrivals = numbered(&mut lab, 3, ms(10));
    assert_eq!(numbers(&arrivals), [0, 0, 1, 1, 2, 2]);
    assert_eq!(lab.fired(Fault::Duplicated), 3);
}

#[test]
fn a_datagram_that_is_held_back_is_overtaken() {
    let (mut lab, lan) = Lab::lan(1, perfect().with_reorder(PerMille::ALWAYS, ms(5)), 2);
    lab.send(0, out("192.168.1.11:9", &[0]));
    // Only the first is held back, and the link still may shuffle.
    lab.fabric.set_link(lan, perfect().with_jitter(Duration::from_nanos(1)));
    let arrivals = numbered(&mut lab, 3, ms(1));
    assert_eq!(numbers(&arrivals), [0, 1, 2, 0]);
    assert_eq!(lab.since(&arrivals[3]), ms(6));
    assert_eq!(lab.fired(Fault::Reordered), 3);
}

#[test]
fn datagrams_keep_their_order_on_a_calm_link() {
    let (mut lab, _) = Lab::lan(1, perfect(), 2);
    for n in 0..100 {
        lab.send(0, out("192.168.1.11:9", &[n]));
    }
    assert_eq!(numbers(&lab.run(ms(10))), (0..100).collect::<Vec<u8>>());
    assert_eq!(lab.fired(Fault::Reordered), 0);
}

#[test]
fn bandwidth_delays_exactly_by_the_bytes_on_the_wire() {
    // 28 bytes of headers and 72 of payload are 100: 10 ms each.
    let (mut lab, _) = Lab::lan(1, perfect().with_bandwidth(10_000, ms(1000)), 3);
    for n in 0..3 {
        lab.send(0, out("192.168.1.11:9", &[n; 72]));
    }
    lab.send(2, out("192.168.1.11:9", &[3; 72]));
    let arrivals = lab.run(ms(1000));
    let when: Vec<(u8, Duration)> = arrivals.iter().map(|a| (a.payload[0], lab.since(a))).collect();
    assert_eq!(when, [(0, ms(11)), (3, ms(11)), (1, ms(21)), (2, ms(31))], "each sender has its own line");
    assert_eq!(lab.fired(Fault::Queued), 2);
}

#[test]
fn a_multicast_takes_its_senders_line_once() {
    let (mut lab, _) = Lab::lan(1, perfect().with_bandwidth(10_000, ms(1000)), 10);
    lab.send(0, multicast(ETH, Family::V4, &[0; 72]));
    let arrivals = lab.run(ms(1000));
    let others: Vec<Duration> = arrivals.iter().filter(|a| a.host != Host(0)).map(|a| lab.since(a)).collect();
    assert_eq!(others, [ms(11); 9]);
}

#[test]
fn a_full_queue_drops_what_comes_last() {
    // A datagram waits at most 20 ms: the fourth would wait 30.
    let (mut lab, _) = Lab::lan(1, perfect().with_bandwidth(10_000, ms(20)), 2);
    for n in 0..5 {
        lab.send(0, out("192.168.1.11:9", &[n; 72]));
    }
    assert_eq!(numbers(&lab.run(ms(1000))), [0, 1, 2]);
    assert_eq!((lab.fired(Fault::Queued), lab.fired(Fault::Overflowed)), (2, 2));
}

#[test]
fn what_is_too_big_for_a_link_vanishes() {
    let (mut lab, _) = Lab::lan(1, perfect(), 2);
    lab.send(0, out("192.168.1.11:9", &[0; 1472]));
    lab.send(0, out("192.168.1.11:9", &[0; 1473]));
    lab.send(0, out("[fe80::11%2]:9", &[0; 1452]));
    lab.send(0, out("[fe80::11%2]:9", &[0; 1453]));
    let sizes: Vec<usize> = lab.run(ms(10)).iter().map(|arrival| arrival.payload.len()).collect();
    assert_eq!(sizes, [1472, 1452]);
    assert_eq!(lab.fired(Fault::TooBig), 2);
}

#[test]
fn a_black_hole_that_appears_swallows_the_big_alone() {
    let (mut lab, lan) = Lab::lan(1, perfect(), 2);
    lab.send(0, out("192.168.1.11:9", &[0; 1400]));
    assert_eq!(lab.heard(), [1]);
    lab.fabric.set_link(lan, perfect().with_mtu(1280));
    lab.send(0, out("192.168.1.11:9", &[0; 1400]));
    lab.send(0, out("192.168.1.11:9", &[0; 1200]));
    assert_eq!(lab.run(ms(10)).iter().map(|a| a.payload.len()).collect::<Vec<_>>(), [1200]);
    assert_eq!(lab.fired(Fault::TooBig), 1);
}

#[test]
fn a_datagram_in_fragments_is_lost_with_one_of_them() {
    let lossy = perfect().with_loss(PerMille(100));
    let (mut lab, _) = Lab::lan(1, lossy, 2);
    let mut arrived = 0;
    for _ in 0..1000 {
        lab.send(0, Outgoing { may_fragment: true, ..out("192.168.1.11:9", &[0; 8000]) });
        arrived += lab.run(ms(2)).len();
    }
    // 8,008 bytes are six fragments of at most 1,480: 0.9⁶ is 53 %.
    assert!((470..600).contains(&arrived), "{arrived} of 1,000 arrived");
    assert_eq!(lab.fired(Fault::TooBig), 0);
}

#[test]
fn a_hosts_own_cable_comes_on_top_of_the_segment_both_ways() {
    let (mut lab, _) = Lab::lan(1, perfect(), 3);
    lab.fabric.set_port_link(Host(1), ETH, Some(perfect().with_latency(ms(10)).with_mtu(1280)));
    lab.send(0, out("192.168.1.11:9", b"down"));
    lab.send(1, out("192.168.1.10:9", b"up"));
    lab.send(0, out("192.168.1.12:9", b"past"));
    lab.send(0, out("192.168.1.11:9", &[0; 1400]));
    let arrivals = lab.run(ms(100));
    let when: Vec<(usize, Duration)> = arrivals.iter().map(|a| (a.host.0, lab.since(a))).collect();
    assert_eq!(when, [(2, ms(1)), (1, ms(11)), (0, ms(11))]);
    assert_eq!(lab.fired(Fault::TooBig), 1);
    lab.fabric.set_port_link(Host(1), ETH, None);
    let sent = lab.now;
    lab.send(0, out("192.168.1.11:9", b"down"));
    assert_eq!(lab.run(ms(100))[0].at - sent, ms(1));
}

#[test]
fn a_slow_cable_queues_what_comes_down_it() {
    let (mut lab, _) = Lab::lan(1, perfect(), 3);
    lab.fabric.set_port_link(Host(1), ETH, Some(perfect().with_bandwidth(10_000, ms(1000))));
    lab.send(0, out("192.168.1.11:9", &[0; 72]));
    lab.send(2, out("192.168.1.11:9", &[2; 72]));
    let when: Vec<Duration> = lab.run(ms(1000)).iter().map(|a| a.at - lab.start).collect();
    assert_eq!(when, [ms(12), ms(22)], "1 ms of segment, 10 ms each of line, 1 ms of cable");
    assert_eq!(lab.fired(Fault::Queued), 1);
}

#[test]
fn the_same_seed_gives_the_same_arrivals_and_another_does_not() {
    let run = |seed: u64| {
        let link = perfect()
            .with_jitter(ms(3))
            .with_loss(PerMille(100))
            .with_duplicate(PerMille(100))
            .with_reorder(PerMille(100), ms(5));
        let (mut lab, _) = Lab::lan(seed, link, 5);
        for n in 0..50 {
            lab.send(usize::from(n) % 5, multicast(ETH, Family::V4, &[n]));
        }
        let arrivals = lab.run(ms(1000));
        let seen = arrivals.iter().map(|a| (lab.since(a), a.host, a.payload.clone())).collect::<Vec<_>>();
        (seen, lab.fabric.tally().clone())
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).0, run(8).0);
}
