//! `handfast forget`: ends a pairing, or the trust in a device. Where no node runs it touches no network: the other
//! device is told when it is next met.

use crate::book::Book;
use crate::exit::Failure;
use crate::output::Output;
use crate::peer;
use handfast_core::Fingerprint;

pub(crate) async fn run(book: &Book, output: &Output, word: &str) -> Result<(), Failure> {
    if let Ok(key) = word.parse::<Fingerprint>()
        && book.distrust(key).await?
    {
        output.note(format_args!("{} is trusted no longer", key.label()));
        return Ok(());
    }
    let paired = book.paired()?;
    let device = peer::find_paired(word, &paired)?;
    book.forget(device)?;
    output.note(format_args!("forgot {}", peer::Candidate::from(device).describe()));
    Ok(())
}
