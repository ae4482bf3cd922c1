//! A script of what a host and a joiner hear and answer.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;
use std::time::Instant;

fuzz_target!(|script: &[u8]| fuzzing::pairing_session(Instant::now(), script));
