//! Limits of peers and what a node tells of itself, through the handles.

use super::lab::{self, TestRuntime};
use handfast_driver::error::{LimitError, WriteError};
use handfast_driver::{DisconnectReason, Event, Labels};
use std::fs;
use std::time::Duration;

super::on_every_runtime!(
    a_peer_that_may_not_open_a_label_is_refused_before_anybody_hears_of_it,
    what_nobody_reads_stays_within_half_of_the_budget_and_readers_go_on,
    a_node_a_peer_and_a_connection_tell_what_they_did,
    a_key_log_has_the_secrets_of_whoever_dialled_and_whoever_was_dialled,
    a_file_for_diagnosis_that_cannot_be_opened_fails_the_start,
    a_qlog_is_a_sequence_of_json_that_names_the_connection,
    a_reader_of_events_that_comes_late_hears_of_every_connection_from_its_beginning_to_its_end,
);

fn a_peer_that_may_not_open_a_label_is_refused_before_anybody_hears_of_it<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        lab::seen(&b).await;
        b.set_labels(a.id(), Some(Labels::only(["chat"]))).unwrap();
        let mut refused = connection.open_uni("file").await.unwrap();
        let error = loop {
            match refused.write_all(b"x").await {
                Ok(()) => lab::sleep::<A>(Duration::from_millis(1)).await,
                Err(error) => break error,
            }
        };
        assert_eq!(error, WriteError::Stopped(0x11));
        let mut chat = connection.open_uni("chat").await.unwrap();
        chat.write_all(b"hello").await.unwrap();
        assert_eq!(b.accept().await.unwrap().label(), "chat");
        assert_eq!(b.stats().quic.refused_labels, 1);
        assert_eq!(b.set_labels(b.id(), None), Err(LimitError::NotPaired));
    });
}

fn what_nobody_reads_stays_within_half_of_the_budget_and_readers_go_on<A: TestRuntime, B: TestRuntime>() {
    const BOUND: usize = 1 << 20;
    lab::run::<A>(async {
        let ((id_a, store_a), (id_b, store_b)) = lab::sides();
        let mut small = lab::config();
        small.max_connections = 4;
        small.receive_budget = 2 * BOUND as u64;
        let a = handfast_driver::Builder::new(lab::config(), id_a, A::default()).with_store(store_a);
        let b = handfast_driver::Builder::new(small, id_b, B::default()).with_store(store_b);
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        let connection = lab::connect(&a, &b).await;
        let mut unread = Vec::new();
        for _ in 0..20 {
            let mut send = connection.open_uni("unread").await.unwrap();
            // As much as goes: the window of the connection ends it.
            let _ =
                futures_lite::future::or(async { send.write_all(&vec![1; 1 << 20]).await.is_ok() }, async {
                    lab::sleep::<A>(Duration::from_millis(20)).await;
                    false
                })
                .await;
            unread.push(send);
        }
        let mut streams = Vec::new();
        while let Some(Some(incoming)) = futures_lite::future::poll_once(b.accept()).await {
            streams.push(incoming.accept().1);
        }
        let held = b.held_bytes();
        super::lab::say(&format!(
            "{held} bytes held of {BOUND}, by {} streams that nobody reads",
            streams.len()
        ));
        assert!(held <= BOUND && held > 0, "{held}");
        // Whoever reads gets on, and makes room.
        let mut read = 0;
        for stream in &mut streams {
            while let Some(Ok(Some(chunk))) = futures_lite::future::poll_once(stream.read_chunk()).await {
                read += chunk.len();
            }
        }
        assert!(read >= held, "{read}");
        drop(streams);
        drop(unread);
        while b.held_bytes() > 0 {
            lab::sleep::<B>(Duration::from_millis(1)).await;
        }
    });
}

