//! The engine against itself: two nodes, an in-order channel between them, virtual time.

mod again;
mod attack;
mod ban;
mod confirm;
mod faults;
mod flow;
mod lists;
mod model;
mod table;
mod trust;
mod world;
