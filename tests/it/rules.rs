//! Holds the page with the rules of mDNS to the sources: every rule is there once, and every test that it names exists.

use crate::named::exists;

/// A page of the core's documentation.
const PAGE: &str = include_str!("../../core/src/mdns_rules.md");

/// A rule.
struct Row {
    number: u8,
    section: &'static str,
    rule: &'static str,
    shown_by: Vec<&'static str>,
}

fn rows() -> Vec<Row> {
    let rows = PAGE.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, number, section, rule, names, _] = cells[..] else { return None };
        let shown_by = names.split_whitespace().map(|name| name.trim_matches('`')).collect();
        Some(Row { number: number.parse().ok()?, section, rule, shown_by })
    });
    rows.collect()
}

#[test]
fn every_rule_of_mdns_is_listed_once_with_its_section_and_what_shows_it() {
    let rows = rows();
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), (1..=64).collect::<Vec<u8>>());
    for Row { number, section, rule, shown_by } in rows {
        assert!(section.starts_with('§') || section.starts_with("app."), "{number}: {section}");
        assert!(rule.len() > 20 && rule.ends_with('.'), "{number} says what the rule is");
        assert!(!shown_by.is_empty(), "{number}: {rule}");
    }
}

#[test]
fn every_test_that_the_page_names_exists() {
    let path = |name: &str| match name.starts_with("driver::") {
        true => name.to_owned(),
        false => format!("core::{name}"),
    };
    let rows = rows();
    let named = rows.iter().flat_map(|row| row.shown_by.iter().map(|name| (row.number, path(name))));
    let missing: Vec<_> = named.filter(|(_, name)| !exists(name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
