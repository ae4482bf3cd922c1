//! A stored key, imported.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|pkcs8: &[u8]| fuzzing::identity(pkcs8));
