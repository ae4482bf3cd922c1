//! A counter that several devices share: each counts for itself, all agree on the sum once they have talked.
//!
//! An example of an application under simulation. The state machine is [`Counter`]; [`play`] puts it on three hosts,
//! lets the network lose datagrams and one host crash, and waits until all agree.

use handfast_core::{Config, ConnId, Event, Ready, ServiceName};
use handfast_tests::app::{App, Context};
use handfast_tests::fabric::{Host, Link, PerMille};
use handfast_tests::mail::Mail;
use handfast_tests::paired;
use handfast_tests::world::World;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often a device counts, and tells the others.
const TICK: Duration = Duration::from_secs(1);

/// How far each device counts.
const COUNTS: u64 = 20;

/// How far each device has counted, as far as somebody knows. Merging takes the larger of two counts: in whichever
/// order, and however often, the result is the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counts(BTreeMap<u8, u64>);

impl Counts {
    fn merge(&mut self, other: &Self) {
        for (device, count) in &other.0 {
            let own = self.0.entry(*device).or_default();
            *own = (*own).max(*count);
        }
    }

    fn encode(&self) -> Vec<u8> {
        let one = |(device, count): (&u8, &u64)| [&[*device], &count.to_be_bytes()[..]].concat();
        self.0.iter().flat_map(one).collect()
    }

    fn decode(bytes: &[u8]) -> Self {
        let (entries, rest) = bytes.as_chunks::<9>();
        assert!(rest.is_empty(), "messages arrive whole or not at all");
        let one = |[device, count @ ..]: &[u8; 9]| (*device, u64::from_be_bytes(*count));
        Self(entries.iter().map(one).collect())
    }
}

/// The application of one device.
pub(crate) struct Counter {
    device: u8,
    /// On disk, as it were: it outlives a crash.
    counts: Counts,
    /// What each connected peer said last. In memory alone.
    peers: BTreeMap<ConnId, Counts>,
    mail: Mail,
}

impl Counter {
    fn new(device: u8) -> Self {
        Self { device, counts: Counts::default(), peers: BTreeMap::new(), mail: Mail::default() }
    }

    /// What all devices counted together, as far as this one knows.
    pub(crate) fn sum(&self) -> u64 {
        self.counts.0.values().sum()
    }
}

impl App for Counter {
    fn started(&mut self, cx: &mut Context<'_>) {
        cx.set_timer(TICK, 0);
    }

    fn crashed(&mut self) {
        self.peers.clear();
        self.mail.clear();
    }

    fn timer(&mut self, cx: &mut Context<'_>, _: u64) {
        let own = self.counts.0.entry(self.device).or_default();
        *own += u64::from(*own < COUNTS);
        cx.connect_all();
        let message = self.counts.encode();
        for (conn, theirs) in &self.peers {
            if *theirs != self.counts {
                self.mail.send(cx, *conn, &message);
            }
        }
        cx.set_timer(TICK, 0);
    }

    fn event(&mut self, _: &mut Context<'_>, event: Event) {
        match event {
            Event::PeerConnected(peer) => {
                self.peers.insert(peer.conn, Counts::default());
            }
            Event::PeerDisconnected(conn, ..) => {
                self.peers.remove(&conn);
                self.mail.gone(conn);
            }
            _ => {}
        }
    }

    fn ready(&mut self, cx: &mut Context<'_>, ready: Ready) {
        let Some((conn, message)) = self.mail.ready(cx, &ready) else { return };
        let theirs = Counts::decode(&message);
        self.counts.merge(&theirs);
        let sum = self.sum();
        cx.tell(format_args!("hears of {theirs:?}: {sum} in all"));
        self.peers.insert(conn, theirs);
    }
}

/// Three devices that are paired with each other, on a LAN that loses one datagram in five.
fn gather(seed: u64) -> (World<Counter>, [Host; 3]) {
    let mut world = World::seeded(seed);
    let lan = world.lan();
    let lossy = Link::default().with_loss(PerMille(200)).with_jitter(Duration::from_millis(30));
    world.fabric.set_link(lan, lossy);
    let identities = [1, 2, 3].map(|number| Arc::new(paired::identity(number)));
    let [a, b, c] = [0, 1, 2].map(|device| identities[device].public_key());
    let ((a_b, b_a), (b_c, c_b), (c_a, a_c)) =
        (paired::records(a, b), paired::records(b, c), paired::records(c, a));
    let mut records = [vec![a_b, a_c], vec![b_a, b_c], vec![c_a, c_b]].into_iter();
    let config = Config::new(ServiceName::new("counter").expect("a name of a service"));
    let hosts = [0, 1, 2].map(|device: u8| {
        let identity = Arc::clone(&identities[usize::from(device)]);
        let records = records.next().expect("records for each");
        world.add_with(config.clone(), identity, records, Counter::new(device))
    });
    (world, hosts)
}

/// Lets them count, one of them crash, and all agree. The world at that moment, and who is in it.
///
/// # Panics
/// Where they do not agree within five minutes.
pub(crate) fn play(seed: u64) -> (World<Counter>, [Host; 3]) {
    let (mut world, hosts) = gather(seed);
    world.run_for(Duration::from_secs(10));
    world.crash_for(hosts[1], Duration::from_secs(15));
    let all = COUNTS * hosts.len() as u64;
    let agree = world
        .run_until(Duration::from_secs(300), |world| hosts.iter().all(|host| world[*host].app.sum() == all));
    let sums = hosts.map(|host| world[host].app.sum());
    assert!(agree, "seed {seed}: {sums:?} after {:?}", world.elapsed());
    (world, hosts)
}
