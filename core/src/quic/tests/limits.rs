//! What a peer may open, and what everybody may buffer.

use super::*;
use crate::config::{BUDGET_EACH, Labels};
use crate::error::WriteError;

const MIB: u64 = 1 << 20;

/// A node with little room, for two connections each way.
fn poor() -> Config {
    let mut config = Config::new(ServiceName::new("test").unwrap());
    config.max_connections = 2;
    (config.receive_budget, config.send_budget) = (40 * MIB, 20 * MIB);
    (config.receive_window, config.send_window) = (8 << 20, 8 << 20);
    config.check().unwrap();
    config
}

/// Writes on a new stream until there is no room, and says how much was taken.
fn fill(pair: &mut Pair, end: usize, conn: ConnId) -> u64 {
    let (mut taken, mut blocked) = (0, 0);
    let ids: Vec<StreamId> = (0..8)
        .map(|_| {
            let id = pair.ends[end].open(conn, Direction::Uni, "", 0).unwrap();
            pair.run();
            id
        })
        .collect();
    while blocked < 3 {
        blocked += 1;
        for id in &ids {
            loop {
                let mut chunk = [Bytes::from_static(&[0; 64 << 10])];
                match pair.ends[end].stream(conn, *id).unwrap().write_chunks(&mut chunk) {
                    Ok(written) => (taken, blocked) = (taken + written.bytes as u64, 0),
                    Err(WriteError::Blocked) => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        pair.pass(Duration::from_millis(100));
    }
    taken + ids.len() as u64
}

fn admitted(server: Config) -> (Pair, Vec<(ConnId, ConnId)>) {
    let mut pair = Pair::new();
    pair.ends[SERVER] = engine_of(SERVER, server);
    let mut both = Vec::new();
    for _ in 0..2 {
        pair.events[SERVER].clear();
        let (on_client, on_server) = pair.connected();
        pair.ends[CLIENT].admit(pair.now, on_client);
        pair.ends[SERVER].admit(pair.now, on_server);
        pair.run();
        both.push((on_client, on_server));
    }
    (pair, both)
}

#[test]
fn what_connections_received_and_nobody_reads_stays_within_the_budget() {
    // Of 20 MiB, less 32 KiB for each of four, the first has a 16th beyond its own, the second a 16th of the rest.
    let (mut pair, both) = admitted(poor());
    let pool = 20 * MIB - 4 * BUDGET_EACH;
    let first = BUDGET_EACH + pool / 16;
    let second = BUDGET_EACH + (pool - pool / 16) / 16;
    let received: Vec<u64> = both.iter().map(|(on_client, _)| fill(&mut pair, CLIENT, *on_client)).collect();
    assert_eq!(received, [first, second]);
}

#[test]
fn what_connections_wrote_and_nobody_acknowledges_stays_within_the_budget() {
    let (mut pair, both) = admitted(poor());
    let on_server = both[0].1;
    let id = pair.ends[SERVER].open(on_server, Direction::Uni, "", 0).unwrap();
    let mut chunk = [Bytes::from(vec![0; 8 << 20])];
    // Nothing is carried, so that nothing is acknowledged. The stream's own window at the peer is 1 MiB.
    let taken =
        pair.ends[SERVER].stream(on_server, id).unwrap().write_chunks(&mut chunk).unwrap().bytes as u64;
    let window = pair.ends[SERVER].conns[(on_server.0 & 0xffff_ffff) as usize].windows.send;
    assert_eq!(window, BUDGET_EACH + (20 * MIB - 4 * BUDGET_EACH) / 16);
    assert!(taken < window && taken > MIB / 2, "{taken}");
    let id = pair.ends[SERVER].open(on_server, Direction::Uni, "", 0).unwrap();
    let more =
        pair.ends[SERVER].stream(on_server, id).unwrap().write_chunks(&mut chunk).unwrap().bytes as u64;
    assert!(taken + more <= window, "{taken} + {more} of {window}");
}

#[test]
fn what_a_connection_gave_back_goes_to_the_one_that_has_least() {
    let (mut pair, both) = admitted(poor());
    let windows = |pair: &Pair| -> Vec<u64> {
        pair.ends[SERVER].conns.iter().map(|(_, conn)| conn.windows.receive).collect()
    };
    let before = windows(&pair);
    pair.ends[SERVER].close(pair.now, both[0].1, CloseCode::Ok);
    pair.run();
    pair.pass(Duration::from_secs(10));
    let [after] = windows(&pair)[..] else { panic!("one is left") };
    assert!(after > before[1], "{before:?} {after}");
    // Labels were read, and their bytes given back.
    let received = fill(&mut pair, CLIENT, both[1].0);
    assert!((after..after + 9).contains(&received), "the peer was told so: {received} of {after}");
}

#[test]
fn a_stream_whose_label_may_not_be_opened_is_refused_before_anybody_hears_of_it() {
    let mut config = Config::new(ServiceName::new("test").unwrap());
    config.labels = Labels::only(["note", "file/*"]);
    let (mut pair, both) = admitted(config);
    let (on_client, on_server) = both[0];
    let open = |pair: &mut Pair, label: &str| {
        let id = pair.ends[CLIENT].open(on_client, Direction::Bi, label, 7).unwrap();
        pair.run();
        let told = std::iter::from_fn(|| pair.ends[SERVER].poll_ready()).any(|(.., now)| now.opened);
        let stopped = std::iter::from_fn(|| pair.ends[CLIENT].poll_ready())
            .find_map(|(_, stream, _, now)| now.stopped.filter(|_| stream == id));
        (told, stopped)
    };
    for label in ["note", "file/a"] {
        assert_eq!(open(&mut pair, label), (true, None), "{label}");
    }
    for label in ["", "notes", "file"] {
        assert_eq!(open(&mut pair, label), (false, Some(0x11)), "{label}");
    }
    let terms = Terms { labels: Labels::any(), max_streams: 100 };
    pair.ends[SERVER].set_terms(pair.now, on_server, terms);
    assert_eq!(open(&mut pair, "anything"), (true, None), "while the connection stands");
}

#[test]
fn a_limit_of_streams_is_raised_and_lowered_while_a_connection_stands() {
    let (mut pair, both) = admitted(Config::new(ServiceName::new("test").unwrap()));
    let (on_client, on_server) = both[0];
    let opened = |pair: &mut Pair| {
        let open = || pair.ends[CLIENT].open(on_client, Direction::Uni, "", 0).ok();
        let ids: Vec<StreamId> = std::iter::from_fn(open).collect();
        for id in &ids {
            pair.ends[CLIENT].stream(on_client, *id).unwrap().reset(0);
        }
        pair.run();
        while pair.ends[SERVER].poll_ready().is_some() {}
        while pair.ends[CLIENT].poll_ready().is_some() {}
        pair.run();
        ids.len()
    };
    let set = |pair: &mut Pair, max_streams| {
        pair.ends[SERVER].set_terms(pair.now, on_server, Terms { labels: Labels::any(), max_streams });
        pair.run();
    };
    assert_eq!(opened(&mut pair), 100);
    set(&mut pair, 300);
    assert_eq!(opened(&mut pair), 300);
    set(&mut pair, 2);
    assert_eq!(opened(&mut pair), 300, "what was granted stays");
    assert_eq!(opened(&mut pair), 2);
}
