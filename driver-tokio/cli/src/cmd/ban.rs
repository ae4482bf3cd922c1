//! `handfast ban` and `handfast unban`: whom this device never talks to. Touch no network.

use crate::exit::{Failure, Kind};
use crate::home::Home;
use crate::output::{Event, Output};
use crate::peer;
use handfast_core::Fingerprint;
use handfast_core::store::Mark;

pub(crate) fn run(home: &Home, output: &Output, word: &str) -> Result<(), Failure> {
    let key = match word.parse() {
        Ok(key) => key,
        Err(_) => peer::find_paired(word, &home.paired()?)?.peer.fingerprint(),
    };
    home.ban(key)?;
    output.tell(&Event::Banned { fingerprint: key.to_string(), label: key.label() });
    Ok(())
}

pub(crate) fn lift(home: &Home, output: &Output, key: Fingerprint) -> Result<(), Failure> {
    if !home.unmark(key, Mark::is_banned)? {
        return Err(
            Kind::NoSuchPeer.because(format_args!("{} is not banned; see `handfast peers`", key.label()))
        );
    }
    output.note(format_args!("{} is banned no longer: pair with it anew", key.label()));
    Ok(())
}
