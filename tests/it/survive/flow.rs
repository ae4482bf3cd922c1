//! Bytes without end from one host to another: that they are the right ones, and how long none came.

use super::support::{conn, opened};
use bytes::Bytes;
use handfast_core::error::ReadError;
use handfast_core::{ConnId, Direction, StreamId};
use handfast_tests::fabric::Host;
use handfast_tests::world::World;
use std::time::Duration;

/// How often the writer writes and the reader reads.
const BEAT: Duration = Duration::from_millis(10);

/// What one write offers.
const CHUNK: usize = 1 << 16;

/// Prints what was measured, for whoever asks the tests to show what they print.
#[expect(clippy::print_stdout, reason = "a test's figures are for people")]
pub(super) fn figure(what: std::fmt::Arguments<'_>) {
    println!("{what}");
}

/// One stream that is written without end.
pub(super) struct Flow {
    from: Host,
    on_from: ConnId,
    id: StreamId,
    to: Host,
    at_to: Option<(ConnId, StreamId)>,
    written: u64,
    pub(super) read: u64,
    /// The stream ended with an error where it is read.
    pub(super) broken: bool,
    pattern: Bytes,
}

/// After so many octets they begin anew: what is missing or comes twice shifts them, whatever a packet holds.
const PERIOD: u64 = 251;

/// What is to be written.
fn pattern() -> Bytes {
    (0..PERIOD).cycle().take(CHUNK + PERIOD as usize).map(|n| n as u8).collect()
}

impl Flow {
    /// Opens a stream on the connection that a host sees.
    pub(super) fn begin(world: &mut World, from: Host, to: Host) -> Self {
        Self::try_begin(world, from, to).expect("the hosts are connected, and there is room for a stream")
    }

    /// The same, where there may be none.
    pub(super) fn try_begin(world: &mut World, from: Host, to: Host) -> Option<Self> {
        world[to].app.ready.clear();
        // The peer may have to allow streams first.
        world.run_for(Duration::from_millis(100));
        let on_from = conn(world, from)?;
        let id = world.tell(from, |node, now| node.open(now, on_from, Direction::Uni, "flow", 1)).ok()?;
        let pattern = pattern();
        Some(Self { from, on_from, id, to, at_to: None, written: 0, read: 0, broken: false, pattern })
    }

    /// Lets the bytes flow for a while.
    pub(super) fn run(&mut self, world: &mut World, time: Duration) {
        self.run_until(world, time, |_, _| false);
    }

    /// Lets the bytes flow until `done`, at most for `limit`; how long that took, if it came to be.
    pub(super) fn run_until(
        &mut self,
        world: &mut World,
        limit: Duration,
        done: impl Fn(&World, &Self) -> bool,
    ) -> Option<Duration> {
        let began = world.elapsed();
        while world.elapsed() - began < limit {
            if done(world, self) {
                return Some(world.elapsed() - began);
            }
            self.beat(world);
        }
        done(world, self).then(|| world.elapsed() - began)
    }

    /// How long it takes until the next byte arrives.
    pub(super) fn next_byte(&mut self, world: &mut World, limit: Duration) -> Option<Duration> {
        let before = self.read;
        self.run_until(world, limit, |_, flow| flow.read > before)
    }

    fn belongs_at(&self, at: u64, len: usize) -> Bytes {
        let start = (at % PERIOD) as usize;
        self.pattern.slice(start..start + len)
    }

    fn beat(&mut self, world: &mut World) {
        self.write(world);
        world.run_for(BEAT);
        self.read(world);
    }

    fn write(&mut self, world: &mut World) {
        let (on_from, id) = (self.on_from, self.id);
        let chunk = self.belongs_at(self.written, CHUNK);
        let written = world.tell(self.from, |node, _| {
            let mut stream = node.stream(on_from, id).ok()?;
            stream.write_chunks(&mut [chunk]).ok()
        });
        self.written += written.map_or(0, |written| written.bytes as u64);
    }

    fn read(&mut self, world: &mut World) {
        self.at_to = self.at_to.or_else(|| opened(world, self.to).first().copied());
        let Some((on_to, id)) = self.at_to.filter(|_| !self.broken) else { return };
        let mut sink: Vec<Bytes> = Vec::new();
        let read = world.tell(self.to, |node, _| match node.stream(on_to, id) {
            Ok(mut stream) => stream.read_chunks(usize::MAX, &mut sink),
            Err(_) => Err(ReadError::Gone),
        });
        for octets in &sink {
            assert!(*octets == self.belongs_at(self.read, octets.len()), "at {}", self.read);
            self.read += octets.len() as u64;
        }
        assert!(read.is_err() || !read.as_ref().is_ok_and(|read| read.fin), "nobody ended the stream");
        self.broken = read.is_err();
    }
}
