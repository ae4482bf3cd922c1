//! The lines that a command tells: their names and fields in JSON, and their text for people.
//!
//! Never lets text of a peer into a line for people unfiltered.

use crate::transfer::name::is_invisible;
use indicatif::HumanBytes;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// The version of the JSON lines.
const VERSION: u8 = 1;

/// One line of output. The names and fields are stable: what changes them changes [`VERSION`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// This device can be reached.
    Listening { peer: String, label: String, name: String, addresses: Vec<String> },
    /// A device was found, or what is known of it changed.
    Found(Found),
    /// A device is no longer seen.
    Lost { peer: String, name: String, addresses: Vec<String>, source: Cow<'static, str>, paired: bool },
    /// What a discovery server says of where a paired device is.
    LookedUp(LookedUp),
    /// The code to type on the other device.
    Code { code: String, seconds: u64 },
    /// Two devices are paired; also one line of the list of them.
    Paired { peer: String, label: String, name: String },
    /// Who this device is.
    Identity { peer: String, label: String, fingerprint: String },
    /// This is a discovery server: clients pin the fingerprint.
    Serving {
        fingerprint: String,
        addresses: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        metrics: Option<String>,
    },
    /// A device is to be paired with as soon as it trusts this one; also one line of the list of them.
    Trusted { fingerprint: String, label: String },
    /// A device is never talked to; also one line of the list of them.
    Banned { fingerprint: String, label: String },
    /// Somebody was turned away.
    Refused {
        reason: Cow<'static, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        remote: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        attempts_left: Option<u8>,
        #[serde(skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
    },
    /// A paired device offers a file, of so many bytes unless it is a pipe.
    Offer {
        peer: String,
        from: String,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
    },
    /// So much of a file is through.
    Progress {
        name: String,
        bytes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    /// So much of a file was through already: it goes on from there.
    Resumed {
        name: String,
        bytes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        peer: String,
    },
    /// The connection over which files are sent was lost, and is sought again.
    Disconnected { peer: String, name: String },
    /// Something in a folder is not sent.
    Skipped { path: String, reason: Cow<'static, str> },
    /// A file is stored whole.
    Received { path: String, bytes: u64, peer: String },
    /// The other device stored a file whole.
    Sent { path: String, bytes: u64, peer: String },
    /// Something failed.
    Error { kind: Cow<'static, str>, message: String },
    /// The command ended.
    Done(Done),
}

/// A device as discovery sees it: hearsay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) peer: String,
    pub(crate) name: String,
    pub(crate) addresses: Vec<String>,
    pub(crate) source: Cow<'static, str>,
    /// The addresses again, each with where it came from.
    #[serde(default)]
    pub(crate) places: Vec<Place>,
    pub(crate) paired: bool,
    pub(crate) pairing: bool,
}

/// What came of asking one discovery server for one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LookedUp {
    pub(crate) peer: String,
    pub(crate) name: String,
    /// The server's host and port.
    pub(crate) server: String,
    /// Where the device says that it is; nowhere, where the server does not tell.
    pub(crate) addresses: Vec<String>,
    /// How long ago the device said so to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) age_s: Option<u64>,
    /// Why the server does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// An address, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) address: String,
    pub(crate) source: Cow<'static, str>,
}

/// The last line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) ok: bool,
    #[serde(flatten)]
    pub(crate) figures: Option<Figures>,
}

/// What `demo` measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) bytes: u64,
    pub(crate) mib_per_s: f64,
    pub(crate) discovered_ms: u64,
    pub(crate) paired_ms: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    #[serde(flatten)]
    event: &'a Event,
}

impl Event {
    /// For programs.
    pub(crate) fn to_json(&self) -> String {
        let line = serde_json::to_string(&Line { v: VERSION, event: self });
        line.expect("an event has no type that JSON lacks")
    }
}

/// Text of a peer, for a terminal: nothing in it moves the cursor or hides what is beside it.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_invisible(c) { '\u{fffd}' } else { c }).collect()
}

