//! `handfast forget`: ends a pairing. Touches no network: the other device is told when it is next met.

use crate::exit::Failure;
use crate::home::Home;
use crate::output::Output;
use crate::peer;

pub(crate) fn run(home: &Home, output: &Output, word: &str) -> Result<(), Failure> {
    let records = home.paired()?;
    let record = peer::find_paired(word, &records)?;
    home.forget(record)?;
    output.note(format_args!("forgot {}", peer::Candidate::from(record).describe()));
    Ok(())
}
