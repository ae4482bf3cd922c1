//! The server's machine by itself: what a record costs in memory, and how long a snapshot takes.

use super::wire::Resident;
use handfast_core::directory::write_piece;
use handfast_core::{Crypto, Identity, Now, Seed, Server, ServerConfig, UnixTime};
use rand_core::RngCore;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Records of one piece of a snapshot.
const PIECE: usize = 1000;
/// Bytes of the records of the mark.
const RECORD: usize = 300;

pub(crate) fn now() -> Now {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono: Instant::now(), wall: UnixTime::from_micros(since.as_micros() as u64) }
}

fn server() -> Server {
    let crypto = Crypto::new(rustls::crypto::ring::default_provider());
    let identity = Identity::from_entropy([7; 32]);
    Server::new(ServerConfig::new(), &identity, crypto, &Seed::new([8; 32]), now()).expect("sound")
}

/// Takes in so many records of 300 octets; what each of them costs, by what `allocated` says.
pub(crate) fn fill(rng: &mut impl RngCore, records: usize, allocated: impl Fn() -> usize) -> (Server, f64) {
    let mut server = server();
    let before = allocated();
    for _ in 0..records / PIECE {
        let mut piece = Vec::new();
        write_piece((0..PIECE).map(|_| Resident::new(rng).entry_with(vec![5; RECORD])), &mut piece);
        server.restore(now(), &piece).expect("a whole piece");
    }
    assert_eq!(server.stats().records, records);
    let each = (allocated() - before) as f64 / records as f64;
    (server, each)
}

/// Writes a snapshot to a file, and has it reach the disk. How long that took, and without the disk.
pub(crate) fn snapshot(server: &Server, to: &Path) -> io::Result<[Duration; 2]> {
    let (begun, mut without) = (Instant::now(), Duration::ZERO);
    let mut file = File::create(to)?;
    let (mut from, mut piece) = (Some(0), Vec::new());
    while let Some(at) = from {
        piece.clear();
        let begun = Instant::now();
        from = server.snapshot(now(), at, &mut piece);
        without += begun.elapsed();
        file.write_all(&piece)?;
    }
    file.sync_all()?;
    Ok([begun.elapsed(), without])
}

/// A snapshot of residents, for a server to begin with.
pub(crate) fn snapshot_of(residents: &[Resident], to: &Path) -> io::Result<()> {
    let mut file = File::create(to)?;
    for some in residents.chunks(PIECE) {
        let mut piece = Vec::new();
        write_piece(some.iter().map(Resident::entry), &mut piece);
        file.write_all(&piece)?;
    }
    Ok(())
}