/// For people.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { label, name, addresses, .. } => {
                write!(f, "listening  {} ({label}) on {}", clean(name), addresses.join(", "))
            }
            Self::Found(Found { peer, name, places, paired, pairing, .. }) => {
                let paired = if *paired { ", paired" } else { "" };
                let pairing = if *pairing { ", shows a code" } else { "" };
                let (peer, name) = (short(peer), clean(name));
                write!(f, "found      {peer} {name}{paired}{pairing} at {}", sourced(places))
            }
            Self::LookedUp(LookedUp { peer, name, server, addresses, age_s, reason }) => {
                write!(f, "looked up  {} {}", short(peer), clean(name))?;
                match (age_s, reason) {
                    (_, Some(reason)) => write!(f, ": {}", clean(reason))?,
                    (age, None) if addresses.is_empty() => write!(f, " at no address{}", ago(*age))?,
                    (age, None) => write!(f, " at {}{}", addresses.join(", "), ago(*age))?,
                }
                write!(f, " ({})", clean(server))
            }
            Self::Lost { peer, name, .. } => write!(f, "lost       {} {}", short(peer), clean(name)),
            Self::Code { code, .. } => write!(f, "code       {code}"),
            Self::Paired { peer, label, name } => {
                write!(f, "paired     {} {} ({label})", short(peer), clean(name))
            }
            Self::Identity { peer, label, fingerprint } => {
                write!(f, "label        {label}\nid           {peer}\nfingerprint  {fingerprint}")
            }
            Self::Serving { fingerprint, addresses, metrics } => {
                write!(f, "serving    {fingerprint} on {}", addresses.join(", "))?;
                metrics.as_ref().map_or(Ok(()), |at| write!(f, "\nmetrics    http://{at}/metrics"))
            }
            Self::Trusted { fingerprint, label } => write!(f, "trusted    {fingerprint} ({label})"),
            Self::Banned { fingerprint, label } => write!(f, "banned     {fingerprint} ({label})"),
            Self::Refused { reason, remote, attempts_left, peer } => {
                write!(f, "refused    {reason}")?;
                if let Some(peer) = peer {
                    write!(f, ", {}", short(peer))?;
                }
                if let Some(remote) = remote {
                    write!(f, ", from {remote}")?;
                }
                attempts_left.map_or(Ok(()), |left| write!(f, ", attempts left: {left}"))
            }
            Self::Offer { from, name, bytes, .. } => {
                let bytes = bytes.map_or_else(|| "pipe".to_owned(), |bytes| HumanBytes(bytes).to_string());
                write!(f, "offer      {} ({bytes}) from {}", clean(name), clean(from))
            }
            Self::Progress { name, bytes, total } => {
                write!(f, "progress   {} {bytes}", clean(name))?;
                total.map_or(Ok(()), |total| write!(f, "/{total}"))
            }
            Self::Resumed { name, bytes, .. } => {
                write!(f, "resumed    {} at {}", clean(name), HumanBytes(*bytes))
            }
            Self::Disconnected { name, .. } => write!(f, "lost       the connection to {}", clean(name)),
            Self::Skipped { path, reason } => write!(f, "skipped    {} ({reason})", clean(path)),
            Self::Received { path, bytes, .. } => {
                write!(f, "received   {} ({})", clean(path), HumanBytes(*bytes))
            }
            Self::Sent { path, bytes, .. } => {
                write!(f, "sent       {} ({})", clean(path), HumanBytes(*bytes))
            }
            Self::Error { message, .. } => write!(f, "error: {}", clean(message)),
            Self::Done(Done { figures: Some(figures), .. }) => write!(
                f,
                "done       {} at {:.0} MiB/s, hash verified; found in {} ms, paired in {} ms",
                HumanBytes(figures.bytes),
                figures.mib_per_s,
                figures.discovered_ms,
                figures.paired_ms
            ),
            Self::Done(Done { figures: None, .. }) => Ok(()),
        }
    }
}

