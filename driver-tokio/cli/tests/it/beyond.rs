//! Devices that share no network: three namespaces with a router between them, and a discovery server in the third.

use crate::device::{Device, PATIENCE, Running, noise, same};
use crate::lab::{Lab, Routed, in_routed_lab, measured, sh};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Instant;

/// Where each is.
struct Places {
    a: &'static str,
    /// Where `a` goes to.
    a_then: &'static str,
    a_route: &'static str,
    s: &'static str,
}

const V4: Places =
    Places { a: "203.0.113.2", a_then: "203.0.113.77/24", a_route: "203.0.113.1", s: "192.0.2.2" };
const V6: Places =
    Places { a: "2001:db8:a::2", a_then: "2001:db8:a::77/64", a_route: "2001:db8:a::1", s: "2001:db8:c::2" };

/// What the server is called.
const NAMED: &str = "discovery.test:5224";

pub(crate) fn at(ip: &str, port: u16) -> String {
    SocketAddr::new(ip.parse().unwrap(), port).to_string()
}

/// Pairs two devices of which the second is told where the first one is.
pub(crate) fn pair_at(host: &Device, ip: &str, joiner: &Device) {
    let showing = host.start(&["pair"]);
    let listening: SocketAddr = showing.event("listening")["addresses"][0].as_str().unwrap().parse().unwrap();
    let code = showing.event("code")["code"].as_str().unwrap().to_owned();
    joiner.run(&["pair", &code, "--addr", &at(ip, listening.port())]);
    let (exit, shown) = showing.end();
    assert_eq!(exit, 0, "{shown:#?}");
}

/// A server, and what a device says to use it.
struct Serving {
    running: Running,
    words: [String; 4],
}

impl Serving {
    fn start(device: &Device, ip: &str) -> Self {
        let running = device.start(&["serve", "--listen", "5224"]);
        let key = running.event("serving")["fingerprint"].as_str().unwrap().to_owned();
        let words = ["--server".to_owned(), at(ip, 5224), "--server-key".to_owned(), key];
        Self { running, words }
    }

    /// A device finds it by a name, and by what its home says.
    fn is_the_one_of(&self, device: &Device, ip: &str) {
        let hosts = device.file("hosts", format!("{ip} discovery.test\n").as_bytes());
        sh(&format!("mount --bind {} /etc/hosts", hosts.display()));
        let [.., key] = &self.words;
        let text = format!("[[server]]\naddress = \"{NAMED}\"\nkey = \"{key}\"\n");
        device.file("home/config.toml", text.as_bytes());
    }

    /// The words of a command that uses it.
    fn with<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        words.iter().copied().chain(self.words.iter().map(String::as_str)).collect()
    }
}

/// What the only server of a device says of where the only peer is.
fn looked_up(device: &Device) -> Value {
    let events = device.run(&["peers", "--lookup"]);
    let told: Vec<_> = events.into_iter().filter(|event| event["event"] == "looked_up").collect();
    let [told] = &told[..] else { panic!("one peer, one server: {told:#?}") };
    assert_eq!(told["server"], NAMED);
    told.clone()
}

/// Whether a server says that a device is at an address that begins so.
pub(crate) fn is_at(found: &Value, ip: &str) -> bool {
    let places = found["places"].as_array().unwrap();
    places.iter().any(|place| {
        let address: SocketAddr = place["address"].as_str().unwrap().parse().unwrap();
        place["source"] == "global" && address.ip().to_string() == ip
    })
}

fn two_find_each_other_by_a_server(lab: &Lab, places: &Places) {
    let [a, b, s] = ["a", "b", "s"].map(|name| Device::new(lab, name));
    pair_at(&a, places.a, &b);
    let server = Serving::start(&s, places.s);
    let receiving = a.receive(&server.with(&[]));
    let file = b.file("first", &noise(100_000));
    server.is_the_one_of(&b, places.s);
    b.run(&["send", file.to_str().unwrap(), "a"]);
    assert!(same(&a.path("in/first"), &file));

    let discovering = b.start(&["discover"]);
    let found = discovering.event_where("found", |found| is_at(found, places.a));
    assert_eq!((&found["name"], &found["paired"]), (&"a".into(), &true.into()), "{found:#?}");
    let (after, _) = places.a_then.split_once('/').unwrap();
    let moved = Instant::now();
    let (route, then) = (places.a_route, places.a_then);
    lab.inside("a", "ip addr flush dev eth0 scope global");
    lab.inside("a", &format!("ip addr add {then} dev eth0; ip route replace default via {route}"));
    discovering.event_where("found", |found| is_at(found, after));
    let took = moved.elapsed();
    measured(format_args!("found at its new address after {} ms", took.as_millis()));
    assert!(took < PATIENCE / 2);
    let file = b.file("second", &noise(100_001));
    b.run(&["send", file.to_str().unwrap(), "a"]);
    assert!(same(&a.path("in/second"), &file));

    let told = looked_up(&b);
    assert_eq!(told["name"], "a");
    let says: Vec<SocketAddr> = told["addresses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|at| at.as_str().unwrap().parse().unwrap())
        .collect();
    assert!(says.iter().any(|at| at.ip().to_string() == after), "{told:#?}");
    assert!(told["age_s"].as_u64().unwrap() < PATIENCE.as_secs(), "{told:#?}");

    let stopped = Instant::now();
    receiving.interrupt();
    discovering.event_where("lost", |lost| lost["name"] == "a");
    measured(format_args!("gone {} ms after it was told to stop", stopped.elapsed().as_millis()));
    assert_eq!(receiving.end().0, 130);
    assert_eq!(looked_up(&b)["reason"], "not known there");
    for running in [discovering, server.running] {
        running.interrupt();
        running.end();
    }
}

#[test]
fn two_that_share_no_network_find_each_other_by_a_server_alone_over_ipv4() {
    in_routed_lab(Routed::V4, |lab| two_find_each_other_by_a_server(lab, &V4));
}

#[test]
fn two_that_share_no_network_find_each_other_by_a_server_alone_over_ipv6() {
    in_routed_lab(Routed::V6, |lab| two_find_each_other_by_a_server(lab, &V6));
}
