//! `handfast forget`: ends a pairing, or the trust in a device. Touches no network: the other device is told when it is
//! next met.

use crate::exit::Failure;
use crate::home::Home;
use crate::output::Output;
use crate::peer;
use handfast_core::Fingerprint;
use handfast_core::store::Mark;

pub(crate) fn run(home: &Home, output: &Output, word: &str) -> Result<(), Failure> {
    if let Ok(key) = word.parse::<Fingerprint>()
        && home.unmark(key, Mark::is_trusted)?
    {
        output.note(format_args!("{} is trusted no longer", key.label()));
        return Ok(());
    }
    let records = home.paired()?;
    let record = peer::find_paired(word, &records)?;
    home.forget(record)?;
    output.note(format_args!("forgot {}", peer::Candidate::from(record).describe()));
    Ok(())
}
