//! One name, and the names that follow it when it is lost. RFC 6762 §9.

use crate::mdns::name::{Label, MAX_LABEL};
use std::time::Instant;

/// How a number is put behind a name. RFC 6762 §9, appendix D.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `name-2`.
    Host,
    /// `Name (2)`.
    Instance,
}

/// Whether the name is probed for before anything is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// From this time on, if not at once.
    Probe(Option<Instant>),
    /// Nobody else has it.
    Nothing,
}

/// The label that is claimed at present.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    base: Label,
    style: Style,
    /// 1 is the base itself.
    number: u32,
    need: Need,
    /// Whether the application was told that it has this name.
    told: bool,
}

impl Claim {
    /// A label that nobody else has.
    pub(super) fn known(base: &Label, style: Style) -> Self {
        Self { base: base.clone(), style, number: 1, need: Need::Nothing, told: false }
    }

    /// A label that somebody may have.
    pub(super) fn probed(base: &Label, style: Style) -> Self {
        Self { need: Need::Probe(None), ..Self::known(base, style) }
    }

    /// The label.
    pub(super) fn label(&self) -> Label {
        match (self.number, self.style) {
            (1, _) => self.base.clone(),
            (number, Style::Host) => numbered(&self.base, &format!("-{number}")),
            (number, Style::Instance) => numbered(&self.base, &format!(" ({number})")),
        }
    }

    pub(super) fn is_probed(&self) -> bool {
        self.need != Need::Nothing
    }

    /// When it may be probed for, if not at once.
    pub(super) fn earliest(&self) -> Option<Instant> {
        match self.need {
            Need::Probe(earliest) => earliest,
            Need::Nothing => None,
        }
    }

    /// Somebody else claims it: from here on it is probed for, whatever was known of it.
    pub(super) fn contest(&mut self, earliest: Option<Instant>) {
        self.need = Need::Probe(earliest);
    }

    /// Somebody else has it: the next one.
    pub(super) fn rename(&mut self, earliest: Option<Instant>) {
        if let (1, Style::Instance, Some((base, number))) = (self.number, self.style, split(&self.base)) {
            (self.base, self.number) = (base, number);
        }
        self.number = self.number.saturating_add(1);
        self.need = Need::Probe(earliest);
        self.told = false;
    }

    /// Whether to tell that it is had: once for each name.
    pub(super) fn tell(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }
}

/// Cut at the end of a character, never within one, so that the whole fits in a label.
fn numbered(base: &Label, suffix: &str) -> Label {
    let octets = base.as_octets();
    let mut end = octets.len().min(MAX_LABEL - suffix.len());
    let is_within = |end: usize| octets.get(end).is_some_and(|octet| octet & 0xc0 == 0x80);
    while end > 0 && is_within(end) {
        end -= 1;
    }
    let whole = [&octets[..end], suffix.as_bytes()].concat();
    Label::from_octets(&whole).expect("a suffix is short, and the base was cut to fit")
}

/// A name that ends in a number already, and the number. RFC 6762 §9.
fn split(label: &Label) -> Option<(Label, u32)> {
    let (base, number) = label.as_str()?.strip_suffix(')')?.rsplit_once(" (")?;
    let number = number.parse().ok().filter(|n: &u32| *n >= 2 && n.to_string() == number)?;
    Some((Label::new(base).ok()?, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(text: &str, style: Style, times: usize) -> String {
        let mut claim = Claim::probed(&Label::new(text).unwrap(), style);
        (0..times).for_each(|_| claim.rename(None));
        claim.label().as_str().unwrap().to_owned()
    }

    #[test]
    fn the_second_of_a_name_gets_a_two_and_the_next_one_more() {
        assert_eq!(renamed("Office", Style::Instance, 0), "Office");
        assert_eq!(renamed("Office", Style::Instance, 1), "Office (2)");
        assert_eq!(renamed("Office", Style::Instance, 11), "Office (12)");
        assert_eq!(renamed("office", Style::Host, 1), "office-2");
    }

    #[test]
    fn a_number_that_is_there_already_goes_up() {
        assert_eq!(renamed("Office (7)", Style::Instance, 1), "Office (8)");
        for odd in ["Office (1)", "Office (02)", "Office (+2)", " (2)", "Office(2)", "Office (4294967296)"] {
            assert_eq!(renamed(odd, Style::Instance, 1), format!("{odd} (2)"));
        }
    }

    #[test]
    fn a_long_name_is_cut_at_the_end_of_a_character_to_63_octets() {
        let long = "\u{2603}".repeat(21);
        let next = renamed(&long, Style::Instance, 1);
        assert_eq!(next, "\u{2603}".repeat(19) + " (2)");
        let next = renamed(&"x".repeat(63), Style::Instance, 1000);
        assert_eq!(next, "x".repeat(56) + " (1001)");
        assert_eq!(renamed(&"x".repeat(63), Style::Host, 1).len(), 63);
    }
}
