//! `handfast peers`: the paired devices, and those that are trusted or banned. Touches no network.

use crate::exit::Failure;
use crate::home::Home;
use crate::output::{Event, Output};
use handfast_core::PeerIdKind;

pub(crate) fn run(home: &Home, output: &Output) -> Result<(), Failure> {
    let records = home.paired()?;
    for record in &records {
        output.tell(&Event::Paired {
            peer: record.peer.peer_id(PeerIdKind::Sha1).to_string(),
            label: record.peer.fingerprint().label(),
            name: record.metadata.name.clone(),
        });
    }
    for mark in home.stored()?.marks {
        let (fingerprint, label) = (mark.fingerprint.to_string(), mark.fingerprint.label());
        output.tell(&match mark.is_banned() {
            true => Event::Banned { fingerprint, label },
            false => Event::Trusted { fingerprint, label },
        });
    }
    if records.is_empty() {
        output.note("not paired with any device");
    }
    Ok(())
}
