//! How long it takes until a peer is seen, over a bridge between two network namespaces, all delays of RFC 6762 kept.
//!
//! `cargo bench -p handfast-tokio --bench discovery`, or with fewer rounds: `-- 10`. Prints a table of medians, and one
//! line of JSON at its end. Counted from the start of a node, its sockets included, to the event on the other side or
//! on its own. Wants Linux, `ip` and `unshare`; the rounds with Avahi want `avahi-daemon`, and say so where it is not.

#[cfg(target_os = "linux")]
mod avahi;
#[cfg(target_os = "linux")]
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
