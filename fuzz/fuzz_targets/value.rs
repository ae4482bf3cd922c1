//! Values of an application, cut from a stream and read.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: &[u8]| fuzzing::value(stream));
