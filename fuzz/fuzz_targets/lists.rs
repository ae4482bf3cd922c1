//! A script of records and lists between two pairing engines.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;
use std::time::Instant;

fuzz_target!(|script: &[u8]| fuzzing::lists(Instant::now(), script));
