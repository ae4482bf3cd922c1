//! Every driver does the same: each test is one function over two runtimes, run on tokio, on smol, and on
//! tokio against smol.

mod bulk;
mod connect;
mod consent;
mod ends;
mod executor;
mod hooks;
mod lab;
mod marks;
mod pairing;
mod services;
mod sockets;
mod streams;
mod trouble;

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
    };
}
use on_every_runtime;
