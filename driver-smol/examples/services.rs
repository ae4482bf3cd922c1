//! Publishes and finds services of any kind, as lines on standard input say; tells what happens as lines of JSON.
//!
//! ```text
//! services [--interface NAME]...
//! ```
//!
//! Uses the loopback interface alone, so that nothing leaves the machine, unless `--interface` names others.
//!
//! # What it reads
//!
//! Words are parted by spaces; `"` holds words together, and a `\` before a character takes it as it is.
//!
//! | line | does |
//! |---|---|
//! | `publish KIND NAME PORT [KEY=VALUE \| KEY]...` | publishes a service; `KIND` is such as `_ipp._tcp`, or `_ipp._tcp,_universal,_print` with subtypes |
//! | `txt KIND NAME [KEY=VALUE \| KEY]...` | replaces its TXT record |
//! | `port KIND NAME PORT` | changes its port |
//! | `withdraw KIND NAME` | says goodbye for it |
//! | `browse KIND` | looks for services of a kind, or of a subtype such as `_printer._sub._ipp._tcp` |
//! | `stop KIND` | ends that |
//! | `reconfirm KIND NAME INTERFACE` | doubts that a service which was found is there |
//! | `quit`, or the end of the input | says goodbye for all, and ends |
//!
//! ```text
//! publish _http._tcp "Ben's page" 8080 path=/ secure
//! browse _ipp._tcp
//! ```
//!
//! # What it writes
//!
//! One object a line; `event` says which:
//!
//! | `event` | fields |
//! |---|---|
//! | `ready` | `host`: the name of this node's host |
//! | `published` | `kind`, `name`: it is announced under this name |
//! | `renamed` | `kind`, `was`, `name`: `was` is as it was given; the name is somebody else's, and it goes on under this one |
//! | `unnamed` | `kind`, `was`: no name could be had |
//! | `withdrawn` | `kind`, `name` |
//! | `found`, `updated` | `kind`, `name`, `host`, `port`, `addresses` without their port, `txt`, `interface` (its index) |
//! | `lost` | `kind`, `name`, `interface` |
//! | `error` | `message`: why a line was not done |
//!
//! In `txt` a value is a string, bytes as numbers where it is no text, or `null` where there is a key alone.

#![expect(clippy::print_stdout, reason = "an example talks to people, and to programs")]

use futures_lite::Stream;
use handfast_smol::{
    Browser, Config, Event, Events, Interfaces, Node, Publication, PublicationId, Service, ServiceEvent,
    ServiceInstance, ServiceKey, ServiceName, ServiceType, TxtRecord, TxtValue, new_identity,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(run(async || smol::unblock(line).await))
}

/// A line that was typed, or nothing at the end. Blocks.
fn line() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).ok()?;
    (read > 0).then_some(line)
}

/// What is published and looked for.
struct Desk {
    node: Node,
    /// By what was asked for.
    published: BTreeMap<(ServiceType, String), Publication>,
    browsers: BTreeMap<ServiceType, Browser>,
}

/// What comes next.
enum Next {
    Typed(Option<String>),
    Told(Event),
    Seen(ServiceEvent),
    Stopped,
}

async fn run(typed: impl AsyncFn() -> Option<String>) -> Result<(), Box<dyn Error>> {
    let config = Config::new(ServiceName::new("handfast-dnssd")?).with_interfaces(interfaces()?);
    let node = Node::builder(config, new_identity()?).start().await?;
    say(json!({ "event": "ready", "host": format!("{}.local", node.id()) }));
    let mut events = node.events();
    let mut desk = Desk { node, published: BTreeMap::new(), browsers: BTreeMap::new() };
    let mut line = Box::pin(typed());
    loop {
        let next = poll_fn(|cx| {
            if let Poll::Ready(typed) = line.as_mut().poll(cx) {
                return Poll::Ready(Next::Typed(typed));
            }
            poll_told(&mut events, &mut desk.browsers, cx)
        });
        match next.await {
            Next::Typed(Some(text)) if text.trim() != "quit" => {
                line = Box::pin(typed());
                if let Err(error) = desk.obey(&text) {
                    say(json!({ "event": "error", "message": error.to_string() }));
                }
            }
            Next::Told(event) => desk.tell(event),
            Next::Seen(event) => say(seen(&event)),
            Next::Typed(_) | Next::Stopped => break,
        }
    }
    desk.node.shutdown().await;
    Ok(())
}

fn poll_told(
    events: &mut Events,
    browsers: &mut BTreeMap<ServiceType, Browser>,
    cx: &mut Context<'_>,
) -> Poll<Next> {
    if let Poll::Ready(event) = Pin::new(events).poll_next(cx) {
        return Poll::Ready(event.map_or(Next::Stopped, Next::Told));
    }
    for browser in browsers.values_mut() {
        if let Poll::Ready(Some(event)) = Pin::new(browser).poll_next(cx) {
            return Poll::Ready(Next::Seen(event));
        }
    }
    Poll::Pending
}

