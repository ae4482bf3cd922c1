//! One datagram to an mDNS engine that publishes, browses and resolves.
#![no_main]

use handfast_core::fuzzing;
use libfuzzer_sys::fuzz_target;
use std::time::Instant;

fuzz_target!(|datagram: &[u8]| fuzzing::mdns_datagram(Instant::now(), datagram));
