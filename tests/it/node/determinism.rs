//! The same seed gives the same bytes on the wire.

use super::support::*;
use handfast_core::Direction;
use std::fmt::Write;
use std::process::Command;

/// Two nodes that connect and exchange a stream: every datagram, as text.
fn trace(seed: u64) -> String {
    let (mut net, a, b) = pair_of_hosts(seed);
    let (on_a, _) = connect(&mut net, a, b);
    net.tell(a, |node, now| {
        let id = node.open(now, on_a, Direction::Bi, "label", 7).unwrap();
        let mut stream = node.stream(on_a, id).unwrap();
        stream.write(&[42; 5000]).unwrap();
        stream.finish().unwrap();
    });
    net.run_for(SOON);
    let mut text = String::new();
    for (from, to, datagram) in &net.trace {
        let hex = datagram.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        writeln!(text, "{} {to} {hex}", from.0).unwrap();
    }
    assert!(net.trace.len() > 10, "the nodes spoke");
    text
}

#[test]
fn the_same_seed_gives_the_same_datagrams_twice_in_one_process() {
    assert_eq!(trace(7), trace(7));
}

#[test]
fn another_seed_gives_other_datagrams() {
    assert_ne!(trace(7), trace(8));
}

/// Set in the process that only prints a trace.
const CHILD: &str = "HANDFAST_PRINT_TRACE";

#[test]
fn the_same_seed_gives_the_same_datagrams_in_two_processes() {
    let here = trace(7);
    if std::env::var_os(CHILD).is_some() {
        std::fs::write(std::env::var_os(CHILD).unwrap(), here).unwrap();
        return;
    }
    let file = std::env::temp_dir().join(format!("handfast-trace-{}", std::process::id()));
    let own_name = "node::determinism::the_same_seed_gives_the_same_datagrams_in_two_processes";
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", own_name])
        .env(CHILD, &file)
        .status()
        .unwrap();
    assert!(status.success());
    let there = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(here == there, "the other process sent other datagrams");
}
