//! A discovery server as a process: what it tells, and how it stops.

use crate::device::{Device, error};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

fn get(at: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_server_shows_its_key_and_its_figures_and_stops_when_it_is_told_to() {
    let device = Device::on_loopback("server");
    let serving = device.start(&["serve", "--listen", "0", "--metrics", "127.0.0.1:0"]);
    let told = serving.event("serving");
    let own = device.start(&["id"]).end();
    assert_eq!((own.0, error(&own.1).0), (3, "home_busy"), "the home is the server's while it runs");
    let metrics: SocketAddr = told["metrics"].as_str().unwrap().parse().unwrap();
    let answer = get(metrics, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\n# TYPE handfast_records gauge\nhandfast_records 0\n"), "{answer}");
    assert!(get(metrics, "/").starts_with("HTTP/1.1 404 "));
    serving.interrupt();
    let (code, events) = serving.end();
    assert_eq!(code, 0, "{events:#?}");
    assert!(device.path("home/directory").exists(), "what it held is written down");
    let id = device.run(&["id"]);
    assert_eq!(id[0]["fingerprint"], told["fingerprint"], "clients pin the key of the home");
}

#[test]
fn a_home_whose_configuration_says_what_nobody_knows_is_not_used() {
    let device = Device::on_loopback("server");
    std::fs::create_dir(device.path("home")).unwrap();
    device.file("home/config.toml", b"name = \"desk\"\n[serve]\nlisten = 0\nlease = 1\n");
    for words in [&["serve"][..], &["node"], &["discover"]] {
        let (code, events) = device.start(words).end();
        let (kind, message) = error(&events);
        assert_eq!((code, kind), (2, "usage"), "{events:#?}");
        assert!(message.contains("config.toml, line 4: ") && message.contains("lease"), "{message}");
    }
    device.run(&["id"]);
    std::fs::remove_file(device.path("home/config.toml")).unwrap();
    let (code, events) = device.start(&["peers", "--lookup"]).end();
    assert_eq!((code, error(&events).0), (2, "usage"), "{events:#?}");
}

#[test]
fn a_server_whose_port_is_taken_or_whose_snapshot_is_damaged_says_so() {
    let (first, second) = (Device::on_loopback("first"), Device::on_loopback("second"));
    let serving = first.start(&["serve", "--listen", "0"]);
    let told = serving.event("serving");
    let address: SocketAddr = told["addresses"][0].as_str().unwrap().parse().unwrap();
    let port = address.port().to_string();
    let (code, events) = second.start(&["serve", "--listen", &port]).end();
    assert_eq!((code, error(&events).0), (2, "usage"), "{events:#?}");
    serving.interrupt();
    assert_eq!(serving.end().0, 0);
    std::fs::write(second.path("home/directory"), b"no snapshot").unwrap();
    let (code, events) = second.start(&["serve", "--listen", "0"]).end();
    assert_eq!((code, error(&events).0), (4, "home"), "{events:#?}");
}
