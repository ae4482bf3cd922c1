//! Every state that can be reached, each looked at once, and the way to the first bad one.

use super::rules::Rules;
use super::state::{IDS, Mark, NEW, Node, Rec, Run, Session, State};
use super::steps::Step;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

/// What an exploration looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) states: usize,
    /// Those in which nothing more happens by itself.
    pub(super) ends: usize,
    /// Ends in which both are paired.
    pub(super) paired: usize,
}

/// A rule that does not hold, and the steps that lead there.
pub(super) struct Violation {
    pub(super) sentence: &'static str,
    pub(super) story: String,
}

/// How a state was reached.
struct Reached {
    state: State,
    from: usize,
    by: Option<Step>,
    faults: usize,
    is_done: bool,
}

/// Looks at everything that follows of `starts` with as many faults as `most`. What takes fewer faults
/// comes first: a story has no more of them than it needs.
pub(super) fn explore(rules: &Rules, starts: &[State], most: usize) -> Result<Seen, Box<Violation>> {
    let mut known = BTreeMap::new();
    let mut reached: Vec<Reached> = Vec::new();
    let mut forward = Forward::default();
    let mut seen = Seen::default();
    let (mut todo, mut later) = (VecDeque::new(), VecDeque::new());
    for state in starts {
        known.insert(state.key(), reached.len());
        todo.push_back(reached.len());
        reached.push(Reached { state: *state, from: 0, by: None, faults: 0, is_done: false });
    }
    while let Some(at) = todo.pop_front().or_else(|| {
        std::mem::swap(&mut todo, &mut later);
        todo.pop_front()
    }) {
        if std::mem::replace(&mut reached[at].is_done, true) {
            continue;
        }
        let (state, faults) = (reached[at].state, reached[at].faults);
        let bad = |sentence, reached: &[Reached]| Box::new(Violation { sentence, story: story(reached, at) });
        if let Some(sentence) = broken_always(&state).or(broken_by_ban(&state)) {
            return Err(bad(sentence, &reached));
        }
        let steps = rules.steps(&state);
        if !steps.iter().any(|step| step.is_progress()) {
            seen.ends += 1;
            seen.paired += usize::from(state.nodes[0].rec.contains(&Rec::Paired));
            if let Some(sentence) = broken_at_rest(&state) {
                return Err(bad(sentence, &reached));
            }
        }
        for step in steps {
            let faults = faults + usize::from(step.is_fault());
            let next = rules.take(&state, step);
            if faults > most || next.lists.iter().any(|lists| lists.len() > rules.late) {
                continue;
            }
            if let Some(sentence) = broken_between(&state, &next) {
                return Err(bad(sentence, &reached));
            }
            let found = Reached { state: next, from: at, by: Some(step), faults, is_done: false };
            let index = *known.entry(next.key()).or_insert(reached.len());
            let is_nearer = match reached.get_mut(index) {
                Some(before) if before.faults <= faults => false,
                Some(before) => {
                    *before = found;
                    true
                }
                None => {
                    reached.push(found);
                    true
                }
            };
            match (is_nearer, step.is_fault()) {
                (true, true) => later.push_back(index),
                (true, false) => todo.push_back(index),
                (false, _) => {}
            }
            if step.is_progress() {
                forward.edges.push((at as u32, index as u32));
            }
        }
    }
    seen.states = reached.len();
    if let Some(at) = forward.cycle(reached.len()) {
        let sentence = "two nodes that are left alone come to rest";
        return Err(Box::new(Violation { sentence, story: story(&reached, at) }));
    }
    Ok(seen)
}

/// Steps that happen by themselves.
#[derive(Default)]
struct Forward {
    edges: Vec<(u32, u32)>,
}

impl Forward {
    /// A state from which such steps can go on for ever.
    fn cycle(&mut self, states: usize) -> Option<usize> {
        let mut into = vec![0_u32; states];
        let mut first = vec![self.edges.len(); states + 1];
        self.edges.sort_unstable();
        for (n, (from, to)) in self.edges.iter().enumerate().rev() {
            into[*to as usize] += 1;
            first[*from as usize] = n;
        }
        let mut free: VecDeque<usize> = (0..states).filter(|state| into[*state] == 0).collect();
        while let Some(from) = free.pop_front() {
            for (_, to) in self.edges[first[from]..].iter().take_while(|edge| edge.0 as usize == from) {
                into[*to as usize] -= 1;
                if into[*to as usize] == 0 {
                    free.push_back(*to as usize);
                }
            }
        }
        into.iter().position(|count| *count > 0)
    }
}

