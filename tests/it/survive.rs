//! What must be survived: every case, with the tests that show it or with what it waits for.

mod application;
mod cases;
mod flow;
mod hosts;
mod insider;
mod lan;
mod links;
mod logs;
mod network;
mod paths;
mod quic;
mod servers;
mod silence;
mod support;
mod table;
