//! The engine against itself: two nodes, an in-order channel between them, virtual time.

mod again;
mod attack;
mod faults;
mod flow;
mod lists;
mod model;
mod table;
mod unsettled;
mod vectors;
mod world;
