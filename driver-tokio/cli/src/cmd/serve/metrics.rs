//! What a server has and did, as Prometheus reads it: text over HTTP.
//!
//! Speaks as much of HTTP as that takes, and gives nobody more than a moment. RFC 9112.

use super::shared::Failures;
use handfast_tokio::{Server, ServerStats};
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Bytes of a request.
const MAX_REQUEST: usize = 4096;
/// Time for a request and its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests at a time; further ones wait.
const MAX_AT_ONCE: usize = 16;
/// A system that has no more sockets has some again soon.
const BREATH: Duration = Duration::from_millis(100);

/// Serves until it is dropped.
pub(super) async fn serve(listener: TcpListener, server: Server, failures: Failures) {
    let permits = Arc::new(Semaphore::new(MAX_AT_ONCE));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (stats, failures) = (server.stats(), failures.count());
                tokio::spawn(async move {
                    // Whoever is too slow, or goes, gets nothing.
                    let _ = timeout(PATIENCE, answer(stream, &stats, failures)).await;
                    drop(permit);
                });
            }
            Err(_) => sleep(BREATH).await,
        }
    }
}

async fn answer(mut stream: TcpStream, stats: &ServerStats, failures: u64) -> io::Result<()> {
    let (mut request, mut len) = ([0; MAX_REQUEST], 0);
    while !request[..len].windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut request[len..]).await?;
        if read == 0 {
            return Ok(());
        }
        len += read;
    }
    let (status, body) = if request.starts_with(b"GET /metrics ") {
        ("200 OK", text(stats, failures))
    } else {
        ("404 Not Found", "metrics are at /metrics\n".to_owned())
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

fn text(stats: &ServerStats, failures: u64) -> String {
    let mut out = String::new();
    for (name, kind, help, value) in [
        ("records", "gauge", "Announcements that hold.", stats.records as u64),
        ("tombstones", "gauge", "Numbers kept of announcements that are gone.", stats.tombstones as u64),
        ("clients", "gauge", "Clients that are connected.", stats.clients as u64),
        ("subscriptions", "gauge", "Peers that are subscribed to.", stats.subscriptions as u64),
        ("announcements_total", "counter", "Announcements and renewals taken.", stats.announcements),
        ("withdrawals_total", "counter", "Withdrawals taken.", stats.withdrawals),
        ("expired_total", "counter", "Announcements that nobody renewed.", stats.expired),
        ("found_total", "counter", "Peers asked about and told of.", stats.found),
        ("missing_total", "counter", "Peers asked about in vain.", stats.missing),
        ("pushed_total", "counter", "Changes told to subscribers.", stats.pushed),
        ("refused_total", "counter", "Requests refused.", stats.refused),
        ("late_total", "counter", "Requests cut off after their time.", stats.late),
        ("store_failures_total", "counter", "What the shared store failed to do.", failures),
    ] {
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "# HELP handfast_{name} {help}\n# TYPE handfast_{name} {kind}\nhandfast_{name} {value}"
        );
    }
    out
}
