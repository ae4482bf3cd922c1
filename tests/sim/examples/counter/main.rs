//! A shared counter on three simulated hosts: `cargo run -p handfast-tests --example counter [SEED]`.

mod counter;

use handfast_tests::fault::Fault;
use std::io::{self, Write};

fn main() -> io::Result<()> {
    let seed = std::env::args().nth(1).and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let (world, hosts) = counter::play(seed);
    let mut out = io::stdout().lock();
    for host in hosts {
        writeln!(out, "{} counts {} in all", world[host].name, world[host].app.sum())?;
    }
    let (tally, after) = (world.tally(), world.elapsed());
    let (lost, crashed) = (tally.of(Fault::Lost), tally.of(Fault::Crashed));
    writeln!(out, "seed {seed}: all agree after {after:.1?}, {lost} lost datagrams and {crashed} crash")
}
