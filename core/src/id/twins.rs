//! Keys that share a name, as if somebody had found a collision of SHA-1. For tests alone.

use super::PublicKey;
use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local! {
    static NAMES: RefCell<BTreeMap<PublicKey, [u8; 20]>> = const { RefCell::new(BTreeMap::new()) };
}

impl PublicKey {
    /// The same key, which has on this thread from now on the name of another.
    pub(crate) fn with_name_of(self, other: &Self) -> Self {
        let name = other.sha1();
        NAMES.with_borrow_mut(|names| names.insert(self, name));
        self
    }

    /// The name that it was given, if it was.
    pub(super) fn given_name(&self) -> Option<[u8; 20]> {
        NAMES.with_borrow(|names| names.get(self).copied())
    }
}
