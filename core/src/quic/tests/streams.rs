//! Which stream goes first.

use super::*;

#[test]
fn of_two_streams_the_one_of_higher_priority_leaves_first_though_it_began_later() {
    for (priorities, first) in [([0, 1], 1), ([1, 0], 0), ([i32::MIN, i32::MAX], 1)] {
        let mut pair = Pair::new();
        let (on_client, on_server) = pair.connected();
        pair.ends[CLIENT].admit(pair.now, on_client);
        pair.ends[SERVER].admit(pair.now, on_server);
        pair.run();
        let ids = priorities.map(|priority| {
            let id = pair.ends[CLIENT].open(on_client, Direction::Uni, "", 0).unwrap();
            let mut stream = pair.ends[CLIENT].stream(on_client, id).unwrap();
            stream.set_priority(priority);
            assert_eq!(stream.write(&[7; 100_000]), Ok(100_000));
            id
        });
        // As far as one of them can have come.
        let (mut came, mut buf) = ([0, 0], Vec::new());
        while came[0] + came[1] < 40_000 {
            for end in [CLIENT, SERVER] {
                if let Round::Transmit(_) = pair.ends[end].poll_transmit(pair.now, &mut buf) {
                    pair.deliver(1 - end, &buf);
                }
                pair.ends[end].poll_connections(pair.now);
                pair.ends[end].handle_timeout(pair.now);
            }
            pair.now += Duration::from_millis(1);
            for (came, id) in came.iter_mut().zip(ids) {
                let stream = pair.ends[SERVER].stream(on_server, id);
                *came += stream.map_or(0, |mut s| s.read_chunks(usize::MAX, &mut Vec::new()).unwrap().bytes);
            }
        }
        // The label was under way before the priority was known: it takes the rest of its packet along.
        assert!(came[first] > 4 * came[1 - first] && came[1 - first] < 1_500, "{priorities:?}: {came:?}");
    }
}
