//! One request a stream, as nodes and discovery servers have it.

use super::*;
use crate::error::ReadError;

/// A node, a discovery server, and the connection between them on either end.
fn directory() -> (Pair, ConnId, ConnId) {
    let mut config = Config::new(ServiceName::new("server").unwrap());
    config.max_streams = 2;
    let crypto = Crypto::new(rustls::crypto::ring::default_provider());
    let rng = Rng::child(&Seed::new([9; 32]), "quic");
    let server = Quic::with_role(Role::Directory, Arc::new(config), &identity(SERVER), crypto, rng);
    let mut pair = Pair::new();
    pair.ends[SERVER] = server.unwrap();
    let opened = Opened { address: address(SERVER), gso_segments: 1, shares_port: false };
    pair.ends[SERVER].handle_socket_open(SocketId(0), opened);
    let on_client = pair.dial(Alpn::Disco, Expect::Key(identity(SERVER).public_key()));
    let on_server = pair.connected_at(SERVER).expect("TLS is done at the server");
    (pair, on_client, on_server)
}

fn ask(pair: &mut Pair, conn: ConnId, what: &[u8]) -> StreamId {
    let id = pair.ends[CLIENT].open_request(conn).unwrap();
    let mut stream = pair.ends[CLIENT].stream(conn, id).unwrap();
    assert_eq!(stream.write(what), Ok(what.len()));
    stream.finish().unwrap();
    drop(stream);
    id
}

fn moved(pair: &mut Pair, end: usize) -> Vec<(ConnId, StreamId)> {
    std::iter::from_fn(|| pair.ends[end].poll_request()).map(|(conn, id, _)| (conn, id)).collect()
}

fn read(pair: &mut Pair, end: usize, conn: ConnId, id: StreamId) -> Result<(Vec<u8>, bool), ReadError> {
    let mut sink = Vec::new();
    let mut stream = pair.ends[end].stream(conn, id).map_err(|_| ReadError::Gone)?;
    let read = stream.read_chunks(1000, &mut sink)?;
    Ok((sink.concat(), read.fin))
}

#[test]
fn a_request_and_its_reply_pass_without_a_label_and_the_application_hears_nothing() {
    let (mut pair, on_client, on_server) = directory();
    let id = ask(&mut pair, on_client, b"where?");
    pair.run();
    assert_eq!(moved(&mut pair, SERVER), [], "nothing is heard before the engine takes the client");
    pair.ends[SERVER].admit(pair.now, on_server);
    pair.run();
    assert_eq!(moved(&mut pair, SERVER), [(on_server, id)]);
    assert_eq!(read(&mut pair, SERVER, on_server, id), Ok((b"where?".to_vec(), true)));
    let mut stream = pair.ends[SERVER].stream(on_server, id).unwrap();
    stream.write(b"here").unwrap();
    stream.finish().unwrap();
    drop(stream);
    pair.run();
    assert!(moved(&mut pair, CLIENT).contains(&(on_client, id)));
    assert_eq!(read(&mut pair, CLIENT, on_client, id), Ok((b"here".to_vec(), true)));
    for end in [CLIENT, SERVER] {
        assert_eq!(pair.ends[end].poll_ready(), None);
        assert_eq!(pair.ends[end].poll_available(), None);
    }
}

#[test]
fn a_reply_that_came_before_the_end_of_its_connection_can_be_read_until_that_is_told() {
    let (mut pair, on_client, on_server) = directory();
    pair.ends[SERVER].admit(pair.now, on_server);
    let id = ask(&mut pair, on_client, b"where?");
    pair.run();
    let mut stream = pair.ends[SERVER].stream(on_server, id).unwrap();
    stream.write(b"here").unwrap();
    stream.finish().unwrap();
    drop(stream);
    let mut buf = Vec::new();
    pair.ends[SERVER].poll_connections(pair.now);
    while let Round::Transmit(_) = pair.ends[SERVER].poll_transmit(pair.now, &mut buf) {
        pair.deliver(CLIENT, &buf);
    }
    pair.ends[CLIENT].close(pair.now, on_client, CloseCode::Ok);
    pair.ends[CLIENT].poll_connections(pair.now);
    assert_eq!(moved(&mut pair, CLIENT), [(on_client, id)]);
    assert_eq!(read(&mut pair, CLIENT, on_client, id), Ok((b"here".to_vec(), true)));
    pair.run();
    assert_eq!(pair.causes(CLIENT), [Cause::Here(CloseCode::Ok)]);
    assert!(pair.ends[CLIENT].stream(on_client, id).is_err());
    pair.pass(Duration::from_secs(60));
    assert!(pair.ends.iter().all(|quic| quic.conns.is_empty()), "nothing is left behind");
}

#[test]
fn a_request_over_the_limit_waits_until_the_server_is_done_with_another() {
    let (mut pair, on_client, on_server) = directory();
    pair.ends[SERVER].admit(pair.now, on_server);
    let first = ask(&mut pair, on_client, b"one");
    ask(&mut pair, on_client, b"two");
    assert_eq!(pair.ends[CLIENT].open_request(on_client), Err(OpenError::Exhausted));
    pair.run();
    pair.events[CLIENT].clear();
    read(&mut pair, SERVER, on_server, first).unwrap();
    pair.ends[SERVER].stream(on_server, first).unwrap().finish().unwrap();
    pair.run();
    read(&mut pair, CLIENT, on_client, first).unwrap();
    pair.run();
    assert!(matches!(pair.events[CLIENT][..], [Event::Room { conn }] if conn == on_client));
    assert!(pair.ends[CLIENT].open_request(on_client).is_ok());
}

#[test]
fn nodes_offer_nothing_of_a_discovery_server_and_it_nothing_of_them() {
    let (mut pair, ..) = directory();
    pair.events[CLIENT].clear();
    for alpn in [Alpn::Data, Alpn::Pairing] {
        pair.dial(alpn, Expect::Anyone);
        assert!(pair.causes(CLIENT).pop() == Some(Cause::Refused), "{alpn:?}");
    }
    let mut pair = Pair::new();
    pair.dial(Alpn::Disco, Expect::Anyone);
    assert_eq!(pair.causes(CLIENT), [Cause::Refused]);
}
