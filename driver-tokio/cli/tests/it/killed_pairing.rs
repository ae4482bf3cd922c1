//! kill -9 at any moment of a pairing: once both are back and met, both are paired or neither is.
//!
//! Half of the moments are drawn from the time that a pairing takes, with some to spare; at the other half one
//! side's store was just written, or is being written: a changed header of its file tells.
//!
//! So many moments are a sample. A larger one, here of 200:
//!
//! ```text
//! HANDFAST_KILLS=200 cargo nextest run -p handfast-cli killed_pairing
//! ```
//!
//! What each moment left, and what came of it, is added to `killed_pairing.txt` in the tests' folder,
//! `target/tmp`: whom it killed and when, the records of host and joiner, the outcome.

use crate::device::{Device, PATIENCE, Running, error, noise, same};
use crate::lab::{Lab, Net, in_lab};
use handfast_core::store::PairState;
use handfast_tokio::{RedbStore, Store as _};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fmt, thread};

/// Moments in all, over the tests of this file.
const KILLS: usize = 20;

/// Sets another number of them.
const KILLS_BY: &str = "HANDFAST_KILLS";

/// The tests of this file, which share the moments.
const TESTS: usize = 4;

/// Where the host listens: no time goes into finding it.
const PORT: [&str; 2] = ["--port", "4433"];
const ADDR: [&str; 2] = ["--addr", "10.9.0.1:4433"];

/// Those who live on notice soon that the other one does not.
const IDLE: [&str; 2] = ["--idle-timeout", "1"];

/// A side that lives on has so long to end by itself once the other one is back: twice what it takes to notice.
const LIVES_ON: Duration = Duration::from_secs(2);

/// Writes of one store in a pairing, each of which changes the header once: `hook`, the vote, `paired`.
const WRITES: u64 = 3;

/// A write, and what follows it up to the next message, is over within this time.
const AFTER_A_WRITE: Duration = Duration::from_millis(6);

/// Where redb keeps what every commit changes. Its format: "the first page of the file is the header".
const HEADER: usize = 320;

/// One that lets a failure be played again: splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn time(&mut self, limit: Duration) -> Duration {
        Duration::from_micros(self.below(limit.as_micros() as u64))
    }
}

/// Who is killed, and what becomes of the other one.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Both,
    /// The other one is interrupted by its user.
    Interrupted(usize),
    /// The other one goes on while the killed one comes back.
    LivesOn(usize),
}

/// When.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after the joiner was started.
    At(Duration),
    /// So long after a store was written for the so manieth time.
    Write { of: usize, number: u64, then: Duration },
}

impl Moment {
    fn draw(dice: &mut Dice, pairing: Duration) -> Self {
        if dice.below(2) == 0 {
            return Self::At(dice.time(pairing + pairing / 4));
        }
        let (of, number) = (dice.below(2) as usize, 1 + dice.below(WRITES));
        Self::Write { of, number, then: dice.time(AFTER_A_WRITE) }
    }

    /// Waits for it.
    fn come(self, devices: &[Device; 2], pairing: &[Running; 2], started: Instant) {
        match self {
            Self::At(time) => thread::sleep(time.saturating_sub(started.elapsed())),
            Self::Write { of, number, then } => {
                pairing[of].event("listening");
                wait_for_writes(&store(&devices[of]), number, || pairing.iter().any(Running::is_over));
                // Waited for by looking at the clock: a sleep may take as long as all of it.
                let written = Instant::now();
                while written.elapsed() < then {
                    std::hint::spin_loop();
                }
            }
        }
    }
}

/// Until the header of a store changed so many times, or there is nothing more to wait for.
fn wait_for_writes(path: &Path, number: u64, is_over: impl Fn() -> bool) {
    let file = File::open(path).unwrap();
    let header = || {
        let mut bytes = [0; HEADER];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    };
    let (mut seen, mut writes) = (header(), 0);
    while writes < number && !is_over() {
        let now = header();
        writes += u64::from(now != seen);
        seen = now;
        thread::sleep(Duration::from_micros(20));
    }
}

fn store(device: &Device) -> std::path::PathBuf {
    device.path("home").join("handfast.redb")
}

/// The states of a device's records. The file is opened as a copy: to mend it is the product's business.
fn records(device: &Device) -> Vec<PairState> {
    let (path, copy) = (store(device), device.path("copy.redb"));
    if !path.exists() {
        return Vec::new();
    }
    fs::copy(path, &copy).unwrap();
    RedbStore::open(&copy).unwrap().load().unwrap().records.into_iter().map(|record| record.state).collect()
}

/// What is known of a device's records.
struct Known(Option<Vec<PairState>>);

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("?"),
            Some(states) if states.is_empty() => f.write_str("none"),
            Some(states) => write!(f, "{states:?}"),
        }
    }
}

/// One shows a code, the other types it.
fn begin(devices: &[Device; 2]) -> ([Running; 2], Instant) {
    let [host, joiner] = devices;
    let showing = host.start(&["pair", PORT[0], PORT[1], IDLE[0], IDLE[1]]);
    let code = showing.event("code")["code"].as_str().unwrap().to_owned();
    let started = Instant::now();
    let typing = joiner.start(&["pair", &code, ADDR[0], ADDR[1], IDLE[0], IDLE[1]]);
    ([showing, typing], started)
}

