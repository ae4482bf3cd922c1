//! Handfast beside quinn on the same runtime: the same bytes, the same windows, the same mutual TLS.
//!
//! Each driver's bench brings its runtime and lays out its threads ([`Bed`]); what is measured, and how, is
//! here. Rounds of all contenders alternate, so that a busy machine is unfair to none; the middle one of
//! them counts.

pub mod ours;
pub mod theirs;
pub mod tls;

use std::fmt::Write as _;
use std::future::{Future, poll_fn};
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

/// Bytes of one bulk round.
pub const BULK: usize = 256 << 20;
/// Bytes of one write.
pub const CHUNK: usize = 64 << 10;
/// Connections that make requests.
pub const CONNECTIONS: usize = 100;
/// Requests of one connection that wait for their responses.
pub const IN_FLIGHT: usize = 10;
/// Requests of one round, one after the other, of each of those.
pub const REQUESTS: usize = 20;
/// Bytes of a request, and of a response.
pub const MESSAGE: usize = 1 << 10;
/// Rounds. Odd, so that one is in the middle.
const ROUNDS: usize = 7;

/// Bytes of one connection that are received and not read, or written and not acknowledged.
const CONNECTION_WINDOW: u32 = 8 << 20;
/// Bytes of one stream that are received and not read.
const STREAM_WINDOW: u32 = 1 << 20;

/// Where the two sides run.
pub trait Bed {
    /// Runs a future where servers live.
    fn server<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T;
    /// Runs a future where clients live.
    fn client<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T;
}

/// A library whose servers and clients are set up and connected.
pub trait Contender {
    /// Sends [`BULK`] bytes on one stream of one connection; done when the other side has read them.
    fn bulk(&self) -> Duration;
    /// Makes [`REQUESTS`] requests for each of [`IN_FLIGHT`] on each of [`CONNECTIONS`], each on a stream of
    /// its own.
    fn requests(&self) -> Duration;
}

/// Waits until all have passed.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Mutex<(usize, Option<Waker>)>>);

impl Gate {
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new((count, None))))
    }

    pub(crate) fn pass(&self) {
        let mut gate = self.0.lock().expect("nobody panics at the gate");
        gate.0 -= 1;
        let waker = if gate.0 == 0 { gate.1.take() } else { None };
        drop(gate);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) async fn wait(&self) {
        poll_fn(|cx| {
            let mut gate = self.0.lock().expect("nobody panics at the gate");
            gate.1 = Some(cx.waker().clone());
            if gate.0 == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// The socket with the buffers that ours has.
pub fn roomy(socket: UdpSocket) -> UdpSocket {
    let socket = socket2::Socket::from(socket);
    // Less room is slower, for both alike.
    let _ = socket.set_recv_buffer_size(4 << 20);
    let _ = socket.set_send_buffer_size(4 << 20);
    socket.into()
}

/// What came of it on one bed: the middle round of each.
#[derive(Clone, Debug)]
pub struct Row {
    /// How the threads were laid out.
    pub layout: String,
    /// Bulk, in MiB/s: quinn, then Handfast.
    pub bulk: [f64; 2],
    /// Requests in a second: quinn, then Handfast.
    pub requests: [f64; 2],
}

/// Measures both contenders on each bed.
pub fn measure(beds: &[(&str, [&dyn Contender; 2])]) -> Vec<Row> {
    let blank = || [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
    let mut bulk: Vec<[Vec<f64>; 2]> = beds.iter().map(|_| blank()).collect();
    let mut requests = bulk.clone();
    let each = || {
        beds.iter().enumerate().flat_map(|(bed, (_, both))| both.iter().enumerate().map(move |c| (bed, c)))
    };
    // One round more than counts: the first finds cold caches and small windows.
    for round in 0..=ROUNDS {
        for (bed, (which, contender)) in each() {
            let time = contender.bulk().as_secs_f64();
            if round > 0 {
                bulk[bed][which].push((BULK >> 20) as f64 / time);
            }
        }
        for (bed, (which, contender)) in each() {
            let time = contender.requests().as_secs_f64();
            if round > 0 {
                requests[bed][which].push((CONNECTIONS * IN_FLIGHT * REQUESTS) as f64 / time);
            }
        }
    }
    let rows = beds.iter().zip(bulk.into_iter().zip(requests));
    rows.map(|((layout, _), (bulk, requests))| Row {
        layout: (*layout).to_owned(),
        bulk: bulk.map(middle),
        requests: requests.map(middle),
    })
    .collect()
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The rows for people, and how the best of ours compares to the best of theirs.
pub fn table(rows: &[Row]) -> String {
    let mut out = format!(
        "{:<34}{:>10}{:>10}{:>7}   {:>10}{:>10}{:>7}\n",
        "", "quinn", "handfast", "", "quinn", "handfast", ""
    );
    let _ = writeln!(
        out,
        "{:<34}{:>20}{:>7}   {:>20}{:>7}",
        "layout", "bulk, MiB/s", "ratio", "requests/s", "ratio"
    );
    for row in rows {
        let ([their_bulk, our_bulk], [their_requests, our_requests]) = (row.bulk, row.requests);
        let _ = writeln!(
            out,
            "{:<34}{their_bulk:>10.0}{our_bulk:>10.0}{:>7.2}   {their_requests:>10.0}{our_requests:>10.0}{:>7.2}",
            row.layout,
            our_bulk / their_bulk,
            our_requests / their_requests
        );
    }
    let [bulk, requests] = best(rows);
    let _ = writeln!(out, "{:<34}{bulk:>27.2}   {requests:>27.2}", "the best of ours to that of theirs");
    out
}

/// The rows for programs.
pub fn json(rows: &[Row]) -> String {
    let row = |row: &Row| {
        let ([bulk_theirs, bulk_ours], [requests_theirs, requests_ours]) = (row.bulk, row.requests);
        format!(
            "{{\"layout\":\"{}\",\"bulk_mib_s\":{{\"quinn\":{bulk_theirs:.1},\"handfast\":{bulk_ours:.1}}},\
             \"requests_s\":{{\"quinn\":{requests_theirs:.0},\"handfast\":{requests_ours:.0}}}}}",
            row.layout
        )
    };
    format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(","))
}

fn best(rows: &[Row]) -> [f64; 2] {
    let top = |pick: fn(&Row) -> f64| rows.iter().map(pick).fold(0.0, f64::max);
    [top(|r| r.bulk[1]) / top(|r| r.bulk[0]), top(|r| r.requests[1]) / top(|r| r.requests[0])]
}
