//! The tests that need more than one crate, in one binary.

#![allow(missing_docs, reason = "tests have names, not documentation")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod driver;
mod examples;
mod fuzz;
mod named;
mod node;
mod rules;
mod survive;
mod tidy;
mod world;