/// Ends both as it is their fate. Whether either said that it is paired, and what the killed ones left.
fn end(devices: &[Device; 2], pairing: [Running; 2], fate: Fate) -> (bool, [Known; 2]) {
    let (mut left, mut back) = ([Known(None), Known(None)], [None, None]);
    let killed = match fate {
        Fate::Both => vec![0, 1],
        Fate::Interrupted(one) | Fate::LivesOn(one) => vec![one],
    };
    for one in &killed {
        pairing[*one].kill();
    }
    let mut pairing = pairing.map(Some);
    let mut said = Vec::new();
    for one in killed {
        said.extend(pairing[one].take().unwrap().end().1);
        left[one] = Known(Some(records(&devices[one])));
        if matches!(fate, Fate::LivesOn(_)) {
            let port = [PORT[0], if one == 0 { PORT[1] } else { "0" }];
            back[one] = Some(devices[one].start(&["discover", port[0], port[1], IDLE[0], IDLE[1]]));
        }
    }
    for other in pairing.into_iter().flatten() {
        if matches!(fate, Fate::LivesOn(_)) {
            other.wait_over(LIVES_ON);
        }
        other.interrupt();
        said.extend(other.end().1);
    }
    for one in back.into_iter().flatten() {
        one.interrupt();
        said.extend(one.end().1);
    }
    (said.iter().any(|event| event["event"] == "paired"), left)
}

/// Both run and meet, until neither is in doubt any more.
fn meet(devices: &[Device; 2]) {
    let is_decided = |device| records(device).iter().all(|state| *state == PairState::Paired);
    let (deadline, mut together) = (Instant::now() + PATIENCE, Duration::from_millis(200));
    while !devices.iter().all(is_decided) {
        assert!(Instant::now() < deadline, "in doubt for ever: {:?}", devices.each_ref().map(records));
        let running = devices.each_ref().map(|device| device.start(&["discover"]));
        for one in &running {
            one.event("found");
        }
        thread::sleep(together);
        together *= 2;
        for one in &running {
            one.interrupt();
        }
        for one in running {
            assert_eq!(one.end().0, 130);
        }
    }
}

/// Whether both are paired: what each says of itself, and a file that is sent.
fn are_paired(devices: &[Device; 2]) -> bool {
    let [host, joiner] = devices;
    let file = joiner.file("file", &noise(10_000));
    let words = ["send", file.to_str().unwrap(), "a", ADDR[0], ADDR[1]];
    let receiving = host.receive(&PORT);
    let (code, events) = joiner.start(&words).end();
    receiving.interrupt();
    receiving.end();
    match (host.paired().as_slice(), joiner.paired().as_slice()) {
        ([], []) => {
            assert_eq!((code, error(&events).0), (7, "not_paired"), "{events:#?}");
            false
        }
        ([b], [a]) => {
            assert_eq!((b.as_str(), a.as_str(), code), ("b", "a", 0), "{events:#?}");
            assert!(same(&file, &host.path("in").join("file")));
            true
        }
        half => panic!("one alone is paired: {half:?}"),
    }
}

/// How long a pairing takes here and now that nobody disturbs.
fn undisturbed(lab: &Lab) -> Duration {
    let devices = ["a", "b"].map(|name| Device::new(lab, name));
    let (pairing, started) = begin(&devices);
    for one in pairing {
        assert_eq!(one.end().0, 0);
    }
    started.elapsed()
}

/// This test's share of the moments.
fn share(test: usize) -> usize {
    let all = env::var(KILLS_BY).map_or(KILLS, |text| text.parse().unwrap());
    (all + test) / TESTS
}

#[expect(clippy::print_stdout, reason = "whoever reads of a failure wants to know at which moment")]
fn both_or_neither(lab: &Lab, test: usize, fates: [Fate; 2]) {
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join("killed_pairing.txt");
    let mut report = OpenOptions::new().create(true).append(true).open(report).unwrap();
    let pairing_takes = undisturbed(lab);
    for n in 0..share(test) {
        let mut dice = Dice((test as u64) << 32 | n as u64);
        let moment = Moment::draw(&mut dice, pairing_takes);
        let fate = fates[dice.below(2) as usize];
        let story = format!("test {test}, moment {n} of pairings of {pairing_takes:?}: {fate:?} {moment:?}");
        println!("{story}");
        let devices = ["a", "b"].map(|name| Device::new(lab, name));
        let (pairing, started) = begin(&devices);
        moment.come(&devices, &pairing, started);
        let (said_paired, [host, joiner]) = end(&devices, pairing, fate);
        meet(&devices);
        let paired = are_paired(&devices);
        assert!(paired || !said_paired, "a device said that it is paired");
        let outcome = if paired { "both" } else { "neither" };
        writeln!(report, "{story}: host {host}, joiner {joiner}: {outcome}").unwrap();
    }
}

#[test]
fn killed_together_both_are_paired_or_neither() {
    in_lab(Net::V4, |lab| both_or_neither(lab, 0, [Fate::Both; 2]));
}

#[test]
fn killed_together_at_other_moments_both_are_paired_or_neither() {
    in_lab(Net::V4, |lab| both_or_neither(lab, 1, [Fate::Both; 2]));
}

#[test]
fn with_one_killed_and_the_other_interrupted_both_are_paired_or_neither() {
    in_lab(Net::V4, |lab| both_or_neither(lab, 2, [0, 1].map(Fate::Interrupted)));
}

#[test]
fn with_one_killed_while_the_other_lives_on_both_are_paired_or_neither() {
    in_lab(Net::V4, |lab| both_or_neither(lab, 3, [0, 1].map(Fate::LivesOn)));
}
