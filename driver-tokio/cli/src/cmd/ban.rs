//! `handfast ban` and `handfast unban`: whom this device never talks to.

use super::fingerprint;
use crate::book::Book;
use crate::exit::{Failure, Kind};
use crate::output::{Event, Output};
use crate::peer;

pub(crate) async fn run(book: &Book, output: &Output, word: &str) -> Result<(), Failure> {
    let key = match word.parse() {
        Ok(key) => key,
        Err(_) => peer::find_paired(word, &book.paired()?)?.key.fingerprint(),
    };
    book.ban(key).await?;
    output.tell(&Event::Banned { fingerprint: key.to_string(), label: key.label() });
    Ok(())
}

pub(crate) async fn lift(book: &Book, output: &Output, word: &str) -> Result<(), Failure> {
    let key = fingerprint(word)?;
    if !book.unban(key).await? {
        return Err(
            Kind::NoSuchPeer.because(format_args!("{} is not banned; see `handfast peers`", key.label()))
        );
    }
    output.note(format_args!("{} is banned no longer: pair with it anew", key.label()));
    Ok(())
}
