//! What a server's own registry holds, as bytes that outlive the process: in pieces, so that a server that writes a
//! million records answers others meanwhile.

use super::Server;
use super::registry::Registry;
use super::slots::State;
use super::store::Store;
use crate::directory::{read_piece, write_piece};
use crate::error::SnapshotError;
use crate::io::Now;

/// Slots that one piece covers.
const SLOTS: usize = 4096;

impl Server {
    /// Adds a piece of the snapshot to `out`, of what is in the slots from `from` on, and says from where on the next
    /// piece is: begin with 0, and write until there is `None`. A piece takes about a millisecond.
    ///
    /// What changes in between is in it as it was before or after. Nothing where a store keeps the records.
    ///
    /// ```
    /// # fn save(server: &handfast_core::Server, now: handfast_core::Now) -> Vec<u8> {
    /// let mut file = Vec::new();
    /// let mut from = Some(0);
    /// while let Some(at) = from {
    ///     from = server.snapshot(now, at, &mut file);
    /// }
    /// # file
    /// # }
    /// ```
    pub fn snapshot(&self, now: Now, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        let Store::Embedded(registry) = &self.store else { return None };
        let now = Now { mono: now.mono.max(self.latest), wall: now.wall };
        let until = registry.slots.len().min(from + SLOTS);
        write(registry, now, from..until, out);
        (until < registry.slots.len()).then_some(until)
    }

    /// Takes back the first piece of `bytes`, and says how many bytes it had. What has expired meanwhile leaves its
    /// number alone, and nothing takes the place of something newer.
    ///
    /// # Errors
    /// [`SnapshotError::Malformed`] for anything but a whole piece: nothing of it is taken.
    pub fn restore(&mut self, now: Now, bytes: &[u8]) -> Result<usize, SnapshotError> {
        let now = self.clamp(now);
        let (entries, len) = read_piece(bytes)?;
        if let Store::Embedded(registry) = &mut self.store {
            for entry in &entries {
                registry.restore(now, entry);
            }
        }
        Ok(len)
    }
}

fn write(registry: &Registry, now: Now, slots: std::ops::Range<usize>, out: &mut Vec<u8>) {
    let used = slots.map(|n| n as u32).filter(|n| registry.slots[*n].state != State::Free);
    write_piece(used.map(|n| registry.entry(now, n)), out);
}
