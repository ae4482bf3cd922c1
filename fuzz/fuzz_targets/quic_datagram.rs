//! A script of datagrams to a listener, between those of an honest client.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;
use std::time::Instant;

fuzz_target!(|script: &[u8]| fuzzing::quic_datagram(Instant::now(), script));
