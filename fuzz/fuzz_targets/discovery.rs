//! A script of clients of a discovery server, and of its store.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;
use std::time::Instant;

fuzz_target!(|script: &[u8]| fuzzing::discovery(Instant::now(), script));
