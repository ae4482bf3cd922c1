//! The engine against a naive model of a server: honest, slow, down, lying, cutting short, flooding.

mod announcing;
mod directory;
mod finding;
mod hostile;
mod page;
mod random;
mod trouble;
mod world;
