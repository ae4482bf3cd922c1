//! What happened in a world, as a digest, and as a story where somebody wants to read it.

use sha2::{Digest, Sha256};
use simple_dns::Packet;
use simple_dns::rdata::RData;
use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::fabric::{Arrival, Host};

/// One datagram that a host sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// How long after the beginning of the world.
    pub at: Duration,
    /// By whom.
    pub host: Host,
    /// From where.
    pub source: SocketAddr,
    /// To where.
    pub destination: SocketAddr,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The port of mDNS. RFC 6762 §3.
const MDNS_PORT: u16 = 5353;

/// A datagram in words: of mDNS, its questions and its records with their times to live.
fn spell(port: u16, bytes: &[u8]) -> String {
    if port != MDNS_PORT {
        return format!("{} bytes", bytes.len());
    }
    let Ok(packet) = Packet::parse(bytes) else { return "unreadable".into() };
    let mut words = Vec::new();
    for question in &packet.questions {
        let way = if question.unicast_response { "QU" } else { "QM" };
        words.push(format!("{way} {:?} {}?", question.qtype, question.qname));
    }
    for record in packet.answers.iter().chain(&packet.additional_records) {
        words.push(match &record.rdata {
            RData::PTR(target) => format!("{} PTR {} {}", record.name, target.0, record.ttl),
            other => format!("{} {:?} {}", record.name, other.type_code(), record.ttl),
        });
    }
    words.join("; ")
}

/// How much of what happens is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The digest alone.
    #[default]
    Digest,
    /// What happened, in words.
    Story,
    /// Every datagram too.
    Datagrams,
}

/// A record of everything that happened, in order.
///
/// The digest covers every datagram's bytes and every word of the story, whether they are kept or not.
#[derive(Debug, Default)]
pub struct Trace {
    detail: Detail,
    digest: Sha256,
    /// Every datagram, where they are kept.
    pub sent: Vec<Sent>,
    /// The story's lines, where they are kept.
    pub story: Vec<String>,
    line: String,
}

impl Trace {
    /// Sets how much is kept from here on.
    pub fn keep(&mut self, detail: Detail) {
        self.detail = detail;
    }

    /// A hash of all that happened so far.
    pub fn digest(&self) -> String {
        let digest = self.digest.clone().finalize();
        digest.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Tells what happened, to a host or to the world.
    pub fn tell(&mut self, at: Duration, who: &str, what: fmt::Arguments<'_>) {
        self.line.clear();
        let seconds = at.as_secs_f64();
        let _ = write!(self.line, "{seconds:>12.6}  {who:<10} {what}");
        self.digest.update(self.line.as_bytes());
        if self.detail >= Detail::Story {
            self.story.push(self.line.clone());
        }
    }

    /// Notes a datagram.
    pub(crate) fn sent(
        &mut self,
        at: Duration,
        (host, name): (Host, &str),
        to: [SocketAddr; 2],
        bytes: &[u8],
    ) {
        let [source, destination] = to;
        self.digest.update((at.as_nanos() as u64).to_be_bytes());
        self.digest.update((host.0 as u64).to_be_bytes());
        self.line.clear();
        let _ = write!(self.line, "{source} {destination}");
        self.digest.update(self.line.as_bytes());
        self.digest.update(bytes);
        if self.detail >= Detail::Datagrams {
            let seconds = at.as_secs_f64();
            let words = spell(destination.port(), bytes);
            self.story.push(format!("{seconds:>12.6}  {name:<10} {source} > {destination}, {words}"));
            self.sent.push(Sent { at, host, source, destination, bytes: bytes.to_vec() });
        }
    }

    /// Notes that a datagram reached a host: for the story alone, since it follows from what was sent.
    pub(crate) fn heard(&mut self, at: Duration, name: &str, arrival: &Arrival) {
        if self.detail >= Detail::Datagrams {
            let Arrival { interface, source, destination, .. } = arrival;
            let words = spell(arrival.destination_port, &arrival.payload);
            let seconds = at.as_secs_f64();
            let line = format!("{source} > {destination} on {interface}, {words}");
            self.story.push(format!("{seconds:>12.6}  {name:<10} hears {line}"));
        }
    }
}
