//! What a node did, told to whoever collects figures: the facade `metrics`.
//!
//! Decides nothing by it, counts nothing itself, and names nobody: no peer, no address, no label of a stream.

use crate::desk::NodeShared;
use crate::handle::Builder;
use crate::runtime::{Runtime, Timer};
use handfast_core::Stats;
use metrics::{Counter, Gauge, Label, Unit};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a node tells.
const EVERY: Duration = Duration::from_secs(1);

/// A figure: its name, its label where it has one, its unit, what it is, and where it is read.
struct Figure {
    name: &'static str,
    label: Option<(&'static str, &'static str)>,
    unit: Unit,
    help: &'static str,
    read: fn(&Reading) -> u64,
}

/// What figures are read from.
#[derive(Default)]
struct Reading {
    stats: Stats,
    /// Datagrams of mDNS that were not heeded, for whatever reason.
    mdns_dropped: u64,
    /// Bytes that streams hold for their readers.
    held: u64,
}

/// `name {label = value}, unit, "help": where`, a figure each.
macro_rules! figures {
    ($($name:literal $({$key:literal = $value:literal})?, $unit:ident, $help:literal: $($part:ident).+;)*) => {
        &[$(Figure {
            name: $name,
            label: [$(($key, $value))?].first().copied(),
            unit: Unit::$unit,
            help: $help,
            read: |reading| reading.$($part).+ as u64,
        }),*]
    };
}

/// What only grows.
const COUNTERS: &[Figure] = figures![
    "handfast_connections_total" {"side" = "accepted"}, Count, "Connections.": stats.quic.accepted;
    "handfast_connections_total" {"side" = "dialled"}, Count, "Connections.": stats.quic.dialled;
    "handfast_streams_refused_total", Count, "Streams of peers refused for their labels.":
        stats.quic.refused_labels;
    "handfast_quic_bytes_total" {"way" = "sent"}, Bytes, "Payload of UDP.": stats.quic.traffic.sent_bytes;
    "handfast_quic_bytes_total" {"way" = "received"}, Bytes, "Payload of UDP.":
        stats.quic.traffic.received_bytes;
    "handfast_quic_bytes_total" {"way" = "lost"}, Bytes, "Payload of UDP.": stats.quic.traffic.lost_bytes;
    "handfast_quic_datagrams_total" {"way" = "sent"}, Count, "Datagrams of UDP.":
        stats.quic.traffic.sent_datagrams;
    "handfast_quic_datagrams_total" {"way" = "received"}, Count, "Datagrams of UDP.":
        stats.quic.traffic.received_datagrams;
    "handfast_quic_packets_lost_total", Count, "Packets taken for lost.": stats.quic.traffic.lost_packets;
    "handfast_datagrams_dropped_total" {"reason" = "not_shown"}, Count, "Datagrams of the application dropped.":
        stats.datagrams_dropped.not_shown;
    "handfast_datagrams_dropped_total" {"reason" = "unread"}, Count, "Datagrams of the application dropped.":
        stats.datagrams_dropped.unread;
    "handfast_datagrams_dropped_total" {"reason" = "unsent"}, Count, "Datagrams of the application dropped.":
        stats.datagrams_dropped.unsent;
    "handfast_mdns_sent_total" {"kind" = "query"}, Count, "Datagrams of mDNS sent.": stats.mdns.queries_sent;
    "handfast_mdns_sent_total" {"kind" = "response"}, Count, "Datagrams of mDNS sent.":
        stats.mdns.responses_sent;
    "handfast_mdns_sent_total" {"kind" = "probe"}, Count, "Datagrams of mDNS sent.": stats.mdns.probes_sent;
    "handfast_mdns_received_total", Count, "Datagrams of mDNS received.": stats.mdns.datagrams_received;
    "handfast_mdns_dropped_total", Count, "Datagrams of mDNS not heeded.": mdns_dropped;
    "handfast_mdns_conflicts_total", Count, "Records that contradict one of ours.": stats.mdns.conflicts;
    "handfast_mdns_evicted_total", Count, "Records that made way in a full cache.":
        stats.mdns.records_evicted;
    "handfast_global_dials_total", Count, "Connections to discovery servers tried.": stats.global.dials;
    "handfast_global_announcements_total", Count, "Records announced to a server in full.":
        stats.global.announcements;
    "handfast_global_refreshes_total", Count, "Announcements renewed.": stats.global.refreshes;
    "handfast_global_withdrawals_total", Count, "Announcements taken back.": stats.global.withdrawals;
    "handfast_global_lookups_total", Count, "Requests where peers are.": stats.global.lookups;
    "handfast_global_found_total", Count, "Answers that held.": stats.global.found;
    "handfast_global_rejected_total", Count, "Answers that did not hold.": stats.global.rejected;
    "handfast_global_misbehaved_total", Count, "Replies of servers that broke the protocol.":
        stats.global.misbehaved;
];

