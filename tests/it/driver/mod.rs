//! Every driver does the same: each test is one function over two runtimes, run on tokio, on smol, and on
//! each against the other.

mod broadcast;
mod bulk;
mod cancel;
mod cancel_pairing;
mod closing;
mod connect;
mod consent;
mod datagrams;
mod dials;
mod directory;
mod ends;
mod executor;
mod held;
mod hooks;
mod inside;
mod lab;
mod marks;
mod metrics;
mod pairing;
mod parity;
mod peer;
mod pressure;
mod reach;
mod request;
mod server;
mod services;
mod sockets;
mod streams;
mod trouble;
mod values;

/// Runs each function on every pair of runtimes.
macro_rules! on_every_runtime {
    ($($test:ident),* $(,)?) => {
        mod on_tokio {
            $(#[test] fn $test() { super::$test::<handfast_tokio::Runtime, handfast_tokio::Runtime>(); })*
        }
        mod on_smol {
            $(#[test] fn $test() { super::$test::<handfast_smol::Runtime, handfast_smol::Runtime>(); })*
        }
        mod tokio_against_smol {
            $(#[test] fn $test() { super::$test::<handfast_tokio::Runtime, handfast_smol::Runtime>(); })*
        }
        mod smol_against_tokio {
            $(
                #[test]
                fn $test() {
                    // smol runs the test: what starts on tokio needs a runtime around it.
                    let tokio = super::super::lab::tokio();
                    let within = tokio.enter();
                    super::$test::<handfast_smol::Runtime, handfast_tokio::Runtime>();
                    drop(within);
                    tokio.shutdown_background();
                }
            )*
        }
    };
}
use on_every_runtime;
