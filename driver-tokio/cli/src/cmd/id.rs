//! `handfast id`: who this device is. Touches no network.

use crate::exit::Failure;
use crate::home::Home;
use crate::output::{Event, Output};
use handfast_core::PeerIdKind;

pub(crate) fn run(home: &Home, output: &Output) -> Result<(), Failure> {
    let key = home.store.identity().public_key();
    output.tell(&Event::Identity {
        peer: key.peer_id(PeerIdKind::Sha1).to_string(),
        label: key.fingerprint().label(),
        fingerprint: key.fingerprint().to_string(),
    });
    Ok(())
}
