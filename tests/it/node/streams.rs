//! Bytes between two nodes.

use super::support::*;
use bytes::Bytes;
use handfast_core::error::{OpenError, ReadError, WriteError};
use handfast_core::{ConnId, Direction, Node, Now, Ready, StreamId};
use handfast_tests::fabric::Host;
use handfast_tests::world::World;

fn opened(world: &World, host: Host) -> Option<(ConnId, StreamId)> {
    all_opened(world, host).first().copied()
}

fn all_opened(world: &World, host: Host) -> Vec<(ConnId, StreamId)> {
    let opened = |ready: &Ready| match ready {
        Ready::Stream { conn, stream, now, .. } if now.opened => Some((*conn, *stream)),
        _ => None,
    };
    world[host].app.ready.iter().filter_map(opened).collect()
}

fn read(node: &mut Node, conn: ConnId, id: StreamId) -> Result<(Vec<u8>, bool), ReadError> {
    let mut sink: Vec<Bytes> = Vec::new();
    let read = node.stream(conn, id).map_err(|_| ReadError::Gone)?.read_chunks(usize::MAX, &mut sink)?;
    Ok((sink.concat(), read.fin))
}

/// Opens a stream on A, does something with it, and waits until B hears of it.
fn open_stream(
    world: &mut World,
    (a, b): (Host, Host),
    direction: Direction,
    act: impl FnOnce(&mut Node, Now, ConnId, StreamId),
) -> ((ConnId, StreamId), (ConnId, StreamId)) {
    let (on_a, _) = connect(world, a, b);
    let id = world.tell(a, |node, now| {
        let id = node.open(now, on_a, direction, "greeting", 7).unwrap();
        act(node, now, on_a, id);
        id
    });
    assert!(world.run_until(SOON, |world| opened(world, b).is_some()));
    ((on_a, id), opened(world, b).unwrap())
}

#[test]
fn a_stream_arrives_with_its_label_whole_and_ended() {
    for direction in [Direction::Bi, Direction::Uni] {
        let (mut world, a, b) = pair_of_hosts(1);
        let (_, (on_b, id)) = open_stream(&mut world, (a, b), direction, |node, _, conn, id| {
            let mut stream = node.stream(conn, id).unwrap();
            assert_eq!(stream.write(b"hello"), Ok(5));
            stream.finish().unwrap();
        });
        world.run_for(SOON);
        world.tell(b, |node, _| {
            let stream = node.stream(on_b, id).unwrap();
            assert_eq!((stream.label(), stream.direction()), ("greeting", direction));
            drop(stream);
            assert_eq!(read(node, on_b, id), Ok((b"hello".to_vec(), true)));
        });
        let finished = |ready: &Ready| matches!(ready, Ready::Stream { key: 7, now, .. } if now.finished);
        assert!(world[a].app.ready.iter().any(finished), "A heard that all was acknowledged");
    }
}

#[test]
fn a_reset_stream_is_never_taken_for_a_whole_one() {
    let (mut world, a, b) = pair_of_hosts(1);
    let ((on_a, id_a), (on_b, id_b)) = open_stream(&mut world, (a, b), Direction::Bi, |node, _, conn, id| {
        node.stream(conn, id).unwrap().write(b"half a mess").unwrap();
    });
    world.tell(a, |node, _| node.stream(on_a, id_a).unwrap().reset(0x10));
    world.run_for(SOON);
    assert_eq!(world.tell(b, |node, _| read(node, on_b, id_b)), Err(ReadError::Reset(0x10)));
}

#[test]
fn a_stopped_stream_takes_no_more() {
    let (mut world, a, b) = pair_of_hosts(1);
    let ((on_a, id_a), (on_b, id_b)) = open_stream(&mut world, (a, b), Direction::Bi, |node, _, conn, id| {
        node.stream(conn, id).unwrap().write(b"more to come").unwrap();
    });
    world.tell(b, |node, _| node.stream(on_b, id_b).unwrap().stop(0x12));
    world.run_for(SOON);
    let stopped = |ready: &Ready| matches!(ready, Ready::Stream { key: 7, now, .. } if now.stopped.is_some());
    assert!(world[a].app.ready.iter().any(stopped));
    let written = world.tell(a, |node, _| node.stream(on_a, id_a).unwrap().write(b"x"));
    assert_eq!(written, Err(WriteError::Gone));
}

#[test]
fn a_writer_that_outruns_its_reader_is_held_at_the_windows() {
    let (mut world, a, b) = pair_of_hosts(1);
    let ((on_a, id), _) = open_stream(&mut world, (a, b), Direction::Bi, |_, _, _, _| {});
    let mut written = 0;
    for _ in 0..200 {
        let mut chunk = [Bytes::from(vec![1; 1 << 20])];
        let took = world.tell(a, |node, _| node.stream(on_a, id).unwrap().write_chunks(&mut chunk));
        written += took.map_or(0, |w| w.bytes);
        world.run_for(std::time::Duration::from_millis(20));
    }
    // Byte for byte what B holds unread: the label with its length, and the application's bytes.
    assert_eq!(written + 1 + "greeting".len(), config().stream_window as usize);
}

#[test]
fn streams_beyond_the_peers_limit_wait_until_it_allows_more() {
    let (mut world, a, b) = pair_of_hosts(1);
    let (on_a, _) = connect(&mut world, a, b);
    world.run_for(SOON);
    let open = |world: &mut World| world.tell(a, |node, now| node.open(now, on_a, Direction::Uni, "", 0));
    let ids: Vec<StreamId> = std::iter::from_fn(|| open(&mut world).ok()).collect();
    assert_eq!(ids.len(), config().max_streams as usize);
    assert_eq!(open(&mut world), Err(OpenError::Exhausted));
    world.run_for(SOON);
    world[a].app.ready.clear();
    for id in ids {
        world.tell(a, |node, _| node.stream(on_a, id).unwrap().finish().unwrap());
    }
    world.run_for(SOON);
    for (on_b, id) in all_opened(&world, b) {
        assert_eq!(world.tell(b, |node, _| read(node, on_b, id)), Ok((vec![], true)));
    }
    assert!(world.run_until(SOON, |world| {
        world[a].app.ready.iter().any(|ready| matches!(ready, Ready::Streams { .. }))
    }));
    assert!(open(&mut world).is_ok());
}

#[test]
fn what_arrived_before_the_connection_closed_can_still_be_read() {
    let (mut world, a, b) = pair_of_hosts(1);
    let ((on_a, _), (on_b, id)) = open_stream(&mut world, (a, b), Direction::Bi, |node, _, conn, id| {
        let mut stream = node.stream(conn, id).unwrap();
        stream.write(b"the last words").unwrap();
        stream.finish().unwrap();
    });
    world.tell(a, |node, now| node.close(now, on_a));
    world.run_for(SOON);
    assert_eq!(world.tell(b, |node, _| read(node, on_b, id)), Ok((b"the last words".to_vec(), true)));
}

#[test]
fn an_unfinished_stream_of_a_lost_connection_ends_in_an_error() {
    let (mut world, a, b) = pair_of_hosts(1);
    let (_, (on_b, id)) = open_stream(&mut world, (a, b), Direction::Bi, |node, _, conn, id| {
        node.stream(conn, id).unwrap().write(b"half").unwrap();
    });
    world.lose(|_, _| true);
    world.run_for(config().idle_timeout * 2);
    world.tell(b, |node, _| {
        assert_eq!(read(node, on_b, id), Ok((b"half".to_vec(), false)));
        assert_eq!(read(node, on_b, id), Err(ReadError::Gone));
    });
}
