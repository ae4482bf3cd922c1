//! Peers that are admitted and mean no good.

use super::*;
use crate::wire::close::StreamCode;

/// Two that are connected and admitted.
fn admitted() -> (Pair, ConnId, ConnId) {
    let mut pair = Pair::new();
    let (on_client, on_server) = pair.connected();
    pair.ends[CLIENT].admit(pair.now, on_client);
    pair.ends[SERVER].admit(pair.now, on_server);
    pair.run();
    (pair, on_client, on_server)
}

#[test]
fn streams_that_are_opened_and_reset_by_the_hundred_thousand_leave_nothing() {
    let (mut pair, on_client, _) = admitted();
    let mut opened = 0;
    for _ in 0..2_000 {
        while let Ok(id) = pair.ends[CLIENT].open(on_client, Direction::Uni, "x", 0) {
            pair.ends[CLIENT].stream(on_client, id).unwrap().reset(StreamCode::Dropped.code());
            opened += 1;
        }
        pair.run();
        // An application that takes what it is told of and does nothing about it.
        while pair.ends[SERVER].poll_ready().is_some() {}
        while pair.ends[CLIENT].poll_ready().is_some() {}
        assert!(filled(&pair, "quic: streams opened by a peer") <= 201);
    }
    assert_eq!(opened, 200_000);
    assert_eq!(filled(&pair, "quic: streams opened by a peer"), 0);
    assert_eq!((pair.causes(CLIENT), pair.causes(SERVER)), (vec![], vec![]));
}
