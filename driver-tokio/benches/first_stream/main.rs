//! How long it takes from the start of a node until a peer that it knows has answered on a first stream, over a bridge
//! between two network namespaces.
//!
//! `cargo bench -p handfast-tokio --bench first_stream`, or with fewer rounds: `-- 10`. Prints a table of medians, and a
//! line of JSON for each at its end (`--json`: those alone). The address of the peer is what the store remembers of
//! an earlier connection, and beside it, for comparison, what the application gives; nothing is discovered. Counted from the start, which opens the sockets and loads the
//! store, to the first byte of the answer. The goal is 100 ms. Wants Linux, `ip` and `unshare`.

#[cfg(target_os = "linux")]
#[path = "../discovery/lab.rs"]
mod lab;
#[cfg(target_os = "linux")]
mod rounds;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    rounds::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    panic!("only Linux has network namespaces");
}
