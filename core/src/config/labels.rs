//! Which stream labels a peer may open.

use super::matches_any;
use crate::error::LabelsError;
use std::sync::Arc;

/// Patterns that one value of [`Labels`] has at most.
pub(crate) const MAX_PATTERNS: usize = 64;

/// Bytes of a pattern: the longest label, and a star.
const MAX_PATTERN: usize = 256;

/// Which stream labels a peer may open.
///
/// A label is meant as it stands, case included; one that ends in `*` means all that begin with what is before
/// it: `file/*` means `file/` and `file/a.txt`, and `*` means every label. The empty label is the one of streams
/// without a label. A stream of any other label is refused with the code 0x11 before the application hears of
/// it. Clones share their patterns.
///
/// ```
/// use handfast_core::Labels;
///
/// let labels = Labels::only(["chat", "file/*"]);
/// assert!(labels.allows("chat") && labels.allows("file/a.txt"));
/// assert!(!labels.allows("chats") && !labels.allows(""));
/// assert!(Labels::any().allows("") && !Labels::none().allows(""));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Option<Arc<[String]>>);

impl Labels {
    /// Every label: the default.
    pub fn any() -> Self {
        Self(None)
    }

    /// No label at all: the peer opens no streams.
    pub fn none() -> Self {
        Self::only::<String>([])
    }

    /// These, and no other: at most 64, each at most 255 bytes and a star. What takes them checks that.
    pub fn only<P: Into<String>>(patterns: impl IntoIterator<Item = P>) -> Self {
        Self(Some(patterns.into_iter().map(Into::into).collect()))
    }

    /// Whether a stream of this label may be opened.
    pub fn allows(&self, label: &str) -> bool {
        self.0.as_ref().is_none_or(|only| matches_any(only, label))
    }

    /// Whether the patterns are within their limits.
    ///
    /// # Errors
    /// The first limit that is exceeded.
    pub fn check(&self) -> Result<(), LabelsError> {
        let patterns = self.0.as_deref().unwrap_or_default();
        if patterns.len() > MAX_PATTERNS {
            return Err(LabelsError::TooMany);
        }
        if patterns.iter().any(|pattern| pattern.len() > MAX_PATTERN) {
            return Err(LabelsError::TooLong);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_label_is_meant_as_it_stands_and_one_with_a_star_by_its_beginning() {
        let labels = Labels::only(["note", "file/*", ""]);
        assert!(
            labels.allows("note") && labels.allows("file/") && labels.allows("file/x") && labels.allows("")
        );
        assert!(!labels.allows("notes") && !labels.allows("Note") && !labels.allows("file"));
        assert!(Labels::only(["*"]).allows("anything") && Labels::only(["*"]).allows(""));
    }

    #[test]
    fn more_patterns_than_a_peer_may_cost_and_longer_ones_are_errors() {
        let many = |n: usize| Labels::only((0..n).map(|n| n.to_string())).check();
        assert_eq!((many(64), many(65)), (Ok(()), Err(LabelsError::TooMany)));
        let long = |n: usize| Labels::only(["x".repeat(n)]).check();
        assert_eq!((long(256), long(257)), (Ok(()), Err(LabelsError::TooLong)));
        assert_eq!((Labels::any().check(), Labels::none().check()), (Ok(()), Ok(())));
    }

    /// What the documentation says, letter by letter.
    fn means(pattern: &str, label: &str) -> bool {
        let (pattern, label): (Vec<char>, Vec<char>) = (pattern.chars().collect(), label.chars().collect());
        match pattern.split_last() {
            Some(('*', start)) => label.len() >= start.len() && label[..start.len()] == *start,
            Some(_) | None => pattern == label,
        }
    }

    proptest! {
        #[test]
        fn a_label_is_allowed_where_one_pattern_means_it(
            patterns in prop::collection::vec("[ab*é]{0,4}", 0..5),
            label in "[ab*é]{0,4}",
        ) {
            let allowed = patterns.iter().any(|pattern| means(pattern, &label));
            prop_assert_eq!(Labels::only(patterns).allows(&label), allowed);
            prop_assert!(Labels::any().allows(&label) && !Labels::none().allows(&label));
        }
    }
}
