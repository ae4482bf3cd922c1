//! A TXT record, and what it announces.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|rdata: &[u8]| fuzzing::txt(rdata));
