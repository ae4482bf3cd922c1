//! Datagrams: whole or not at all, and never more than there is room for.

use super::lab::{self, TestRuntime};
use futures_lite::future::{poll_once, zip};
use handfast_driver::Builder;
use handfast_driver::error::DatagramError;

super::on_every_runtime!(
    datagrams_arrive_whole_both_ways,
    a_reader_that_waits_hears_of_the_end,
    a_peer_that_takes_no_datagrams_is_sent_none,
    a_datagram_that_is_too_long_is_not_sent,
    a_read_of_a_datagram_that_is_cancelled_loses_none,
);

fn datagrams_arrive_whole_both_ways<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, there) = lab::connected::<A, B>().await;
        let back = lab::seen(&b).await;
        let max = there.max_datagram_size().unwrap();
        there.send_datagram(vec![1; max]).unwrap();
        there.send_datagram("").unwrap();
        back.send_datagram("hello").unwrap();
        assert_eq!(back.read_datagram().await.unwrap(), vec![1; max]);
        assert_eq!(back.read_datagram().await.unwrap(), "");
        assert_eq!(there.read_datagram().await.unwrap(), "hello");
    });
}

fn a_reader_that_waits_hears_of_the_end<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, there) = lab::connected::<A, B>().await;
        let back = lab::seen(&b).await;
        let close = async { there.close() };
        let ((near, far), ()) = zip(zip(there.read_datagram(), back.read_datagram()), close).await;
        assert_eq!((near, far), (None, None));
        assert_eq!(there.send_datagram("x"), Err(DatagramError::Gone));
        assert_eq!(there.max_datagram_size(), None);
        assert_eq!(there.read_datagram().await, None);
    });
}

fn a_peer_that_takes_no_datagrams_is_sent_none<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let ((a, store_a), (b, store_b)) = lab::sides();
        let mut config = lab::config();
        config.datagram_buffer = 0;
        let a = Builder::new(lab::config(), a, A::default()).with_store(store_a).start().await.unwrap();
        let b = Builder::new(config, b, B::default()).with_store(store_b).start().await.unwrap();
        let there = lab::connect(&a, &b).await;
        let back = lab::seen(&b).await;
        assert_eq!((there.max_datagram_size(), back.max_datagram_size()), (None, None));
        assert_eq!(there.send_datagram("x"), Err(DatagramError::Unsupported));
        assert_eq!(back.send_datagram("x"), Err(DatagramError::Unsupported));
    });
}

fn a_datagram_that_is_too_long_is_not_sent<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, _b, there) = lab::connected::<A, B>().await;
        assert_eq!(there.send_datagram(vec![0; 1 << 16]), Err(DatagramError::TooLong));
    });
}

fn a_read_of_a_datagram_that_is_cancelled_loses_none<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, there) = lab::connected::<A, B>().await;
        let back = lab::seen(&b).await;
        for n in 0..100_u8 {
            assert_eq!(poll_once(back.read_datagram()).await, None);
            there.send_datagram(vec![n]).unwrap();
            assert_eq!(back.read_datagram().await.unwrap(), vec![n]);
        }
    });
}