/// What comes and goes.
const GAUGES: &[Figure] = figures![
    "handfast_connections_open", Count, "Connections to peers that stand.": stats.quic.open;
    "handfast_streams_open", Count, "Streams that are open.": stats.quic.streams;
    "handfast_held_bytes", Bytes, "Bytes that streams hold and nobody has read.": held;
    "handfast_mdns_records_cached", Count, "Records of others in the cache.": stats.mdns.records_cached;
    "handfast_mdns_instances", Count, "Instances of services that are there.": stats.mdns.instances;
];

/// A recorder's own counters and gauges, and what they were told last.
pub(crate) struct Metrics {
    counters: Vec<Counter>,
    gauges: Vec<Gauge>,
    told: Reading,
}

impl<R: Runtime> Builder<R> {
    /// Tells the recorder of the crate `metrics` once a second what this node did, and once more when it has ended.
    ///
    /// The recorder is the one that is installed **when this is called**. Several nodes of a process add up. No name,
    /// label or figure tells of a peer, an address or a stream's label.
    ///
    /// | Counter | Label | Unit | What |
    /// |---|---|---|---|
    /// | `handfast_connections_total` | `side`: `accepted`, `dialled` | 1 | connections, of whoever knocked, and to whomever nobody answered |
    /// | `handfast_streams_refused_total` | | 1 | streams of peers that were refused for their labels |
    /// | `handfast_quic_bytes_total` | `way`: `sent`, `received`, `lost` | bytes | UDP's payload on all connections |
    /// | `handfast_quic_datagrams_total` | `way`: `sent`, `received` | 1 | UDP's datagrams on all connections |
    /// | `handfast_quic_packets_lost_total` | | 1 | packets that were taken for lost |
    /// | `handfast_datagrams_dropped_total` | `reason`: `not_shown`, `unread`, `unsent` | 1 | datagrams of the application that the network did not lose |
    /// | `handfast_mdns_sent_total` | `kind`: `query`, `response`, `probe` | 1 | datagrams of mDNS sent |
    /// | `handfast_mdns_received_total` | | 1 | datagrams of mDNS received, those included that were dropped |
    /// | `handfast_mdns_dropped_total` | | 1 | those that were not heeded |
    /// | `handfast_mdns_conflicts_total` | | 1 | records that contradict one of this node's |
    /// | `handfast_mdns_evicted_total` | | 1 | records of others that made way in a full cache |
    /// | `handfast_global_dials_total` | | 1 | connections to discovery servers that were tried |
    /// | `handfast_global_announcements_total` | | 1 | records announced to a server in full |
    /// | `handfast_global_refreshes_total` | | 1 | announcements renewed by their number |
    /// | `handfast_global_withdrawals_total` | | 1 | announcements taken back |
    /// | `handfast_global_lookups_total` | | 1 | requests where peers are |
    /// | `handfast_global_found_total` | | 1 | answers that held against their peer's key |
    /// | `handfast_global_rejected_total` | | 1 | answers that did not |
    /// | `handfast_global_misbehaved_total` | | 1 | replies that broke the protocol |
    ///
    /// | Gauge | Unit | What |
    /// |---|---|---|
    /// | `handfast_connections_open` | 1 | connections on which streams may be opened |
    /// | `handfast_streams_open` | 1 | streams that are open, both ways |
    /// | `handfast_held_bytes` | bytes | what streams hold and nobody has read: [`Node::held_bytes`](crate::Node::held_bytes) |
    /// | `handfast_mdns_records_cached` | 1 | records of others in the cache |
    /// | `handfast_mdns_instances` | 1 | instances of services that are there |
    #[must_use]
    pub fn with_metrics(mut self) -> Self {
        self.diagnostics.metrics = Some(Metrics::register());
        self
    }
}

