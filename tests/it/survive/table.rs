//! Holds the table to the sources: every case is there once, and every test that it names exists.

use super::cases::{self, Case};
use crate::named::exists;

#[test]
fn every_case_is_listed_once_and_says_what_shows_it_or_what_it_waits_for() {
    let numbers: Vec<u8> = cases::all().iter().map(|case| case.number).collect();
    assert_eq!(numbers, (1..=69).collect::<Vec<u8>>());
    for Case { number, what, shown_by, waits_for } in cases::all() {
        assert!(what.len() > 20, "{number} says what the case is");
        assert!(!shown_by.is_empty() || waits_for.is_some(), "{number}: {what}");
        assert!(waits_for.is_none_or(|wait| wait.len() > 5), "{number} says what it waits for");
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let cases = cases::all();
    let named = cases.iter().flat_map(|case| case.shown_by.iter().map(|name| (case.number, *name)));
    let missing: Vec<_> = named.filter(|(_, name)| !exists(name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
