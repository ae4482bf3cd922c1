//! Futures that are dropped at every poll: what is documented as cancel safe loses nothing, and nobody leaks.

use super::lab::{self, TestRuntime, noise};
use bytes::Bytes;
use futures_lite::future::zip;
use handfast_driver::{Builder, Event, Events, Node, RequestLimits, Runtime, Table};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

super::on_every_runtime!(
    a_start_that_is_dropped_at_any_poll_leaves_nothing,
    a_connect_that_is_dropped_at_any_poll_is_no_dial_lost,
    an_open_that_is_dropped_at_any_poll_opens_no_stream,
    writes_that_are_dropped_at_any_poll_wrote_what_they_said,
    reads_that_are_dropped_at_any_poll_lose_no_byte,
    values_that_are_read_with_futures_dropped_at_any_poll_come_whole,
    streams_events_and_datagrams_survive_those_who_stop_waiting,
    a_request_that_is_dropped_at_any_poll_leaves_nothing,
    a_broadcast_that_is_dropped_at_any_poll_leaves_nothing,
    a_shutdown_that_is_dropped_at_any_poll_goes_on,
);

/// What a future came to that was polled `times` times at most, each time when it asked for that, and then dropped.
pub(super) async fn dropped_after<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if polls >= times => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Calls a verb anew each time it was dropped, one poll later each time, until it has come to its end.
pub(super) async fn at_every_poll<T>(mut verb: impl AsyncFnMut() -> T) -> T {
    for times in 1.. {
        if let Some(value) = dropped_after(times, verb()).await {
            return value;
        }
    }
    unreachable!("numbers have no end")
}

/// What futures may leave behind. Ends of connections are remembered on purpose, timers come and go, and whoever
/// answers waits for the next stream.
fn fullness<R: Runtime>(node: &Node<R>) -> Vec<Table> {
    let mut tables = node.tables();
    let kept = [
        "driver: ends of connections remembered",
        "driver: callers that wait for a stream",
        "quic: timers",
        "quic: handles",
    ];
    let left = |name: &str| {
        let layers = ["driver: ", "quic: ", "peers: dials", "peers: waited for"];
        layers.iter().any(|layer| name.starts_with(layer)) && !kept.contains(&name)
    };
    tables.retain(|table| left(table.name));
    assert!(tables.len() > 20, "the tables have these names");
    tables
}

/// Waits until a node's tables are no fuller than they were.
async fn as_before<R: TestRuntime>(node: &Node<R>, before: &[Table]) {
    for tries in 0.. {
        let now = fullness(node);
        let fuller: Vec<&Table> = now
            .iter()
            .filter(|table| before.iter().any(|old| old.name == table.name && old.len < table.len))
            .collect();
        if fuller.is_empty() {
            return;
        }
        assert!(tries < 500, "{fuller:?}");
        lab::sleep::<R>(Duration::from_millis(20)).await;
    }
}

/// Whether a node answers, over whichever connection.
async fn works<A: TestRuntime, B: TestRuntime>(a: &Node<A>, b: &Node<B>) {
    let far = async {
        loop {
            let incoming = b.accept().await.unwrap();
            // Streams of futures that were dropped come first.
            if incoming.label() == "works?" {
                let (send, mut recv) = incoming.accept();
                let mut send = send.unwrap();
                let asked = recv.read_to_end(100).await.unwrap().unwrap();
                send.write_all(&asked).await.unwrap();
                send.finish().unwrap();
                return;
            }
        }
    };
    let (answer, ()) = zip(a.peer(b.id()).request("works?", "yes"), far).await;
    assert_eq!(answer.unwrap(), "yes");
}

fn a_start_that_is_dropped_at_any_poll_leaves_nothing<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_, b) = lab::builders::<A, B>();
        let b = b.start().await.unwrap();
        let a = at_every_poll(async || lab::builders::<A, B>().0.start().await.unwrap()).await;
        a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
        works(&a, &b).await;
    });
}

fn a_connect_that_is_dropped_at_any_poll_is_no_dial_lost<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, first) = lab::connected::<A, B>().await;
        works(&a, &b).await;
        let before = fullness(&a);
        first.close();
        first.closed().await;
        for handle in [false, true] {
            let connection =
                at_every_poll(
                    async || {
                        if handle { a.peer(b.id()).connect().await } else { a.connect(b.id()).await }
                    },
                );
            let connection = connection.await.unwrap();
            works(&a, &b).await;
            connection.close();
            let reason = at_every_poll(async || connection.closed().await).await;
            assert_eq!(reason, handfast_driver::DisconnectReason::ClosedHere);
        }
        as_before(&a, &before).await;
    });
}

