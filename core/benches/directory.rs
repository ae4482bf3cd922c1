//! What a discovery server's own registry costs as it grows: memory, and the time of a snapshot.
//!
//! `cargo bench -p handfast-core --bench directory [RECORDS]...`: by default 10,000, 100,000 and 1,000,000 records of 300
//! octets. Linux alone tells how much memory a process has.

#![allow(missing_docs, reason = "a bench has names, not documentation")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![expect(clippy::print_stdout, reason = "a bench prints what it found")]

use bytes::Bytes;
use handfast_core::directory::{DirectoryEntry, write_piece};
use handfast_core::{Crypto, Fingerprint, Identity, Now, Seed, Server, ServerConfig, UnixTime};
use sha2::{Digest, Sha256};
use std::time::Instant;

const RECORD: usize = 300;
const WALL_S: u64 = 1_700_000_000;
const PIECE: u32 = 4096;

fn main() {
    let asked: Vec<u32> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let counts = if asked.is_empty() { vec![10_000, 100_000, 1_000_000] } else { asked };
    println!("records    octets each   restored s   written s   MiB");
    for count in counts {
        measure(count);
    }
}

fn now() -> Now {
    Now { mono: Instant::now(), wall: UnixTime::from_micros(WALL_S * 1_000_000) }
}

fn measure(count: u32) {
    let crypto = Crypto::new(rustls::crypto::ring::default_provider());
    let identity = Identity::from_entropy([7; 32]);
    let mut server = Server::new(ServerConfig::new(), &identity, crypto, &Seed::new([8; 32]), now()).unwrap();
    let (mut piece, mut restoring) = (Vec::new(), 0.0);
    piece.reserve(4 << 20);
    let before = resident();
    for first in (0..count).step_by(PIECE as usize) {
        piece.clear();
        write_piece((first..count.min(first + PIECE)).map(entry), &mut piece);
        let begun = Instant::now();
        server.restore(now(), &piece).unwrap();
        restoring += begun.elapsed().as_secs_f64();
    }
    let each = (resident() - before) as f64 / f64::from(count);
    assert_eq!(server.stats().records, count as usize);
    let (mut from, mut len, begun) = (Some(0), 0, Instant::now());
    while let Some(at) = from {
        piece.clear();
        from = server.snapshot(now(), at, &mut piece);
        len += piece.len();
    }
    let writing = begun.elapsed().as_secs_f64();
    println!("{count:<10} {each:<13.0} {restoring:<12.3} {writing:<11.3} {}", len >> 20);
}

fn entry(n: u32) -> DirectoryEntry {
    let owner: [u8; 32] = Sha256::digest(n.to_be_bytes()).into();
    let (short, _) = owner.split_first_chunk().unwrap();
    DirectoryEntry {
        owner: Fingerprint::from_bytes(owner),
        sha1: *short,
        seq: 1_700_000_000_000_000,
        record: Bytes::from(vec![n as u8; RECORD]),
        addresses: Vec::new(),
        announced_s: WALL_S,
        expires_s: WALL_S + 3600,
    }
}

/// Octets of memory that this process has.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
