//! `handfast id`: who this device is. Touches no network.

use crate::book::Book;
use crate::output::{Event, Output};
use handfast_core::PeerIdKind;

pub(crate) fn run(book: &Book, output: &Output) {
    let key = book.own_key();
    output.tell(&Event::Identity {
        peer: key.peer_id(PeerIdKind::Sha1).to_string(),
        label: key.fingerprint().label(),
        fingerprint: key.fingerprint().to_string(),
    });
}