fn an_open_that_is_dropped_at_any_poll_opens_no_stream<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let ((a, store_a), (b, store_b)) = lab::sides();
        let mut config = lab::config();
        config.max_streams = 2;
        let a = Builder::new(lab::config(), a, A::default()).with_store(store_a).start().await.unwrap();
        let b = Builder::new(config, b, B::default()).with_store(store_b).start().await.unwrap();
        let connection = lab::connect(&a, &b).await;
        let before = fullness(&a);
        let held = [connection.open_uni("held").await.unwrap(), connection.open_uni("held").await.unwrap()];
        for times in 1..4 {
            let open = async { drop(connection.open_uni("none").await.unwrap()) };
            let polls = futures_lite::future::or(dropped_after(times, open), async {
                lab::sleep::<A>(Duration::from_millis(20)).await;
                None
            });
            assert_eq!(polls.await, None, "there is no room");
        }
        drop(held);
        let opened = at_every_poll(async || {
            let mut send = connection.open_uni("one").await.unwrap();
            send.write_all(b"x").await.unwrap();
            send
        });
        let mut opened = opened.await;
        opened.finish().unwrap();
        let incoming = loop {
            let incoming = b.accept().await.unwrap();
            if incoming.label() == "one" {
                break incoming;
            }
        };
        assert_eq!(incoming.accept().1.read_to_end(9).await.unwrap().unwrap(), b"x");
        drop(opened);
        as_before(&a, &before).await;
    });
}

fn writes_that_are_dropped_at_any_poll_wrote_what_they_said<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        works(&a, &b).await;
        let before = fullness(&a);
        let data = noise(1, 6 << 20);
        let half = data.len() / 2;
        let near = async {
            let mut send = connection.open_uni("written").await.unwrap();
            let mut at = 0;
            for times in (1..4).cycle() {
                if at == half {
                    break;
                }
                let to = (at + 70_000).min(half);
                if let Some(written) = dropped_after(times, send.write(&data[at..to])).await {
                    at += written.unwrap();
                }
            }
            let mut chunks: Vec<Bytes> = data[half..].chunks(90_000).map(Bytes::copy_from_slice).collect();
            let mut times = 1;
            while dropped_after(times, send.write_chunks(&mut chunks)).await.is_none() {
                times = times % 3 + 1;
            }
            send.finish().unwrap();
            at_every_poll(async || send.delivered().await.unwrap()).await;
            at_every_poll(async || send.stopped().await).await
        };
        let far = async {
            let (_, mut recv) = b.accept().await.unwrap().accept();
            recv.read_to_end(8 << 20).await.unwrap().unwrap()
        };
        let (stopped, came) = zip(near, far).await;
        assert_eq!(stopped, None);
        assert!(came == data, "bytes came twice, or not at all");
        as_before(&a, &before).await;
    });
}

fn reads_that_are_dropped_at_any_poll_lose_no_byte<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let data = noise(2, 600_000);
        let near = async {
            let mut send = connection.open_uni("read").await.unwrap();
            for piece in data.chunks(9_000) {
                send.write_all(piece).await.unwrap();
                futures_lite::future::yield_now().await;
            }
            send.finish().unwrap();
        };
        let far = async {
            let (_, mut recv) = b.accept().await.unwrap().accept();
            let (mut out, mut buf) = (Vec::new(), [0; 5_000]);
            for times in (1..4).cycle() {
                let read = if times % 2 == 0 {
                    dropped_after(times, recv.read_chunk())
                        .await
                        .map(|chunk| chunk.unwrap().unwrap_or_default())
                } else {
                    let read = dropped_after(times, recv.read(&mut buf)).await;
                    read.map(|read| Bytes::copy_from_slice(&buf[..read.unwrap()]))
                };
                match read {
                    None => {}
                    Some(end) if end.is_empty() => break,
                    Some(bytes) => out.extend_from_slice(&bytes),
                }
            }
            out
        };
        assert!(zip(near, far).await.1 == data);
    });
}

fn values_that_are_read_with_futures_dropped_at_any_poll_come_whole<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let values: Vec<(u32, Vec<u8>)> = (0..40).map(|n| (n, noise(n.into(), n as usize * 1_000))).collect();
        let near = async {
            let mut send = connection.open_uni("values").await.unwrap();
            for value in &values {
                let frame = handfast_driver::core::value::encode(value).unwrap();
                // In pieces, so that whoever reads has a part of it at times.
                for piece in frame.chunks(frame.len() / 3 + 1) {
                    send.write_all(piece).await.unwrap();
                    lab::sleep::<A>(Duration::from_millis(2)).await;
                }
            }
            send.finish().unwrap();
        };
        let far = async {
            let (_, mut recv) = b.accept().await.unwrap().accept();
            let mut came = Vec::new();
            for times in (1..4).cycle() {
                match dropped_after(times, recv.read_value::<(u32, Vec<u8>)>()).await {
                    None => {}
                    Some(Ok(Some(value))) => came.push(value),
                    Some(end) => {
                        assert_eq!(end, Ok(None));
                        break;
                    }
                }
            }
            came
        };
        assert!(zip(near, far).await.1 == values);
    });
}

