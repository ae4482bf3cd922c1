//! Values on streams: what one writes another reads, and what is none is an error with a name.

use super::lab::{self, TestRuntime};
use futures_lite::future::zip;
use handfast_driver::error::ReadError;
use handfast_driver::{Node, RawRecv, ReadValueError, Runtime, ValueError};
use serde::{Deserialize, Serialize};

super::on_every_runtime!(
    values_are_read_as_they_were_written_until_the_stream_ends,
    a_value_that_is_cut_off_is_an_error_and_never_the_end,
    a_value_that_is_too_long_is_an_error,
    after_a_value_of_another_type_the_next_one_can_be_read,
);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Message {
    Hello { name: String, age: u8 },
    Picture(Vec<u8>),
    Bye,
}

async fn accepted<R: Runtime>(node: &Node<R>) -> R::RecvStream {
    node.accept().await.unwrap().accept().1
}

async fn read(recv: &mut RawRecv) -> Result<Option<Message>, ReadValueError> {
    recv.read_value().await
}

fn values_are_read_as_they_were_written_until_the_stream_ends<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let messages = [
            Message::Hello { name: "Ada".into(), age: 36 },
            Message::Picture(vec![1; 500_000]),
            Message::Bye,
        ];
        let near = async {
            let mut send = connection.open_uni("values").await.unwrap();
            for message in &messages {
                send.write_value(message).await.unwrap();
            }
            send.finish().unwrap();
        };
        let far = async {
            let mut recv = accepted(&b).await;
            for message in &messages {
                assert_eq!(read(&mut recv).await, Ok(Some(message.clone())));
            }
            assert_eq!(read(&mut recv).await, Ok(None));
            assert_eq!(read(&mut recv).await, Ok(None));
        };
        zip(near, far).await;
    });
}

fn a_value_that_is_cut_off_is_an_error_and_never_the_end<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        for (sent, reset) in
            [(&b"\0\0"[..], false), (b"\0\0\0\x05\xa4by", false), (b"\0\0\0\x05\xa4by", true)]
        {
            let mut send = connection.open_uni("cut").await.unwrap();
            send.write_all(sent).await.unwrap();
            let mut recv = accepted(&b).await;
            if reset {
                send.reset(9);
                assert_eq!(read(&mut recv).await, Err(ReadError::Reset(9).into()));
            } else {
                send.finish().unwrap();
                assert_eq!(read(&mut recv).await, Err(ValueError::Truncated.into()));
            }
        }
    });
}

fn a_value_that_is_too_long_is_an_error<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let mut send = connection.open_uni("long").await.unwrap();
        send.write_value(&Message::Picture(vec![1; 100])).await.unwrap();
        let mut recv = accepted(&b).await;
        let error = recv.read_value_within::<Message>(100).await;
        assert_eq!(error, Err(ValueError::TooLong.into()));
        // Whoever allows more may go on.
        assert_eq!(read(&mut recv).await, Ok(Some(Message::Picture(vec![1; 100]))));
    });
}

fn after_a_value_of_another_type_the_next_one_can_be_read<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let mut send = connection.open_uni("types").await.unwrap();
        send.write_value("a word").await.unwrap();
        send.write_value(&Message::Bye).await.unwrap();
        let mut recv = accepted(&b).await;
        let error = read(&mut recv).await;
        assert!(matches!(error, Err(ReadValueError::Value(ValueError::Type(_)))), "{error:?}");
        assert_eq!(read(&mut recv).await, Ok(Some(Message::Bye)));
    });
}
