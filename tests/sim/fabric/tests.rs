//! Small networks, and what becomes of the datagrams in them.

mod faults;
mod homes;
mod lan;
mod nats;
mod observed;
mod storm;

use super::*;
use crate::fault::Fault;
use bytes::Bytes;
use std::time::Duration;

/// The interface of every host that has one only.
const ETH: u32 = 2;

/// The port that hosts send from.
const PORT: u16 = 40_000;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn addr(text: &str) -> InterfaceAddr {
    let (ip, prefix) = text.split_once('/').unwrap();
    InterfaceAddr { ip: ip.parse().unwrap(), prefix: prefix.parse().unwrap() }
}

fn to(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn out(destination: &str, payload: &[u8]) -> Outgoing {
    Outgoing {
        interface: None,
        source_ip: None,
        source_port: PORT,
        destination: to(destination),
        ecn: None,
        may_fragment: false,
        payload: Bytes::copy_from_slice(payload),
    }
}

/// A multicast to the group of mDNS, from its port.
fn multicast(interface: u32, family: Family, payload: &[u8]) -> Outgoing {
    let group = match family {
        Family::V4 => "224.0.0.251:5353",
        Family::V6 => "[ff02::fb]:5353",
    };
    let interface = Some(interface);
    Outgoing { interface, source_port: 5353, may_fragment: true, ..out(group, payload) }
}

/// A network and what time it is.
struct Lab {
    fabric: Fabric,
    start: Instant,
    now: Instant,
}

impl Lab {
    fn new(seed: u64) -> Self {
        let start = Instant::now();
        Self { fabric: Fabric::new(seed), start, now: start }
    }

    /// A LAN of hosts with `192.168.1.10`, `fe80::10` and so on, all in both groups.
    fn lan(seed: u64, link: Link, hosts: usize) -> (Self, Segment) {
        let mut lab = Self::new(seed);
        let lan = lab.fabric.segment(link);
        for host in 0..hosts {
            let (v4, v6) = (format!("192.168.1.{}/24", 10 + host), format!("fe80::{}/64", 10 + host));
            lab.plug(host, ETH, lan, &[&v4, &v6]);
        }
        (lab, lan)
    }

    fn plug(&mut self, host: usize, interface: u32, segment: Segment, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| addr(text)).collect();
        self.fabric.plug(Host(host), Port { interface, segment, addresses });
        for family in [Family::V4, Family::V6] {
            self.fabric.join(Host(host), interface, family).unwrap();
        }
    }

    fn send(&mut self, from: usize, out: Outgoing) -> SocketAddr {
        self.fabric.send(self.now, Host(from), out).unwrap()
    }

    /// All that arrives within `time`.
    fn run(&mut self, time: Duration) -> Vec<Arrival> {
        let until = self.now + time;
        let mut arrivals = Vec::new();
        while let Some(at) = self.fabric.next_at().filter(|at| *at <= until) {
            while let Some(arrival) = self.fabric.poll_arrival(at) {
                arrivals.push(arrival);
            }
        }
        self.now = until;
        arrivals
    }

    /// All that arrives within a minute, by whom it is heard.
    fn heard(&mut self) -> Vec<usize> {
        let mut heard: Vec<usize> = self.run(ms(60_000)).iter().map(|arrival| arrival.host.0).collect();
        heard.sort_unstable();
        heard
    }

    fn fired(&self, fault: Fault) -> u64 {
        self.fabric.tally().of(fault)
    }

    fn since(&self, arrival: &Arrival) -> Duration {
        arrival.at - self.start
    }
}
