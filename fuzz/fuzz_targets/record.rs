//! A stored record, read and written.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| fuzzing::record(octets));
