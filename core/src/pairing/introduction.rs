//! After both proved the code: who they are, and that nobody objects. The same on both sides.
//!
//! ```text
//! AwaitMeta ─Meta→ AwaitUserOk ─UserOk→ Introduced
//! ```

use super::keys::Agreed;
use crate::id::{PairId, PublicKey};
use crate::metadata::Metadata;
use crate::store::{PairRecord, PairState, Role};

/// Waits for the first authenticated names.
pub(super) struct AwaitMeta {
    agreed: Agreed,
}

impl AwaitMeta {
    pub(super) fn new(agreed: Agreed) -> Self {
        Self { agreed }
    }

    pub(super) fn pair_id(&self) -> PairId {
        self.agreed.pair_id
    }

    pub(super) fn on_meta(self, metadata: Metadata) -> AwaitUserOk {
        AwaitUserOk { introduced: Introduced { agreed: self.agreed, metadata } }
    }
}

/// Waits for the other side's user.
pub(super) struct AwaitUserOk {
    introduced: Introduced,
}

impl AwaitUserOk {
    pub(super) fn pair_id(&self) -> PairId {
        self.introduced.pair_id()
    }

    pub(super) fn on_user_ok(self) -> Introduced {
        self.introduced
    }
}

/// All that a record needs.
pub(super) struct Introduced {
    agreed: Agreed,
    metadata: Metadata,
}

impl Introduced {
    pub(super) fn pair_id(&self) -> PairId {
        self.agreed.pair_id
    }

    /// The first record of this pairing, to be stored before the hook is asked.
    pub(super) fn into_record(
        self,
        role: Role,
        peer: PublicKey,
        own: PublicKey,
        replaces: Vec<PairId>,
    ) -> PairRecord {
        let Agreed { pair_id, secret } = self.agreed;
        let mut record = PairRecord::new(pair_id, role, peer, own, secret, PairState::Hook);
        record.metadata = self.metadata;
        record.replaces = replaces;
        record
    }
}
