//! Writers that outrun their readers: how much is held, in figures, and who else goes on.

use super::lab::{self, TestRuntime, noise};
use bytes::Bytes;
use futures_lite::future::{or, zip};
use handfast_driver::{Builder, Config, MAX_CONNECTION_BUFFER, MAX_STREAM_BUFFER, Node, Runtime};
use std::time::Duration;

super::on_every_runtime!(
    a_writer_that_outruns_its_reader_holds_at_most_what_is_configured,
    of_a_thousand_streams_of_which_999_are_not_read_the_last_one_goes_on,
    streams_that_nobody_reads_hold_no_more_than_their_connection_may,
);

/// Two that are connected, of which the second reads by this configuration.
async fn connected<A: TestRuntime, B: TestRuntime>(
    config: Config,
) -> (Node<A>, Node<B>, handfast_driver::Connection<A>) {
    let ((a, store_a), (b, store_b)) = lab::sides();
    let a = Builder::new(config.clone(), a, A::default()).with_store(store_a).start().await.unwrap();
    let b = Builder::new(config, b, B::default()).with_store(store_b).start().await.unwrap();
    let connection = lab::connect(&a, &b).await;
    (a, b, connection)
}

/// Writes as long as anything is taken; a writer of whom nothing was taken for half a second is held up.
async fn fill<R: Runtime + Default>(send: &mut R::SendStream, data: &Bytes) -> usize {
    let mut taken = 0;
    loop {
        let write = async { Some(send.write(&data[taken % data.len()..]).await.unwrap()) };
        let quiet = async {
            lab::sleep::<R>(Duration::from_millis(500)).await;
            None
        };
        match or(write, quiet).await {
            Some(more) => taken += more,
            None => return taken,
        }
    }
}

#[expect(clippy::print_stdout, reason = "figures for whoever runs it with --nocapture")]
fn figure(what: &str, bytes: usize, bound: usize) {
    println!("{what}: {bytes} bytes, at most {bound}");
    assert!(bytes <= bound, "{what}: {bytes} bytes, at most {bound}");
}

fn a_writer_that_outruns_its_reader_holds_at_most_what_is_configured<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let mut config = lab::config();
        (config.stream_window, config.receive_window, config.send_window) = (100_000, 400_000, 200_000);
        let bound = config.stream_window as usize + MAX_STREAM_BUFFER;
        let (_a, b, connection) = connected::<A, B>(config).await;
        let data = Bytes::from(noise(1, 1 << 20));
        let mut stuck = connection.open_uni("stuck").await.unwrap();
        let taken = fill::<A>(&mut stuck, &data).await;
        figure("taken of a writer whom nobody reads", taken, bound);
        let (_, _unread) = b.accept().await.unwrap().accept();
        // Another stream of the same connection, many times as long as any window.
        let mut other = connection.open_uni("other").await.unwrap();
        let near = async {
            for _ in 0..8 {
                other.write_chunk(data.clone()).await.unwrap();
            }
            other.finish().unwrap();
        };
        let far = async {
            let (_, mut recv) = b.accept().await.unwrap().accept();
            recv.read_to_end(16 << 20).await.unwrap().unwrap().len()
        };
        assert_eq!(zip(near, far).await.1, 8 << 20);
    });
}

fn of_a_thousand_streams_of_which_999_are_not_read_the_last_one_goes_on<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let mut config = lab::config();
        (config.max_streams, config.stream_window) = (1_000, 8 << 10);
        // So that as many as may be open cannot use it up, nor leave less than what a window is announced anew for.
        config.receive_window = config.max_streams * config.stream_window / 4 * 5;
        let bound = config.receive_window as usize + MAX_CONNECTION_BUFFER;
        let (_a, b, connection) = connected::<A, B>(config).await;
        let chunk = Bytes::from(noise(2, 32 << 10));
        let mut unread = Vec::new();
        let near = async {
            let (mut stuck, mut taken) = (Vec::new(), 0);
            for _ in 0..999 {
                let mut send = connection.open_uni("unread").await.unwrap();
                while let Some(more) = futures_lite::future::poll_once(send.write(&chunk)).await {
                    taken += more.unwrap();
                }
                stuck.push(send);
            }
            // Once more all round, as far as the windows opened again.
            for send in &mut stuck {
                while let Some(more) = futures_lite::future::poll_once(send.write(&chunk)).await {
                    taken += more.unwrap();
                }
            }
            (stuck, taken)
        };
        let far = async {
            for _ in 0..999 {
                unread.push(b.accept().await.unwrap().accept());
            }
        };
        let ((stuck, taken), ()) = zip(near, far).await;
        figure("taken of 999 writers whom nobody reads", taken, bound);
        let mut read = connection.open_uni("read").await.unwrap();
        let near = async {
            for _ in 0..64 {
                read.write_chunk(chunk.clone()).await.unwrap();
            }
            read.finish().unwrap();
        };
        let far = async {
            let incoming = b.accept().await.unwrap();
            assert_eq!(incoming.label(), "read");
            incoming.accept().1.read_to_end(4 << 20).await.unwrap().unwrap().len()
        };
        assert_eq!(zip(near, far).await.1, 64 * chunk.len());
        drop((stuck, unread));
    });
}

fn streams_that_nobody_reads_hold_no_more_than_their_connection_may<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let mut config = lab::config();
        // So that each can be taken out of the core as a whole.
        config.stream_window = MAX_STREAM_BUFFER as u32;
        let bound = config.receive_window as usize + MAX_CONNECTION_BUFFER;
        let (_a, _b, connection) = connected::<A, B>(config).await;
        let data = Bytes::from(noise(3, 1 << 20));
        let (mut stuck, mut taken) = (Vec::new(), 0);
        for _ in 0..40 {
            let mut send = connection.open_uni("unread").await.unwrap();
            while let Some(more) = futures_lite::future::poll_once(send.write(&data)).await {
                taken += more.unwrap();
            }
            stuck.push(send);
        }
        // Again and again, until nothing more is taken of anybody for a while.
        let mut quiet = 0;
        while quiet < 20 {
            let before = taken;
            for send in &mut stuck {
                while let Some(more) = futures_lite::future::poll_once(send.write(&data)).await {
                    taken += more.unwrap();
                }
            }
            quiet = if taken > before { 0 } else { quiet + 1 };
            lab::sleep::<A>(Duration::from_millis(10)).await;
        }
        figure("taken of 40 writers whom nobody reads", taken, bound);
    });
}
