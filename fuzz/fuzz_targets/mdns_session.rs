//! A script of datagrams, links and hours between two mDNS engines.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;
use std::time::Instant;

fuzz_target!(|script: &[u8]| fuzzing::mdns_session(Instant::now(), script));