fn streams_events_and_datagrams_survive_those_who_stop_waiting<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        let back = lab::seen(&b).await;
        let before = fullness(&b);
        for n in 0..20_u8 {
            let near = async {
                let mut send = connection.open_uni("kept").await.unwrap();
                send.write_all(&[n]).await.unwrap();
                send.finish().unwrap();
                connection.send_datagram(vec![n]).unwrap();
            };
            let accept = at_every_poll(async || b.accept().await.unwrap());
            let read = at_every_poll(async || back.read_datagram().await.unwrap());
            let ((), (incoming, datagram)) = zip(near, zip(accept, read)).await;
            assert_eq!(datagram, [n][..]);
            assert_eq!(incoming.accept().1.read_to_end(9).await.unwrap().unwrap(), [n]);
        }
        as_before(&b, &before).await;
        let mut events = a.events();
        for _ in 0..3 {
            a.peer(b.id()).close();
            let ended = next_turn(&mut events).await;
            assert!(matches!(ended, Event::PeerDisconnected(..)), "{ended:?}");
            let (connected, event) = zip(a.connect(b.id()), next_turn(&mut events)).await;
            let connected = connected.unwrap().id();
            assert!(matches!(event, Event::PeerConnected(peer) if peer.conn == connected));
        }
    });
}

/// The next connection that came or went, heard by futures that are dropped.
async fn next_turn(events: &mut Events) -> Event {
    loop {
        let event = at_every_poll(async || events.next().await.unwrap()).await;
        if matches!(event, Event::PeerConnected(_) | Event::PeerDisconnected(..)) {
            return event;
        }
    }
}

/// Answers every request until the node is stopped, whatever becomes of who asked.
async fn answers<R: TestRuntime>(node: Node<R>) {
    while let Some(incoming) = node.accept().await {
        let (Some(mut send), mut recv) = incoming.accept() else { continue };
        if let Ok(Some(asked)) = recv.read_to_end(1 << 20).await
            && send.write_all(&asked).await.is_ok()
        {
            let _ = send.finish();
        }
    }
}

fn a_request_that_is_dropped_at_any_poll_leaves_nothing<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        lab::seen(&b).await;
        let (at_a, at_b) = (fullness(&a), fullness(&b));
        B::default().spawn(answers(b.clone()));
        let question = noise(3, 300_000);
        let limits = RequestLimits::default().with_timeout(Duration::MAX);
        for handle in [false, true] {
            let answer = at_every_poll(async || {
                let question = question.clone();
                if handle {
                    a.peer(b.id()).request_within("ask", question, limits).await
                } else {
                    connection.request_within("ask", question, limits).await
                }
            });
            assert!(answer.await.unwrap() == question);
        }
        zip(as_before(&a, &at_a), as_before(&b, &at_b)).await;
        zip(a.shutdown(), b.shutdown()).await;
    });
}

fn a_broadcast_that_is_dropped_at_any_poll_leaves_nothing<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, _connection) = lab::connected::<A, B>().await;
        lab::seen(&b).await;
        let (at_a, at_b) = (fullness(&a), fullness(&b));
        let reader = b.clone();
        B::default().spawn(async move {
            while let Some(incoming) = reader.accept().await {
                // Those of futures that were dropped end in an error.
                let _ = incoming.accept().1.read_to_end(1 << 20).await;
            }
        });
        let news = Bytes::from(noise(4, 300_000));
        let results = at_every_poll(async || a.broadcast("news", news.clone()).await).await;
        assert_eq!(results, [(b.id(), Ok(()))]);
        zip(as_before(&a, &at_a), as_before(&b, &at_b)).await;
        zip(a.shutdown(), b.shutdown()).await;
    });
}

fn a_shutdown_that_is_dropped_at_any_poll_goes_on<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        let back = lab::seen(&b).await;
        at_every_poll(async || a.shutdown().await).await;
        assert_eq!(a.local_addresses(), []);
        assert_eq!(connection.closed().await, handfast_driver::DisconnectReason::ClosedHere);
        assert_eq!(back.closed().await, handfast_driver::DisconnectReason::ClosedByPeer);
    });
}
