//! What time it is, as far as servers and this device agree.
//!
//! Decides nothing by the wall clock but dates and numbers of records: whatever waits, waits by the other one.

use crate::io::UnixTime;

/// Clocks that differ by no more than this are taken to agree, in seconds.
pub(super) const TOLERANCE_S: u64 = 300;

/// A clock that says an earlier time was never set: 2025-01-01. In seconds since 1970.
const SANE_FROM_S: u64 = 1_735_689_600;

/// How a server's clock looks from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// They agree.
    Near,
    /// The server's is ahead by so many seconds, or behind where negative; this device follows it.
    Followed(i64),
    /// The server's is ahead of one that looks right, by so many seconds: numbers that follow it could not be taken back.
    Refused(i64),
}

pub(super) fn judge(own: UnixTime, server_s: u64) -> Judged {
    let own_s = own.as_secs();
    let ahead = i128::from(server_s) - i128::from(own_s);
    let ahead = ahead.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    if ahead.unsigned_abs() <= TOLERANCE_S {
        Judged::Near
    } else if ahead > 0 && own_s >= SANE_FROM_S {
        Judged::Refused(ahead)
    } else {
        Judged::Followed(ahead)
    }
}

/// The time by a clock that is ahead of this device's by so many seconds.
pub(super) fn shifted(own: UnixTime, ahead_s: i64) -> UnixTime {
    let micros = ahead_s.saturating_mul(1_000_000);
    UnixTime::from_micros(own.as_micros().saturating_add_signed(micros))
}

/// Whether what was dated by the one is wrong by the other.
pub(super) fn differ(a: i64, b: i64) -> bool {
    a.abs_diff(b) > TOLERANCE_S
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_800_000_000;

    fn judged(own_s: u64, server_s: u64) -> Judged {
        judge(UnixTime::from_micros(own_s * 1_000_000), server_s)
    }

    #[test]
    fn a_server_more_than_300_s_ahead_of_a_sane_clock_is_refused() {
        assert_eq!(judged(NOW_S, NOW_S + 300), Judged::Near);
        assert_eq!(judged(NOW_S, NOW_S + 301), Judged::Refused(301));
        assert_eq!(judged(NOW_S, u64::MAX), Judged::Refused(i64::MAX));
    }

    #[test]
    fn a_clock_that_was_never_set_follows_the_server_and_so_does_one_that_is_ahead() {
        assert_eq!(judged(0, NOW_S), Judged::Followed(NOW_S as i64));
        assert_eq!(judged(NOW_S, NOW_S - 300), Judged::Near);
        assert_eq!(judged(NOW_S, NOW_S - 301), Judged::Followed(-301));
        assert_eq!(shifted(UnixTime::from_micros(5), 2), UnixTime::from_micros(2_000_005));
        assert_eq!(shifted(UnixTime::from_micros(5), i64::MIN), UnixTime::from_micros(0));
    }
}
