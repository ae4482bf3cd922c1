//! Reads the two clocks. Called with the machine's lock held, so that its time never goes back.

use handfast_core::{Now, UnixTime};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// This moment.
pub(crate) fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // 64 bits of microseconds last for 584,000 years.
    Now { mono: Instant::now(), wall: UnixTime::from_micros(wall.as_micros() as u64) }
}