impl Metrics {
    fn register() -> Self {
        let labels = |figure: &Figure| figure.label.map(|(key, value)| Label::new(key, value));
        let counter = |figure: &Figure| {
            metrics::describe_counter!(figure.name, figure.unit, figure.help);
            metrics::counter!(figure.name, labels(figure).into_iter().collect::<Vec<_>>())
        };
        let gauge = |figure: &Figure| {
            metrics::describe_gauge!(figure.name, figure.unit, figure.help);
            metrics::gauge!(figure.name, labels(figure).into_iter().collect::<Vec<_>>())
        };
        Self {
            counters: COUNTERS.iter().map(counter).collect(),
            gauges: GAUGES.iter().map(gauge).collect(),
            told: Reading::default(),
        }
    }

    /// Tells until the node has ended.
    pub(crate) async fn run<R: Runtime>(mut self, runtime: R, shared: Arc<NodeShared>) {
        let mut timer = runtime.timer();
        let mut runs = true;
        while runs {
            timer.arm(Instant::now() + EVERY);
            runs = shared.until_end(|cx| timer.poll(cx)).await;
            let locked = shared.lock();
            let (stats, held) = (locked.machine.stats(), locked.desk.room.held() as u64);
            drop(locked);
            self.tell(Reading { mdns_dropped: stats.mdns.dropped.total(), stats, held });
        }
    }

    /// Tells what has changed, so that several nodes add up.
    fn tell(&mut self, reading: Reading) {
        for (figure, counter) in COUNTERS.iter().zip(&self.counters) {
            counter.increment((figure.read)(&reading).saturating_sub((figure.read)(&self.told)));
        }
        for (figure, gauge) in GAUGES.iter().zip(&self.gauges) {
            gauge.increment((figure.read)(&reading) as f64 - (figure.read)(&self.told) as f64);
        }
        self.told = reading;
    }
}

impl Drop for Metrics {
    /// However the node ends, also with its runtime, it holds nothing any longer.
    fn drop(&mut self) {
        for (figure, gauge) in GAUGES.iter().zip(&self.gauges) {
            gauge.decrement((figure.read)(&self.told) as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_stands_in_the_table_with_its_label_and_its_unit() {
        let table: Vec<&str> =
            include_str!("metrics.rs").lines().filter(|line| line.trim().starts_with("/// | `")).collect();
        for figure in COUNTERS.iter().chain(GAUGES) {
            let name = format!("/// | `{}` |", figure.name);
            let row = table.iter().find(|row| row.trim().starts_with(&name)).expect(figure.name);
            let unit = if figure.unit == Unit::Bytes { "| bytes |" } else { "| 1 |" };
            assert!(row.contains(unit), "{row}");
            for word in figure.label.iter().flat_map(|(key, value)| [key, value]) {
                assert!(row.contains(&format!("`{word}`")), "{row}");
            }
        }
        let mut names: Vec<&str> = COUNTERS.iter().chain(GAUGES).map(|figure| figure.name).collect();
        names.dedup();
        assert_eq!(names.len(), table.len());
        assert!(COUNTERS.iter().all(|figure| figure.name.ends_with("_total")));
    }
}
