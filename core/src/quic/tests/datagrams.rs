//! Datagrams of applications: bounded, counted, and heard of by nobody too early.

use super::*;
use crate::error::DatagramError;

/// Two whose applications see the connection, with room for so many bytes of datagrams.
fn shown(bounds: [u32; 2]) -> (Pair, ConnId, ConnId) {
    let mut pair = Pair::new();
    for (end, bound) in bounds.into_iter().enumerate() {
        let mut config = Config::new(ServiceName::new("test").unwrap());
        config.datagram_buffer = bound;
        pair.ends[end] = engine_of(end, config);
    }
    let (on_client, on_server) = pair.connected();
    pair.ends[CLIENT].admit(pair.now, on_client);
    pair.ends[SERVER].admit(pair.now, on_server);
    pair.run();
    (pair, on_client, on_server)
}

fn send(pair: &mut Pair, end: usize, conn: ConnId, bytes: Vec<u8>) -> Result<(), DatagramError> {
    pair.ends[end].datagrams(conn).unwrap().send(bytes.into())
}

fn read_all(pair: &mut Pair, end: usize, conn: ConnId) -> Vec<Bytes> {
    let mut datagrams = pair.ends[end].datagrams(conn).unwrap();
    std::iter::from_fn(|| datagrams.read()).collect()
}

#[test]
fn the_largest_datagram_and_the_empty_one_arrive_both_ways_and_are_told_of_once() {
    let (mut pair, on_client, on_server) = shown([1 << 18; 2]);
    for (end, conn, there) in [(CLIENT, on_client, on_server), (SERVER, on_server, on_client)] {
        let max = pair.ends[end].datagrams(conn).unwrap().max_size().unwrap();
        assert!(max > 1_000, "{max}");
        send(&mut pair, end, conn, vec![7; max]).unwrap();
        pair.run();
        send(&mut pair, end, conn, vec![]).unwrap();
        assert_eq!(send(&mut pair, end, conn, vec![7; max + 1]), Err(DatagramError::TooLong));
        pair.run();
        assert_eq!(pair.ends[1 - end].poll_datagrams(), Some(there));
        assert_eq!(pair.ends[1 - end].poll_datagrams(), None);
        assert_eq!(read_all(&mut pair, 1 - end, there), [vec![7; max], vec![]]);
    }
    let dropped = pair.ends.each_ref().map(|end| end.datagrams_dropped());
    assert_eq!(dropped, [DatagramsDropped::default(); 2]);
}

#[test]
fn datagrams_that_nobody_reads_are_bounded_and_the_oldest_go() {
    let (mut pair, on_client, on_server) = shown([1 << 18, 10_000]);
    for n in 0..100_u8 {
        send(&mut pair, CLIENT, on_client, vec![n; 1_000]).unwrap();
        pair.run();
        assert!(filled(&pair, "quic: bytes of datagrams to read") <= 10_000);
    }
    let kept: Vec<u8> = read_all(&mut pair, SERVER, on_server).iter().map(|datagram| datagram[0]).collect();
    assert_eq!(kept, (91..100).collect::<Vec<u8>>());
    assert_eq!(pair.ends[SERVER].datagrams_dropped().unread, 91);
}

#[test]
fn datagrams_that_are_sent_faster_than_they_leave_are_bounded_and_counted() {
    let (mut pair, on_client, on_server) = shown([20_000, 1 << 20]);
    let sent = 2_000;
    for n in 0..sent {
        send(&mut pair, CLIENT, on_client, [&[0; 1_000][..], &u32::to_be_bytes(n)].concat()).unwrap();
        let tables = pair.ends[CLIENT].tables();
        assert!(tables.iter().all(|table| table.len <= table.bound));
    }
    // The first that leave fill the congestion window, and the rest go as it opens.
    pair.pass(Duration::from_secs(1));
    let came = read_all(&mut pair, SERVER, on_server);
    let dropped = pair.ends[CLIENT].datagrams_dropped().unsent;
    assert_eq!(came.len() as u64 + dropped, u64::from(sent));
    assert_eq!(came.last().unwrap()[1_000..], (sent - 1).to_be_bytes(), "the newest are kept");
}

#[test]
fn a_datagram_that_comes_before_the_connection_is_shown_is_dropped_and_counted() {
    let mut pair = Pair::new();
    let (on_client, on_server) = pair.connected();
    assert!(pair.ends[CLIENT].datagrams(on_client).is_err(), "nor is one sent");
    pair.ends[CLIENT].admit(pair.now, on_client);
    send(&mut pair, CLIENT, on_client, b"too early".to_vec()).unwrap();
    pair.run();
    assert_eq!(pair.ends[SERVER].poll_datagrams(), None);
    assert_eq!(pair.ends[SERVER].datagrams_dropped().not_shown, 1);
    pair.ends[SERVER].admit(pair.now, on_server);
    pair.run();
    assert_eq!(read_all(&mut pair, SERVER, on_server), Vec::<Bytes>::new());
    assert_eq!(pair.causes(SERVER), [], "it is no crime");
}

#[test]
fn datagrams_of_a_hidden_connection_are_gone_and_later_ones_are_not_heard() {
    let (mut pair, on_client, on_server) = shown([1 << 18; 2]);
    send(&mut pair, CLIENT, on_client, b"unread".to_vec()).unwrap();
    pair.run();
    pair.ends[SERVER].hide(pair.now, on_server);
    assert!(pair.ends[SERVER].datagrams(on_server).is_err());
    send(&mut pair, CLIENT, on_client, b"unheard".to_vec()).unwrap();
    pair.run();
    let dropped = pair.ends[SERVER].datagrams_dropped();
    assert_eq!((dropped.unread, dropped.not_shown), (1, 1));
    pair.ends[SERVER].admit(pair.now, on_server);
    assert_eq!(read_all(&mut pair, SERVER, on_server), Vec::<Bytes>::new());
}

#[test]
fn a_peer_that_takes_no_datagrams_is_sent_none() {
    let (mut pair, on_client, on_server) = shown([1 << 18, 0]);
    for (end, conn) in [(CLIENT, on_client), (SERVER, on_server)] {
        assert_eq!(send(&mut pair, end, conn, b"x".to_vec()), Err(DatagramError::Unsupported));
        assert_eq!(pair.ends[end].datagrams(conn).unwrap().max_size(), None);
    }
}

#[test]
fn what_waits_on_a_connection_that_ends_is_gone_with_it_and_counted() {
    let (mut pair, on_client, on_server) = shown([1 << 18; 2]);
    send(&mut pair, CLIENT, on_client, b"unread".to_vec()).unwrap();
    pair.run();
    send(&mut pair, SERVER, on_server, b"unsent".to_vec()).unwrap();
    pair.ends[SERVER].close(pair.now, on_server, CloseCode::Ok);
    let dropped = pair.ends[SERVER].datagrams_dropped();
    assert_eq!((dropped.unread, dropped.unsent), (1, 1));
    assert!(pair.ends[SERVER].datagrams(on_server).is_err());
}
