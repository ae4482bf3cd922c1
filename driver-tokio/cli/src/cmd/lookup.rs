//! `handfast peers --lookup`: what each discovery server says of where each paired device is.

use crate::exit::{Failure, Kind};
use crate::hub::Session;
use crate::output::{Event as Line, LookedUp, Output};
use crate::peer::Paired;
use handfast_core::{Event, Fingerprint, LookUpOutcome, PeerId};
use handfast_tokio::Events;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A server that has not answered by then is not waited for.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);

/// Who could not be asked about for having asked too much is tried again after this time.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

pub(crate) async fn run(session: &mut Session, output: &Output) -> Result<(), Failure> {
    session.receive_nothing();
    let servers: Vec<Fingerprint> = session.node().servers().iter().map(|status| status.server).collect();
    if servers.is_empty() {
        return Err(Kind::Usage.because("there is no discovery server to ask: see --server"));
    }
    let paired = session.hub.paired();
    if paired.is_empty() {
        output.note("not paired with any device");
    }
    let mut lookup = Lookup { events: session.events(), output, session, open: BTreeMap::new() };
    let _waiting = output.waiting("asking the discovery servers");
    for device in &paired {
        lookup.ask(device, &servers).await?;
    }
    let until = Instant::now() + ANSWERED_WITHIN;
    while !lookup.open.is_empty() && lookup.hear(until).await? {}
    lookup.give_up();
    Ok(())
}

/// What was asked, and of whom no answer has come.
struct Lookup<'a> {
    session: &'a Session,
    output: &'a Output,
    events: Events,
    open: BTreeMap<(PeerId, Fingerprint), &'a Paired>,
}

impl<'a> Lookup<'a> {
    /// Asks about a device, once that is allowed.
    async fn ask(&mut self, device: &'a Paired, servers: &[Fingerprint]) -> Result<(), Failure> {
        let until = Instant::now() + ANSWERED_WITHIN;
        self.open.extend(servers.iter().map(|server| ((device.id(), *server), device)));
        while !self.session.node().look_up(device.id()) {
            let again = Instant::now() + AGAIN_AFTER;
            while self.hear(again.min(until)).await? {}
            if Instant::now() >= until {
                break;
            }
        }
        Ok(())
    }

    /// Tells of the next answer. `false` where the time is up.
    async fn hear(&mut self, until: Instant) -> Result<bool, Failure> {
        match timeout_at(until, self.events.next()).await {
            Ok(Some(Event::LookedUp(answer))) => {
                let found = self.open.iter().find(|((_, server), device)| {
                    *server == answer.server && device.key.is_named(&answer.peer)
                });
                if let Some((key, device)) = found.map(|(key, device)| (*key, *device)) {
                    self.open.remove(&key);
                    self.tell(device, answer.server, &answer.outcome);
                }
                Ok(true)
            }
            Ok(Some(_)) => Ok(true),
            Ok(None) => Err(Kind::Internal.because("the node was stopped")),
            Err(_) => Ok(false),
        }
    }

    fn tell(&self, device: &Paired, server: Fingerprint, outcome: &LookUpOutcome) {
        let (addresses, age_s, reason) = match outcome {
            LookUpOutcome::Found { addresses, age } => {
                (addresses.iter().map(ToString::to_string).collect(), Some(age.as_secs()), None)
            }
            LookUpOutcome::Missing => (Vec::new(), None, Some("not known there".to_owned())),
            LookUpOutcome::Failed(why) => (Vec::new(), None, Some(why.to_string())),
            _ => return,
        };
        self.line(device, server, (addresses, age_s, reason));
    }

    fn line(
        &self,
        device: &Paired,
        server: Fingerprint,
        (addresses, age_s, reason): (Vec<String>, Option<u64>, Option<String>),
    ) {
        let name = self.session.hub.servers.iter().find(|place| place.key == server);
        self.output.tell(&Line::LookedUp(LookedUp {
            peer: device.id().to_string(),
            name: device.shown_name(),
            server: name.map_or_else(|| server.to_string(), |place| place.name.clone()),
            addresses,
            age_s,
            reason,
        }));
    }

    fn give_up(&self) {
        for ((_, server), device) in &self.open {
            let reason = Some("no answer came".to_owned());
            self.line(device, *server, (Vec::new(), None, reason));
        }
    }
}
