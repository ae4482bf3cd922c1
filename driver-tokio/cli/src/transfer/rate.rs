//! A cap on the bytes that go through in a second.

use super::BLOCK;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// What was not used within this time is lost: there is no catching up.
const BURST: Duration = Duration::from_millis(100);

/// A cap that several transfers share.
#[derive(Debug)]
pub(crate) struct Rate {
    bytes_a_second: u64,
    /// When the bytes that were let through so far are through.
    until: Mutex<Instant>,
}

impl Rate {
    /// So many bytes a second, at least one.
    pub(crate) fn new(bytes_a_second: u64) -> Self {
        Self { bytes_a_second: bytes_a_second.max(1), until: Mutex::new(Instant::now()) }
    }

    /// The most bytes to take at a time, so that they go evenly.
    pub(crate) fn block(&self) -> usize {
        usize::try_from(self.bytes_a_second / 8).unwrap_or(BLOCK).clamp(1024, BLOCK)
    }

    /// Waits until so many bytes may go. Dropped, they count as gone.
    pub(crate) async fn take(&self, bytes: usize) {
        let at = self.book(Instant::now(), bytes);
        sleep_until(at).await;
    }

    fn book(&self, now: Instant, bytes: usize) -> Instant {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = (*until).max(now.checked_sub(BURST).unwrap_or(now));
        *until = begin + Duration::from_secs_f64(bytes as f64 / self.bytes_a_second as f64);
        begin
    }
}

/// A number of bytes as people write it: `500k`, `5M`, `2Gi`.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().map_err(|_| "not a number of bytes, such as 500k or 5M".to_owned())?;
    let unit = match text[digits.len()..].trim_end_matches('B') {
        "" => 1,
        "k" | "K" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        other => return Err(format!("`{other}` is no unit: use k, M, G, Ki, Mi or Gi")),
    };
    let bytes = number * f64::from(unit);
    if !(1000.0..1e15).contains(&bytes) {
        return Err("less than 1k, or more than there is".to_owned());
    }
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_go_through_at_the_rate_and_no_faster_after_a_pause() {
        let rate = Rate::new(1_000_000);
        let start = Instant::now();
        let mut at = start;
        for _ in 0..100 {
            at = rate.book(at, 50_000);
        }
        let took = at - start;
        assert!(took > Duration::from_millis(4800) && took < Duration::from_millis(5000), "{took:?}");
        let later = at + Duration::from_secs(60);
        let mut resumed = later;
        for _ in 0..20 {
            resumed = rate.book(resumed, 50_000).max(later);
        }
        assert!(resumed - later > Duration::from_millis(800), "{:?}", resumed - later);
    }

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, bytes) in [("500k", 500_000), ("5M", 5_000_000), ("1.5Mi", 1_572_864), ("2000", 2000)] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        assert_eq!(parse("2GB"), Ok(2_000_000_000));
        for text in ["", "M", "-5M", "5X", "nan", "inf", "999", "1e30", "5 M M"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
