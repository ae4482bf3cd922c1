//! The engine against itself: two nodes, an in-order channel between them, virtual time.

mod again;
mod attack;
mod ban;
mod confirm;
mod faults;
mod flow;
mod guesses;
mod lists;
mod model;
mod strangers;
mod table;
mod trust;
mod unsettled;
mod vectors;
mod world;
