//! A script of somebody who holds a key and breaks every rule above TLS.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;
use std::time::Instant;

fuzz_target!(|script: &[u8]| fuzzing::peer(Instant::now(), script));
