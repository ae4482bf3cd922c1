//! A stream of frames, read as each protocol of frames would.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: &[u8]| fuzzing::frames(stream));
