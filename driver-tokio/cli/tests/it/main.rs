//! Drives the built binary: in network namespaces of its own, through pipes and through a pseudo-terminal.
//!
//! Linux alone has what it takes. Elsewhere, and where namespaces are not allowed or a tool is missing, a test
//! that needs them says so loudly and passes, unless `HANDFAST_ALL_TESTS=1`. `.ci/run` installs the tools.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod alone;
mod beyond;
mod cable;
mod device;
mod folder;
mod interop;
mod keys;
mod kill;
mod killed_pairing;
mod lab;
mod pairing;
mod pipe;
mod quickstart;
mod redis;
mod resume;
mod serve;
mod sharing;
mod terminal;
mod transfer;
