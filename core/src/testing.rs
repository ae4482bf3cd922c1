//! What the core's own tests share.

use std::time::Instant;

/// Some moment to count from: what it is does not matter.
#[expect(clippy::disallowed_methods, reason = "tests need one moment to count from")]
pub(crate) fn base() -> Instant {
    Instant::now()
}
