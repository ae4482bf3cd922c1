//! `handfast peers`: the paired devices, and those that are trusted or banned. Touches no network.

use crate::book::Book;
use crate::exit::Failure;
use crate::output::{Event, Output};

pub(crate) fn run(book: &Book, output: &Output) -> Result<(), Failure> {
    let paired = book.paired()?;
    for device in &paired {
        output.tell(&Event::Paired {
            peer: device.id().to_string(),
            label: device.key.fingerprint().label(),
            name: device.name.clone(),
        });
    }
    let decided = book.decided()?;
    for key in decided.trusted {
        output.tell(&Event::Trusted { fingerprint: key.to_string(), label: key.label() });
    }
    for key in decided.banned {
        output.tell(&Event::Banned { fingerprint: key.to_string(), label: key.label() });
    }
    if paired.is_empty() {
        output.note("not paired with any device");
    }
    Ok(())
}
