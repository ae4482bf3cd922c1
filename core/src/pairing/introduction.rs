//! After both proved the code: who they are, and that nobody objects. The same on both sides.
//!
//! ```text
//! AwaitMeta ─Meta→ AwaitUserOk ───────────────────UserOk→ Introduced
//!    │                  ^                                     ^
//!    │             our user agrees                     our user agrees
//!    └─Meta, asked→ AskingBoth ─UserOk→ AskingOurs ───────────┘
//! ```

use super::keys::Agreed;
use crate::config::Consent;
use crate::id::{PairId, PublicKey};
use crate::metadata::Metadata;
use crate::store::{PairRecord, PairState, Role};

/// Waits for the first authenticated names.
pub(super) struct AwaitMeta {
    agreed: Agreed,
    consent: Consent,
}

impl AwaitMeta {
    pub(super) fn new(agreed: Agreed) -> Self {
        Self { agreed, consent: Consent::Given }
    }

    /// Whether this side's user is to be asked.
    pub(super) fn with_consent(self, consent: Consent) -> Self {
        Self { consent, ..self }
    }

    pub(super) fn pair_id(&self) -> PairId {
        self.agreed.pair_id
    }

    /// Who the peer is, and whether this side's user is to be asked about it.
    pub(super) fn on_meta(self, metadata: Metadata) -> (AwaitUserOk, Consent) {
        (AwaitUserOk { introduced: Introduced { agreed: self.agreed, metadata } }, self.consent)
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

    pub(super) fn metadata(&self) -> &Metadata {
        &self.introduced.metadata
    }

    /// This side's user is asked, by the question of that number.
    pub(super) fn asking(self, token: u64) -> AskingBoth {
        AskingBoth { token, introduced: self.introduced }
    }

    pub(super) fn on_user_ok(self) -> Introduced {
        self.introduced
    }
}

/// Waits for both sides' users.
pub(super) struct AskingBoth {
    pub(super) token: u64,
    introduced: Introduced,
}

impl AskingBoth {
    pub(super) fn pair_id(&self) -> PairId {
        self.introduced.pair_id()
    }

    /// The other side agrees.
    pub(super) fn on_user_ok(self) -> AskingOurs {
        AskingOurs { token: self.token, introduced: self.introduced }
    }

    /// This side's user agrees.
    pub(super) fn agree(self) -> AwaitUserOk {
        AwaitUserOk { introduced: self.introduced }
    }
}

/// Waits for this side's user: the other side agreed.
pub(super) struct AskingOurs {
    pub(super) token: u64,
    introduced: Introduced,
}

impl AskingOurs {
    pub(super) fn pair_id(&self) -> PairId {
        self.introduced.pair_id()
    }

    /// This side's user agrees.
    pub(super) fn agree(self) -> Introduced {
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
