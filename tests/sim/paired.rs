//! Two nodes that were paired before the test began.

use handfast_core::store::{PairRecord, PairSecret, PairState, Role};
use handfast_core::{Identity, PairId, PublicKey};

/// The identity number `number`: always the same.
pub fn identity(number: u8) -> Identity {
    Identity::from_entropy([number; 32])
}

/// What the store of each of the two holds once they are paired: first that of `a`, who showed the code.
pub fn records(a: PublicKey, b: PublicKey) -> (PairRecord, PairRecord) {
    // Any id and secret will do, as long as both sides have the same.
    let bytes = *a.fingerprint().as_bytes();
    let record = |role, peer, own| {
        let (id, secret) = (PairId::from_bytes(bytes), PairSecret::from_bytes(bytes));
        PairRecord::new(id, role, peer, own, secret, PairState::Paired)
    };
    (record(Role::Host, b, a), record(Role::Joiner, a, b))
}
