//! Reads the table of cases.

/// What happens, by number, and what must hold; then which tests show it, and what it waits for.
const TABLE: &str = include_str!("cases.txt");

/// One case.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) number: u8,
    pub(super) what: &'static str,
    /// The tests that fail where it does not hold.
    pub(super) shown_by: Vec<&'static str>,
    /// What is still to be built before all of it can be shown.
    pub(super) waits_for: Option<&'static str>,
}

/// Every case, in the order of the table.
pub(super) fn all() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(below) = line.strip_prefix("    ") {
            let case = cases.last_mut().expect("a case comes before what is said of it");
            match below.strip_prefix("waits for: ") {
                Some(what) => assert!(case.waits_for.replace(what).is_none(), "{line}"),
                None => case.shown_by.push(below),
            }
        } else {
            let (number, what) = line.split_once(". ").expect("a number and a sentence");
            let number = number.parse().expect("a number");
            cases.push(Case { number, what, shown_by: Vec::new(), waits_for: None });
        }
    }
    cases
}
