//! How many bytes all streams of a node hold that no reader has taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that the streams of a node hold. Clones are the same room.
#[derive(Clone)]
pub(crate) struct Room(Arc<Inner>);

struct Inner {
    held: AtomicUsize,
    bound: usize,
}

impl Room {
    pub(crate) fn new(bound: u64) -> Self {
        let bound = usize::try_from(bound).unwrap_or(usize::MAX);
        Self(Arc::new(Inner { held: AtomicUsize::new(0), bound }))
    }

    /// How much a stream may take that nobody is known to read.
    pub(crate) fn left(&self) -> usize {
        self.0.bound.saturating_sub(self.held())
    }

    /// Bytes that streams hold.
    pub(crate) fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self, bytes: usize) {
        self.0.held.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.0.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_node_takes_nothing_more_until_something_is_read() {
        let room = Room::new(100_000);
        assert_eq!(room.left(), 100_000);
        room.take(100_001);
        assert_eq!((room.left(), room.held()), (0, 100_001));
        room.clone().give_back(1_001);
        assert_eq!(room.left(), 1_000);
    }
}