fn a_node_a_peer_and_a_connection_tell_what_they_did<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        let mut send = connection.open_uni("bytes").await.unwrap();
        send.write_all(&[7; 100_000]).await.unwrap();
        send.finish().unwrap();
        let (_, mut recv) = b.accept().await.unwrap().accept();
        assert_eq!(recv.read_to_end(200_000).await.unwrap().unwrap().len(), 100_000);
        send.delivered().await.unwrap();
        let stats = connection.stats().unwrap();
        assert_eq!(stats.remote, lab::address(&b, "127.0.0.1"));
        assert!(stats.traffic.sent_bytes > 100_000 && stats.rtt > Duration::ZERO, "{stats:?}");
        let peer = a.peer_stats(b.id()).unwrap();
        assert_eq!((peer.connections, peer.ended, peer.failures), (1, 0, 0));
        assert!(peer.traffic.sent_bytes >= stats.traffic.sent_bytes);
        let node = a.stats().quic;
        assert_eq!((node.dialled, node.open), (1, 1));
        assert!(a.tables().iter().all(|table| table.len <= table.bound));
        a.shutdown().await;
        assert!(a.stats().quic.traffic.sent_bytes > 100_000, "also of a node that was stopped");
    });
}

fn a_key_log_has_the_secrets_of_whoever_dialled_and_whoever_was_dialled<A: TestRuntime, B: TestRuntime>() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a", "b"].map(|name| folder.path().join(name));
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (a, b) = (a.with_key_log(&files[0]), b.with_key_log(&files[1]));
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        lab::connect(&a, &b).await;
        lab::seen(&b).await;
    });
    let [dialler, dialled] = files.map(|file| fs::read_to_string(file).unwrap());
    for label in ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"] {
        let of = |log: &str| log.lines().find(|line| line.starts_with(label)).map(str::to_owned);
        let line = of(&dialler).unwrap_or_else(|| panic!("{label} in {dialler}"));
        assert_eq!(Some(&line), of(&dialled).as_ref(), "both ends have the same");
        let parts: Vec<&str> = line.split(' ').collect();
        assert!(parts.len() == 3 && parts[1].len() == 64 && parts[2].len() >= 64, "{line}");
    }
}

fn a_file_for_diagnosis_that_cannot_be_opened_fails_the_start<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, _) = lab::builders::<A, B>();
        let nowhere = tempfile::tempdir().unwrap().path().join("no folder").join("keys");
        let refused = a.with_key_log(nowhere).start().await;
        assert!(matches!(refused, Err(handfast_driver::StartError::Diagnostics(_))));
    });
}

fn a_qlog_is_a_sequence_of_json_that_names_the_connection<A: TestRuntime, B: TestRuntime>() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.sqlog");
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (a, b) = (a.with_qlog(&file).start().await.unwrap(), b.start().await.unwrap());
        lab::connect(&a, &b).await;
        a.shutdown().await;
    });
    let text = fs::read_to_string(&file).unwrap();
    // RFC 7464: a record separator before each, a line feed after it.
    let records = text.split('\u{1e}').filter(|record| !record.is_empty());
    let records: Vec<serde_json::Value> =
        records.map(|record| serde_json::from_str(record).expect(record)).collect();
    assert!(
        records[0]["qlog_format"].as_str().is_some_and(|format| format.contains("SEQ")),
        "{}",
        records[0]
    );
    let named = records.iter().filter(|record| record["group_id"].is_string()).count();
    assert_eq!(named, records.len() - 1, "all but the head name their connection");
    let sent = |record: &&serde_json::Value| {
        record["name"].as_str().is_some_and(|name| name.contains("packet_sent"))
    };
    assert!(records.iter().filter(sent).count() > 2);
    assert!(!text.contains("127.0.0.1"), "no address");
}

fn a_reader_of_events_that_comes_late_hears_of_every_connection_from_its_beginning_to_its_end<
    A: TestRuntime,
    B: TestRuntime,
>() {
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        let mut events = a.events();
        for _ in 0..5 {
            let connection = lab::connect(&a, &b).await;
            connection.close();
            while a.connection(connection.id()).is_some() {
                lab::sleep::<A>(Duration::from_millis(1)).await;
            }
        }
        a.shutdown().await;
        let (mut standing, mut whole) = (0, 0);
        while let Some(event) = events.next().await {
            match event {
                Event::PeerConnected(_) => standing += 1,
                Event::PeerDisconnected(_, _, reason) => {
                    assert_eq!(reason, DisconnectReason::ClosedHere);
                    standing -= 1;
                    whole += 1;
                }
                _ => {}
            }
            assert!((0..=1).contains(&standing));
        }
        assert_eq!((standing, whole, events.lagged()), (0, 5, 0));
    });
}
