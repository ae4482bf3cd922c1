//! What a node tells whoever collects figures.

use super::lab::{self, TestRuntime};
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit, with_local_recorder,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

super::on_every_runtime!(
    what_a_node_did_is_told_to_the_recorder_and_what_it_holds_no_longer_than_it_does,
    two_nodes_with_one_recorder_add_up,
);

/// Keeps the bits of each figure by its name and labels.
#[derive(Clone, Default)]
struct Figures(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

impl Figures {
    fn register(&self, key: &Key) -> Arc<AtomicU64> {
        let labels = key.labels().map(|label| format!("{{{}={}}}", label.key(), label.value()));
        let name = key.name().to_owned() + &labels.collect::<String>();
        Arc::clone(self.0.lock().unwrap().entry(name).or_default())
    }

    fn bits(&self, name: &str) -> u64 {
        self.0.lock().unwrap().get(name).unwrap_or_else(|| panic!("{name}")).load(Ordering::SeqCst)
    }

    fn gauge(&self, name: &str) -> f64 {
        f64::from_bits(self.bits(name))
    }
}

impl Recorder for Figures {
    fn describe_counter(&self, _: KeyName, unit: Option<Unit>, _: SharedString) {
        assert!(unit.is_some());
    }

    fn describe_gauge(&self, _: KeyName, unit: Option<Unit>, _: SharedString) {
        assert!(unit.is_some());
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.register(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.register(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Waits until what is told says so.
async fn until<R: TestRuntime>(what: impl Fn() -> bool) {
    while !what() {
        lab::sleep::<R>(Duration::from_millis(10)).await;
    }
}

fn what_a_node_did_is_told_to_the_recorder_and_what_it_holds_no_longer_than_it_does<
    A: TestRuntime,
    B: TestRuntime,
>() {
    let figures = Figures::default();
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let b = with_local_recorder(&figures, || b.with_metrics());
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        let connection = lab::connect(&a, &b).await;
        let mut send = connection.open_uni("a label").await.unwrap();
        send.write_all(&[7; 10_000]).await.unwrap();
        until::<A>(|| figures.gauge("handfast_held_bytes") == 10_000.0).await;
        assert_eq!(figures.gauge("handfast_connections_open"), 1.0);
        assert_eq!(figures.gauge("handfast_streams_open"), 1.0);
        assert_eq!(figures.bits("handfast_connections_total{side=accepted}"), 1);
        assert_eq!(figures.bits("handfast_connections_total{side=dialled}"), 0);
        b.shutdown().await;
        let whole = b.stats().quic.traffic;
        until::<A>(|| figures.gauge("handfast_connections_open") == 0.0).await;
        until::<A>(|| figures.gauge("handfast_held_bytes") == 0.0).await;
        assert_eq!(figures.bits("handfast_quic_bytes_total{way=sent}"), whole.sent_bytes);
        assert_eq!(figures.bits("handfast_quic_bytes_total{way=received}"), whole.received_bytes);
        assert!(whole.received_bytes > 10_000);
        let (id, names) = (a.id().to_string(), figures.0.lock().unwrap());
        let tells =
            |name: &&String| name.contains(&id) || name.contains("127.0.0.1") || name.contains("a label");
        assert_eq!(names.keys().find(tells), None, "nobody is named");
    });
}

fn two_nodes_with_one_recorder_add_up<A: TestRuntime, B: TestRuntime>() {
    let figures = Figures::default();
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (a, b) = with_local_recorder(&figures, || (a.with_metrics(), b.with_metrics()));
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        lab::connect(&a, &b).await;
        until::<A>(|| figures.gauge("handfast_connections_open") == 2.0).await;
        assert_eq!(figures.bits("handfast_connections_total{side=accepted}"), 1);
        assert_eq!(figures.bits("handfast_connections_total{side=dialled}"), 1);
        b.shutdown().await;
        until::<A>(|| figures.gauge("handfast_connections_open") == 0.0).await;
        let sent = a.stats().quic.traffic.sent_bytes + b.stats().quic.traffic.sent_bytes;
        until::<A>(|| figures.bits("handfast_quic_bytes_total{way=sent}") >= sent).await;
    });
}
