//! A script of every verb of two whole nodes.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;
use std::time::Instant;

fuzz_target!(|script: &[u8]| fuzzing::node_calls(Instant::now(), script));
