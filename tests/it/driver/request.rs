//! Questions and answers, each on a stream of its own.

use super::lab::{self, TestRuntime, noise};
use futures_lite::future::{or, zip};
use handfast_driver::error::{ReadError, WriteError};
use handfast_driver::{Incoming, Node, RequestError, RequestLimits, Runtime};
use std::time::Duration;

super::on_every_runtime!(
    a_request_is_answered_with_what_the_peer_sends_back,
    an_answer_may_begin_before_all_of_the_request_is_there,
    a_peer_that_wants_no_more_of_a_request_may_answer_it,
    a_request_that_is_refused_says_with_which_code,
    a_request_that_nobody_answers_ends_in_time_and_takes_its_stream_with_it,
    an_answer_that_is_too_long_is_an_error_and_is_not_wanted,
    a_request_that_is_dropped_resets_and_stops_its_stream,
    a_request_on_a_connection_that_ends_fails_at_once,
);

/// Answers the next request with what it makes of it.
async fn answer<R: Runtime>(node: &Node<R>, make: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let (send, mut recv) = node.accept().await.unwrap().accept();
    let mut send = send.unwrap();
    let asked = recv.read_to_end(1 << 24).await.unwrap().unwrap();
    send.write_all(&make(asked)).await.unwrap();
    send.finish().unwrap();
    send.delivered().await.unwrap();
}

fn a_request_is_answered_with_what_the_peer_sends_back<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let question = noise(1, 600_000);
        let reversed = |mut asked: Vec<u8>| {
            asked.reverse();
            asked
        };
        let asked = connection.request("reverse", question.clone());
        let (answer, ()) = zip(asked, answer(&b, reversed)).await;
        assert!(answer.unwrap() == reversed(question));
    });
}

fn an_answer_may_begin_before_all_of_the_request_is_there<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        // More than the windows hold: whoever waits until all is sent waits for ever.
        let data = noise(2, 8 << 20);
        let limits = RequestLimits::default().with_max_answer(9 << 20);
        let echo = async {
            let (send, mut recv) = b.accept().await.unwrap().accept();
            let mut send = send.unwrap();
            while let Some(chunk) = recv.read_chunk().await.unwrap() {
                send.write_chunk(chunk).await.unwrap();
            }
            send.finish().unwrap();
        };
        let (answer, ()) = zip(connection.request_within("echo", data.clone(), limits), echo).await;
        assert!(answer.unwrap() == data);
    });
}

fn a_peer_that_wants_no_more_of_a_request_may_answer_it<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let far = async {
            let (send, mut recv) = b.accept().await.unwrap().accept();
            let mut send = send.unwrap();
            recv.read_chunk().await.unwrap();
            recv.stop(3);
            send.write_all(b"enough").await.unwrap();
            send.finish().unwrap();
            send.delivered().await.unwrap();
        };
        let (answer, ()) = zip(connection.request("long", noise(3, 8 << 20)), far).await;
        assert_eq!(answer.unwrap(), "enough");
    });
}

fn a_request_that_is_refused_says_with_which_code<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let refuse = async { b.accept().await.unwrap().refuse() };
        let (answer, ()) = zip(connection.request("no", "please"), refuse).await;
        assert_eq!(answer, Err(RequestError::Refused(0x11)));
        let give_up = async {
            let (send, mut recv) = b.accept().await.unwrap().accept();
            recv.read_to_end(100).await.unwrap();
            let mut send = send.unwrap();
            send.write_all(b"well, in that case").await.unwrap();
            send.reset(77);
        };
        let (answer, ()) = zip(connection.request("no", "please"), give_up).await;
        assert_eq!(answer, Err(RequestError::Refused(77)));
        let error = connection.request(&"x".repeat(256), "").await;
        assert_eq!(error, Err(RequestError::Label));
    });
}

/// The halves of a stream on which the peer lost interest.
async fn given_up<R: Runtime>(incoming: Incoming<R>) {
    let (send, mut recv) = incoming.accept();
    let mut send = send.unwrap();
    assert_eq!(send.stopped().await, Some(0x10));
    assert_eq!(send.write(b"late").await, Err(WriteError::Stopped(0x10)));
    while let Ok(Some(_)) = recv.read_chunk().await {}
}

fn a_request_that_nobody_answers_ends_in_time_and_takes_its_stream_with_it<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let limits = RequestLimits::default().with_timeout(Duration::from_millis(50));
        assert_eq!(
            connection.request_within("silence", "anybody?", limits).await,
            Err(RequestError::TimedOut)
        );
        given_up(b.accept().await.unwrap()).await;
    });
}

fn an_answer_that_is_too_long_is_an_error_and_is_not_wanted<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let limits = RequestLimits::default().with_max_answer(1_000);
        for (len, fits) in [(1_000, true), (1_001, false)] {
            let far = async {
                let (send, _recv) = b.accept().await.unwrap().accept();
                let mut send = send.unwrap();
                send.write_all(&noise(4, len)).await.unwrap();
                send.finish().unwrap();
                let _ = send.delivered().await;
            };
            let (answer, ()) = zip(connection.request_within("much", "", limits), far).await;
            let expected = if fits { Ok(noise(4, len).into()) } else { Err(RequestError::TooLong) };
            assert_eq!(answer, expected);
        }
    });
}

fn a_request_that_is_dropped_resets_and_stops_its_stream<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let incoming = {
            // More than leaves at once, so that it is not finished.
            let request = connection.request("dropped", noise(5, 20 << 20));
            or(async { Err(request.await) }, async { Ok(b.accept().await.unwrap()) }).await.unwrap()
        };
        let (send, mut recv) = incoming.accept();
        assert_eq!(send.unwrap().stopped().await, Some(0x10));
        let error = loop {
            match recv.read_chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("half a request seems whole"),
                Err(error) => break error,
            }
        };
        assert_eq!(error, ReadError::Reset(0x10));
    });
}

fn a_request_on_a_connection_that_ends_fails_at_once<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let far = async {
            let incoming = b.accept().await.unwrap();
            lab::seen(&b).await.close();
            drop(incoming);
        };
        let (answer, ()) = zip(connection.request("cut", "x"), far).await;
        // The refusal of what is dropped may arrive first.
        assert!(matches!(answer, Err(RequestError::Gone | RequestError::Refused(0x10))), "{answer:?}");
        assert_eq!(connection.request("gone", "x").await, Err(RequestError::Gone));
    });
}