fn ago(age_s: Option<u64>) -> String {
    age_s.map_or_else(String::new, |age| format!(", {age} s ago"))
}

/// Each address once, with all that tell of it.
fn sourced(places: &[Place]) -> String {
    let mut all: Vec<(&str, Vec<&str>)> = Vec::new();
    for Place { address, source } in places {
        match all.iter_mut().find(|(known, _)| known == address) {
            Some((_, sources)) if sources.contains(&&**source) => {}
            Some((_, sources)) => sources.push(source),
            None => all.push((address, vec![source])),
        }
    }
    let all = all.iter().map(|(address, sources)| format!("{address} ({})", sources.join(", ")));
    all.collect::<Vec<_>>().join(", ")
}

/// The beginning of an id: enough to tell devices apart, and to type.
pub(crate) fn short(peer: &str) -> &str {
    peer.get(..8).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_its_version_and_its_event() {
        let done = Event::Done(Done { ok: true, figures: None });
        assert_eq!(done.to_json(), r#"{"v":1,"event":"done","ok":true}"#);
        let figures = Figures { bytes: 268_435_456, mib_per_s: 512.5, discovered_ms: 12, paired_ms: 34 };
        assert_eq!(
            Event::Done(Done { ok: true, figures: Some(figures) }).to_json(),
            r#"{"v":1,"event":"done","ok":true,"bytes":268435456,"mib_per_s":512.5,"discovered_ms":12,"paired_ms":34}"#
        );
        let refused =
            Event::Refused { reason: "not_paired".into(), remote: None, attempts_left: None, peer: None };
        assert_eq!(refused.to_json(), r#"{"v":1,"event":"refused","reason":"not_paired"}"#);
    }

    #[test]
    fn what_each_server_says_of_a_device_is_one_line() {
        let asked = LookedUp {
            peer: "7f3ac21e9d".to_owned(),
            name: "laptop".to_owned(),
            server: "192.0.2.1:5224".to_owned(),
            addresses: vec!["203.0.113.7:7000".to_owned()],
            age_s: Some(12),
            reason: None,
        };
        let failed = LookedUp {
            addresses: Vec::new(),
            age_s: None,
            reason: Some("the server did not answer".to_owned()),
            ..asked.clone()
        };
        let line = |asked| Event::LookedUp(asked).to_string();
        let found = "looked up  7f3ac21e laptop at 203.0.113.7:7000, 12 s ago (192.0.2.1:5224)";
        assert_eq!(line(asked), found);
        assert_eq!(line(failed), "looked up  7f3ac21e laptop: the server did not answer (192.0.2.1:5224)");
    }

    #[test]
    fn an_address_is_shown_once_with_all_that_tell_of_it() {
        let place = |address: &str, source| Place { address: address.to_owned(), source };
        let found = Found {
            peer: "7f3ac21e9d".to_owned(),
            name: "laptop".to_owned(),
            addresses: Vec::new(),
            source: "mdns".into(),
            places: vec![
                place("192.168.0.2:7", "mdns".into()),
                place("192.168.0.2:7", "mdns".into()),
                place("192.0.2.1:7", "global".into()),
                place("192.168.0.2:7", "remembered".into()),
            ],
            paired: true,
            pairing: false,
        };
        let line =
            "found      7f3ac21e laptop, paired at 192.168.0.2:7 (mdns, remembered), 192.0.2.1:7 (global)";
        assert_eq!(Event::Found(found).to_string(), line);
    }

    #[test]
    fn a_name_cannot_write_on_the_terminal() {
        let event = Event::Offer {
            peer: "p".to_owned(),
            from: "\u{1b}[2Jlaptop\r\n".to_owned(),
            name: "a\u{202e}b".to_owned(),
            bytes: Some(1),
        };
        let shown = event.to_string();
        assert!(shown.chars().all(|c| !is_invisible(c)), "{shown:?}");
        assert!(!event.to_json().contains('\u{1b}'));
    }
}
