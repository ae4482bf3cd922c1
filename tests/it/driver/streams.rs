//! Halves, ends, errors and back-pressure.

use super::lab::{self, TestRuntime, noise};
use futures_lite::future::{poll_once, zip};
use handfast_driver::Direction;
use handfast_driver::error::{OpenError, ReadError, WriteError};
use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

super::on_every_runtime!(
    a_uni_stream_carries_its_label_and_its_bytes,
    a_send_half_that_is_dropped_unfinished_resets_the_stream,
    a_receive_half_that_is_dropped_stops_the_writer,
    a_reset_and_a_stop_carry_their_codes,
    a_stream_that_is_refused_ends_both_halves,
    a_writer_that_nobody_reads_is_bounded_and_other_streams_go_on,
    a_label_that_is_too_long_opens_nothing,
    an_open_waits_until_the_peer_allows_more_streams,
    a_read_that_is_cancelled_loses_nothing,
);

fn a_uni_stream_carries_its_label_and_its_bytes<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        let mut send = connection.open_uni("größe/1").await.unwrap();
        send.write_all(b"hello").await.unwrap();
        send.finish().unwrap();
        let incoming = b.accept().await.unwrap();
        assert_eq!((incoming.label(), incoming.direction()), ("größe/1", Direction::Uni));
        assert_eq!(incoming.peer(), a.id());
        let (none, mut recv) = incoming.accept();
        assert!(none.is_none());
        assert_eq!(recv.read_to_end(100).await.unwrap().unwrap(), b"hello");
        assert_eq!(recv.read_chunk().await.unwrap(), None);
        send.delivered().await.unwrap();
    });
}

fn a_send_half_that_is_dropped_unfinished_resets_the_stream<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let mut send = connection.open_uni("half").await.unwrap();
        send.write_all(b"half a mess").await.unwrap();
        let (_, mut recv) = b.accept().await.unwrap().accept();
        drop(send);
        let error = recv.read_to_end(100).await.unwrap_err();
        assert_eq!(error, ReadError::Reset(0x10));
    });
}

fn a_receive_half_that_is_dropped_stops_the_writer<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let mut send = connection.open_uni("unwanted").await.unwrap();
        send.write_all(b"x").await.unwrap();
        let (_, recv) = b.accept().await.unwrap().accept();
        drop(recv);
        let error = loop {
            if let Err(error) = send.write_all(&[0; 1000]).await {
                break error;
            }
            lab::sleep::<A>(Duration::from_millis(1)).await;
        };
        assert_eq!(error, WriteError::Stopped(0x10));
    });
}

fn a_reset_and_a_stop_carry_their_codes<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let (mut send, mut recv) = connection.open_bi("codes").await.unwrap();
        send.write_all(b"x").await.unwrap();
        let (far_send, mut far_recv) = b.accept().await.unwrap().accept();
        far_send.unwrap().reset(77);
        assert_eq!(recv.read_chunk().await.unwrap_err(), ReadError::Reset(77));
        far_recv.stop(78);
        // Unfinished, or the end might be there before the stop is.
        let error = loop {
            if let Err(error) = send.write_all(b"more").await {
                break error;
            }
            lab::sleep::<A>(Duration::from_millis(1)).await;
        };
        assert_eq!(error, WriteError::Stopped(78));
    });
}

fn a_stream_that_is_refused_ends_both_halves<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let (mut send, mut recv) = connection.open_bi("no").await.unwrap();
        send.write_all(b"x").await.unwrap();
        b.accept().await.unwrap().refuse();
        assert_eq!(recv.read_chunk().await.unwrap_err(), ReadError::Reset(0x11));
    });
}

fn a_writer_that_nobody_reads_is_bounded_and_other_streams_go_on<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let mut stuck = connection.open_uni("stuck").await.unwrap();
        let data = noise(1, 64 << 20);
        let sent = Cell::new(0);
        let mut write = pin!(async {
            loop {
                sent.set(sent.get() + stuck.write(&data[sent.get()..]).await.unwrap());
            }
        });
        let quiet = lab::sleep::<A>(Duration::from_secs(1));
        let all = async {
            let () = write.as_mut().await;
            true
        };
        let blocked = async {
            quiet.await;
            false
        };
        assert!(!futures_lite::future::or(all, blocked).await, "all of it was taken");
        let (_, _unread) = b.accept().await.unwrap().accept();

        let mut other = connection.open_uni("other").await.unwrap();
        let near = async {
            other.write_all(&data[..3 << 20]).await.unwrap();
            other.finish().unwrap();
        };
        let far = async {
            let (_, mut recv) = b.accept().await.unwrap().accept();
            recv.read_to_end(4 << 20).await.unwrap().unwrap()
        };
        assert!(zip(near, far).await.1 == data[..3 << 20]);
        assert_eq!(poll_once(write.as_mut()).await, None);
        // A stream's window, a slot, and what the sender's own window holds back: not the 64 MiB.
        let sent = sent.get();
        assert!(sent <= 16 << 20, "{sent} bytes were taken for a reader who reads nothing");
    });
}

fn a_label_that_is_too_long_opens_nothing<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, _b, connection) = lab::connected::<A, B>().await;
        let error = connection.open_uni(&"x".repeat(256)).await.unwrap_err();
        assert_eq!(error, OpenError::Label);
    });
}

fn an_open_waits_until_the_peer_allows_more_streams<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let mut open = Vec::new();
        // More than any limit: who accepts lets go of each, which makes room for the next.
        let near = async {
            for _ in 0..300 {
                let mut send = connection.open_uni("many").await.unwrap();
                send.write_all(b"x").await.unwrap();
                send.finish().unwrap();
                open.push(send);
            }
        };
        let far = async {
            for _ in 0..300 {
                let (_, mut recv) = b.accept().await.unwrap().accept();
                recv.read_to_end(10).await.unwrap();
            }
        };
        zip(near, far).await;
    });
}

fn a_read_that_is_cancelled_loses_nothing<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let mut send = connection.open_uni("slow").await.unwrap();
        let data = noise(9, 50_000);
        let near = async {
            for piece in data.chunks(5_000) {
                send.write_all(piece).await.unwrap();
                lab::sleep::<A>(Duration::from_millis(2)).await;
            }
            send.finish().unwrap();
        };
        let far = async {
            let (_, mut recv) = b.accept().await.unwrap().accept();
            let mut out = Vec::new();
            loop {
                match poll_once(recv.read_chunk()).await {
                    Some(chunk) => match chunk.unwrap() {
                        Some(chunk) => out.extend_from_slice(&chunk),
                        None => break out,
                    },
                    None => futures_lite::future::yield_now().await,
                }
            }
        };
        assert!(zip(near, far).await.1 == data);
    });
}
