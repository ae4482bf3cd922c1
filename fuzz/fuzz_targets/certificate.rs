//! The certificate of a peer, read as TLS does.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| fuzzing::certificate(der));
