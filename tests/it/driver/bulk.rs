//! Many bytes, many streams.

use super::lab::{self, TestRuntime, noise};
use bytes::Bytes;
use futures_lite::future::zip;
use handfast_driver::{Incoming, Node, RawRecv, RawSend, Runtime};

super::on_every_runtime!(
    bulk_arrives_unchanged_both_ways_at_once,
    a_hundred_streams_at_once_do_not_mix,
    small_writes_arrive_in_order,
);

/// Well over every window and slot.
const BULK: usize = 24 << 20;

async fn send(stream: &mut RawSend, data: Bytes) {
    stream.write_chunk(data).await.unwrap();
    stream.finish().unwrap();
    stream.delivered().await.unwrap();
}

async fn receive(stream: &mut RawRecv) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(chunk) = stream.read_chunk().await.unwrap() {
        out.extend_from_slice(&chunk);
    }
    out
}

fn bulk_arrives_unchanged_both_ways_at_once<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let (there, back) = (Bytes::from(noise(1, BULK)), Bytes::from(noise(2, BULK)));
        let (mut send_a, mut recv_a) = connection.open_bi("bulk").await.unwrap();
        let near = zip(send(&mut send_a, there.clone()), receive(&mut recv_a));
        let far = async {
            let incoming = b.accept().await.unwrap();
            assert_eq!(incoming.label(), "bulk");
            let (send_b, mut recv_b) = incoming.accept();
            let mut send_b = send_b.unwrap();
            zip(send(&mut send_b, back.clone()), receive(&mut recv_b)).await.1
        };
        let ((_, at_a), at_b) = zip(near, far).await;
        assert!(at_b == there, "what the first sent arrived otherwise");
        assert!(at_a == back, "what the second sent arrived otherwise");
    });
}

/// Sends back what it reads, one task a stream, until the node is stopped.
async fn echo<R: TestRuntime>(node: Node<R>) {
    while let Some(incoming) = node.accept().await {
        R::default().spawn(echo_one(incoming));
    }
}

async fn echo_one<R: Runtime>(incoming: Incoming<R>) {
    let (send, mut recv) = incoming.accept();
    let mut send = send.unwrap();
    while let Some(chunk) = recv.read_chunk().await.unwrap() {
        send.write_chunk(chunk).await.unwrap();
    }
    send.finish().unwrap();
}

fn a_hundred_streams_at_once_do_not_mix<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        B::default().spawn(echo(b.clone()));
        let mut tasks = Vec::new();
        for number in 0..100 {
            let connection = connection.clone();
            let (done, result) = smol::channel::bounded(1);
            A::default().spawn(async move {
                let data = noise(number, 40_000 + number as usize);
                let (mut send, mut recv) = connection.open_bi("echo").await.unwrap();
                let written = async {
                    send.write_all(&data).await.unwrap();
                    send.finish().unwrap();
                };
                let (_, came) = zip(written, receive(&mut recv)).await;
                done.send(came == data).await.unwrap();
            });
            tasks.push(result);
        }
        for task in tasks {
            assert!(task.recv().await.unwrap());
        }
        zip(a.shutdown(), b.shutdown()).await;
    });
}

fn small_writes_arrive_in_order<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_a, b, connection) = lab::connected::<A, B>().await;
        let data = noise(3, 200_000);
        let mut send = connection.open_uni("drops").await.unwrap();
        let near = async {
            for drop in data.chunks(17) {
                send.write_all(drop).await.unwrap();
            }
            send.finish().unwrap();
        };
        let far = async {
            let (_, mut recv) = b.accept().await.unwrap().accept();
            let mut out = Vec::new();
            let mut buf = [0; 100];
            loop {
                match recv.read(&mut buf).await.unwrap() {
                    0 => break out,
                    read => out.extend_from_slice(&buf[..read]),
                }
            }
        };
        assert!(zip(near, far).await.1 == data);
    });
}