fn interfaces() -> Result<Interfaces, Box<dyn Error>> {
    let mut names = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word != "--interface" {
            return Err(format!("unknown option {word}").into());
        }
        names.push(words.next().ok_or("--interface wants a name")?);
    }
    if names.is_empty() {
        names.push("lo".into());
    }
    Ok(Interfaces::only(names))
}

impl Desk {
    fn obey(&mut self, text: &str) -> Result<(), Box<dyn Error>> {
        let words = words(text);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            [] => {}
            ["publish", kinds, name, port, ref pairs @ ..] => {
                let mut subtypes = kinds.split(',');
                let kind = subtypes.next().unwrap_or_default().parse()?;
                let mut service = Service::new(kind, name, port.parse()?)?.with_txt(txt(pairs)?)?;
                for subtype in subtypes {
                    service = service.with_subtype(subtype)?;
                }
                let key = (service.kind().clone(), name.to_owned());
                self.published.insert(key, self.node.publish(service)?);
            }
            ["txt", kind, name, ref pairs @ ..] => self.publication(kind, name)?.set_txt(txt(pairs)?)?,
            ["port", kind, name, port] => self.publication(kind, name)?.set_port(port.parse()?)?,
            ["withdraw", kind, name] => {
                self.publication(kind, name)?;
                self.published.remove(&(kind.parse()?, name.to_owned()));
                say(json!({ "event": "withdrawn", "kind": kind, "name": name }));
            }
            ["browse", kind] => {
                let kind: ServiceType = kind.parse()?;
                self.browsers.insert(kind.clone(), self.node.browse(kind)?);
            }
            ["stop", kind] => {
                self.browsers.remove(&kind.parse()?).ok_or("nobody looks for that")?;
            }
            ["reconfirm", kind, name, interface] => {
                let kind: ServiceType = kind.parse()?;
                let key = ServiceKey { kind, name: name.to_owned(), interface: interface.parse()? };
                self.browsers.get(&key.kind).ok_or("nobody looks for that")?.reconfirm(&key);
            }
            _ => return Err("no such line: see the head of the example".into()),
        }
        Ok(())
    }

    fn publication(&self, kind: &str, name: &str) -> Result<&Publication, Box<dyn Error>> {
        let kind: ServiceType = kind.parse()?;
        Ok(self.published.get(&(kind, name.to_owned())).ok_or("no such service is published")?)
    }

    /// What became of what is published. Of what is found the browsers tell.
    fn tell(&self, event: Event) {
        let whose = |id: PublicationId| self.published.iter().find(|(_, published)| published.id() == id);
        match event {
            Event::ServicePublished(id, name) => {
                if let Some(((kind, _), _)) = whose(id) {
                    say(json!({ "event": "published", "kind": kind.to_string(), "name": name }));
                }
            }
            Event::ServiceRenamed(id, name) => {
                if let Some(((kind, was), _)) = whose(id) {
                    say(json!({ "event": "renamed", "kind": kind.to_string(), "was": was, "name": name }));
                }
            }
            Event::ServiceUnnamed(id) => {
                if let Some(((kind, was), _)) = whose(id) {
                    say(json!({ "event": "unnamed", "kind": kind.to_string(), "was": was }));
                }
            }
            _ => {}
        }
    }
}

/// The words of a line.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut rest = line.trim_end_matches(['\r', '\n']).chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' => word.get_or_insert_default().extend(rest.next()),
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

fn txt(pairs: &[&str]) -> Result<TxtRecord, Box<dyn Error>> {
    let add = |txt: TxtRecord, pair: &&str| match pair.split_once('=') {
        Some((key, value)) => txt.with(key, value),
        None => txt.with_flag(pair),
    };
    Ok(pairs.iter().try_fold(TxtRecord::new(), add)?)
}

fn seen(event: &ServiceEvent) -> Value {
    match event {
        ServiceEvent::Found(instance) => there("found", instance),
        ServiceEvent::Updated(instance) => there("updated", instance),
        ServiceEvent::Lost(key) => json!({
            "event": "lost",
            "kind": key.kind.to_string(),
            "name": key.name,
            "interface": key.interface,
        }),
    }
}

fn there(event: &str, instance: &ServiceInstance) -> Value {
    let txt: Map<String, Value> =
        instance.txt.iter().map(|(key, value)| (key.to_owned(), json(value))).collect();
    let addresses: Vec<String> = instance.addresses.iter().map(|address| address.ip().to_string()).collect();
    json!({
        "event": event,
        "kind": instance.kind.to_string(),
        "name": instance.name,
        "host": instance.host,
        "port": instance.port,
        "addresses": addresses,
        "txt": txt,
        "interface": instance.interface,
    })
}

fn json(value: TxtValue<'_>) -> Value {
    match value {
        TxtValue::Present => Value::Null,
        TxtValue::Bytes(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| json!(bytes), |text| json!(text))
        }
    }
}

fn say(what: Value) {
    println!("{what}");
}
