//! How long it takes from the start of a node until a peer that it knows has answered on a first stream, over a bridge
//! between two network namespaces.
//!
//! `cargo bench -p handfast-tokio --bench first_stream`, or with fewer rounds: `-- 10`. Prints a table of medians, and one
//! line of JSON at its end (`--json`: that alone). Counted from the start, which opens the sockets and loads the
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