fn story(reached: &[Reached], mut at: usize) -> String {
    let mut steps = Vec::new();
    let last = reached[at].state;
    while let Some(by) = reached[at].by {
        steps.push(by);
        at = reached[at].from;
    }
    let mut story = format!("begins with {:?}\n", reached[at].state.nodes.map(|node| node.rec));
    for step in steps.iter().rev() {
        writeln!(story, "  {step:?}").unwrap();
    }
    for node in last.nodes {
        writeln!(story, "ends with {node:?}").unwrap();
    }
    story
}

/// What holds in every state.
fn broken_always(s: &State) -> Option<&'static str> {
    for node in &s.nodes {
        if node.mark == Mark::Trusted && node.rec[NEW] == Rec::Paired {
            return Some("a trust goes in the very write that fulfils it");
        }
        for id in 0..IDS {
            let decided = matches!(node.rec[id], Rec::Prepared | Rec::Committed | Rec::Paired);
            if node.rec[id] == Rec::Paired && !s.nodes.iter().all(|node| node.agreed[id]) {
                return Some("nobody is paired unless both hooks succeeded");
            }
            if decided && !node.saved[id] {
                return Some("whoever voted for a pairing has it saved");
            }
            let quiet = node.rec[id] == Rec::None && !node.is_changing(id) && node.run[id] == Run::Idle;
            if quiet && !node.holds(id) && node.saved[id] {
                return Some("what has no record is not saved by the application");
            }
        }
    }
    None
}

/// What holds of a single step.
fn broken_between(before: &State, after: &State) -> Option<&'static str> {
    let unpairs = |s: &State, x: usize, id: usize| {
        s.nodes[x]
            .writes
            .iter()
            .any(|code| super::state::Write::from_code(code) == (super::state::Write::Unpair, id))
    };
    for x in 0..2 {
        let [old, new] = [before, after].map(|s| &s.nodes[x]);
        let fulfilled = (0..IDS).any(|id| new.rec[id] == Rec::Paired && old.rec[id] != Rec::Paired);
        if old.mark == Mark::Trusted && new.mark != Mark::Trusted && old.wish.is_none() && !fulfilled {
            return Some("a trust goes by a pairing or by its user alone");
        }
        let banned = old.mark == Mark::Banned && new.mark != Mark::Banned;
        if banned && old.wish.is_none() {
            return Some("a ban is lifted by its user alone");
        }
        let begins = |node: &Node| matches!(node.session[NEW], Session::Held | Session::Proving);
        if old.bans() && begins(new) && !begins(old) {
            return Some("nothing begins with who is banned");
        }
        if after.nodes[x].writes.is_empty() {
            continue;
        }
        for id in 0..IDS {
            if unpairs(after, x, id) && !unpairs(before, x, id) && !after.forgotten[id] {
                return Some("nothing is unpaired that nobody asked to unpair");
            }
        }
    }
    None
}

/// What holds of one side that is left alone with its ban.
fn broken_by_ban(s: &State) -> Option<&'static str> {
    let alone = |node: &&Node| node.mark == Mark::Banned && node.wish.is_none() && node.writes.is_empty();
    let idle = |node: &&Node| node.run == [Run::Idle; IDS] && node.session == [Session::Over; IDS];
    let kept = |node: &Node| node.rec != [Rec::None; IDS];
    s.nodes.iter().filter(alone).filter(idle).any(kept).then_some("who is banned is not paired")
}

/// What holds once the two are connected and nothing is under way.
fn broken_at_rest(s: &State) -> Option<&'static str> {
    let [a, b] = &s.nodes;
    for id in 0..IDS {
        if (a.rec[id] == Rec::Paired) != (b.rec[id] == Rec::Paired) {
            return Some("both are paired or neither is");
        }
        for node in [a, b] {
            if node.wish.is_some() {
                return Some("what the user wants of a key is stored in the end");
            }
            if !matches!(node.rec[id], Rec::None | Rec::Paired) {
                return Some("nothing stays undecided");
            }
            if node.saved[id] != (node.rec[id] == Rec::Paired) {
                return Some("the application has saved what is paired");
            }
            if node.wished[id] && node.rec[id] != Rec::None {
                return Some("what was forgotten is not paired");
            }
        }
    }
    if a.rec == [Rec::Paired; 2] {
        return Some("two keys are paired once");
    }
    None
}
