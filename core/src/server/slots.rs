//! Where a registry keeps its entries: numbered slots, in pages, so that growing moves nothing.
//!
//! Knows no key: see [`Index`](super::index::Index).

use crate::directory::address;
use std::net::SocketAddr;
use std::ops::{Index, IndexMut};

/// No slot.
pub(super) const NONE: u32 = u32::MAX;

/// Slots of a page.
const PAGE: usize = 1024;

/// What is in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Free,
    /// Somebody's announcement.
    Live,
    /// There was one: its number is remembered.
    Grave,
}

/// One slot. There are millions: 96 bytes, and one allocation for what is announced.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) owner: [u8; 32],
    pub(super) sha1: [u8; 20],
    pub(super) state: State,
    record_len: u16,
    /// The record, then the addresses beside it.
    bytes: Box<[u8]>,
    pub(super) seq: u64,
    /// When it goes, in seconds of the registry's clock.
    pub(super) expires_s: u32,
    /// When it was announced, likewise.
    pub(super) announced_s: u32,
    /// Its neighbours in a list of the wheel; of a free slot the next free one.
    pub(super) next: u32,
    pub(super) prev: u32,
}

impl Slot {
    pub(super) fn record(&self) -> &[u8] {
        &self.bytes[..usize::from(self.record_len)]
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let mut rest = &self.bytes[usize::from(self.record_len)..];
        let mut out = Vec::new();
        while let Some((address, after)) = address::read(rest) {
            out.push(address);
            rest = after;
        }
        out
    }

    /// Keeps what was announced.
    ///
    /// # Panics
    /// For a record of over 64 KiB.
    pub(super) fn fill(&mut self, record: &[u8], addresses: &[SocketAddr]) {
        let len: usize = addresses.iter().map(address::len).sum();
        let mut bytes = Vec::with_capacity(record.len() + len);
        bytes.extend_from_slice(record);
        for address in addresses {
            address::write(address, &mut bytes);
        }
        self.record_len = record.len().try_into().expect("a record has at most 4 KiB");
        self.bytes = bytes.into();
    }

    /// Keeps it no longer.
    pub(super) fn empty(&mut self) {
        (self.record_len, self.bytes) = (0, Box::default());
    }
}

/// All slots.
pub(super) struct Slots {
    pages: Vec<Box<[Slot]>>,
    /// The first free one.
    free: u32,
    used: usize,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { pages: Vec::new(), free: NONE, used: 0 }
    }

    /// How many are not free.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.pages.len() * PAGE
    }

    /// Takes a free slot.
    pub(super) fn take(&mut self) -> u32 {
        if self.free == NONE {
            self.add_page();
        }
        let n = self.free;
        self.free = self[n].next;
        self.used += 1;
        n
    }

    /// Gives one back.
    pub(super) fn give(&mut self, n: u32) {
        let free = self.free;
        self[n] = Slot { next: free, ..Slot::default() };
        self.free = n;
        self.used -= 1;
    }

    fn add_page(&mut self) {
        let first = self.len() as u32;
        assert!(first < NONE - PAGE as u32, "a registry has more slots than it has numbers");
        let last = first + PAGE as u32 - 1;
        let slot = |n| Slot { next: if n == last { NONE } else { n + 1 }, ..Slot::default() };
        self.pages.push((first..=last).map(slot).collect());
        self.free = first;
    }
}

impl Index<u32> for Slots {
    type Output = Slot;

    fn index(&self, n: u32) -> &Slot {
        &self.pages[n as usize / PAGE][n as usize % PAGE]
    }
}

impl IndexMut<u32> for Slots {
    fn index_mut(&mut self, n: u32) -> &mut Slot {
        &mut self.pages[n as usize / PAGE][n as usize % PAGE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_96_bytes_and_gives_back_what_was_put_into_it() {
        assert_eq!(size_of::<Slot>(), 96);
        let addresses = ["192.0.2.1:7".parse().unwrap(), "[2001:db8::1]:65535".parse().unwrap()];
        let mut slot = Slot::default();
        slot.fill(b"record", &addresses);
        assert_eq!((slot.record(), slot.addresses()), (&b"record"[..], addresses.to_vec()));
        slot.empty();
        assert_eq!((slot.record(), slot.addresses()), (&b""[..], vec![]));
    }

    #[test]
    fn a_slot_that_was_given_back_is_taken_again_before_there_are_more() {
        let mut slots = Slots::new();
        let all: Vec<u32> = (0..1500).map(|_| slots.take()).collect();
        assert_eq!((slots.used(), slots.len()), (1500, 2048));
        for n in &all {
            slots.give(*n);
        }
        let again: Vec<u32> = (0..2048).map(|_| slots.take()).collect();
        let distinct: std::collections::BTreeSet<u32> = again.into_iter().collect();
        assert_eq!((distinct.len(), slots.used(), slots.len()), (2048, 2048, 2048));
    }
}
