//! What may happen next: what two nodes do by themselves, and what befalls them.

use super::rules::{Flaw, Rules};
use super::state::{IDS, Link, List, Mark, Message, NEW, Node, Queue, Rec, Run, Session, State, Write};

/// Something that happens at a node, or on an id there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The store does the next write.
    Stores(usize),
    HookSucceeds(usize, usize),
    HookFails(usize, usize),
    RolledBack(usize, usize),
    /// A message of an id's session.
    Reads(usize, usize),
    ReadsList(usize),
    /// That the peer closed an id's connection.
    SeesEnd(usize, usize),
    SeesDataEnd(usize),
    /// A data connection is made.
    Connects,
    SaysHello(usize),

    /// The session of the new id: the host proves the code.
    Starts,
    HookHangs(usize, usize),
    /// An id's connection is lost or times out.
    Loses(usize, usize),
    LosesData(usize),
    /// The user cancels, or a step takes too long.
    GivesUp(usize, usize),
    Forgets(usize),
    /// The user trusts the peer's key no longer.
    Distrusts(usize),
    Bans(usize),
    Unbans(usize),
    /// The process dies and starts anew; of a write under way nobody knows whether it happened.
    Crashes(usize, bool),
}

impl Step {
    /// Whether it is bad luck, or somebody's change of mind.
    pub(super) fn is_fault(self) -> bool {
        match self {
            Self::HookFails(..) => true,
            Self::Starts => false,
            step => !step.is_progress(),
        }
    }

    /// Whether it happens without anybody's doing and without bad luck.
    pub(super) fn is_progress(self) -> bool {
        match self {
            Self::Stores(_)
            | Self::HookSucceeds(..)
            | Self::HookFails(..)
            | Self::RolledBack(..)
            | Self::Reads(..)
            | Self::ReadsList(_)
            | Self::SeesEnd(..)
            | Self::SeesDataEnd(_)
            | Self::Connects
            | Self::SaysHello(_)
            | Self::Unbans(_) => true,
            Self::Starts
            | Self::HookHangs(..)
            | Self::Loses(..)
            | Self::LosesData(_)
            | Self::GivesUp(..)
            | Self::Forgets(_)
            | Self::Distrusts(_)
            | Self::Bans(_)
            | Self::Crashes(..) => false,
        }
    }
}

impl Rules {
    /// Every step that is possible.
    pub(super) fn steps(&self, s: &State) -> Vec<Step> {
        let mut steps = Vec::with_capacity(32);
        for x in 0..2 {
            let node = &s.nodes[x];
            let mut add = |possible: bool, step: Step| steps.extend(possible.then_some(step));
            add(!node.writes.is_empty(), Step::Stores(x));
            add(s.link[x] == Link::Fresh, Step::SaysHello(x));
            add(s.link[x] == Link::Open && !s.lists[1 - x].is_empty(), Step::ReadsList(x));
            let data_over = s.link[1 - x] == Link::Closed;
            add(s.link[x] != Link::Closed && data_over, Step::SeesDataEnd(x));
            add(s.link[x] != Link::Closed && !data_over, Step::LosesData(x));
            for id in 0..IDS {
                let over = !s.open[id][1 - x];
                add(node.run[id] == Run::Saving, Step::HookSucceeds(x, id));
                add(node.run[id] == Run::Saving, Step::HookFails(x, id));
                add(node.run[id] == Run::Saving, Step::HookHangs(x, id));
                add(node.run[id] == Run::Undoing, Step::RolledBack(x, id));
                let deaf = self.is(Flaw::SaysBeforeStoring) && node.session[id] == Session::StoringVote;
                add(s.open[id][x] && !deaf && !s.said[id][1 - x].is_empty(), Step::Reads(x, id));
                add(s.open[id][x] && over, Step::SeesEnd(x, id));
                add(s.open[id][x] && !over, Step::Loses(x, id));
                let unbound = matches!(
                    node.session[id],
                    Session::Proving | Session::Held | Session::StoringHook | Session::Saving
                );
                add(unbound, Step::GivesUp(x, id));
            }
            let something = |id: &usize| node.rec[*id] != Rec::None || node.session[*id] != Session::Over;
            add((0..IDS).any(|id| something(&id)), Step::Forgets(x));
            add(self.marks && node.trusts(), Step::Distrusts(x));
            add(self.marks && !node.bans(), Step::Bans(x));
            add(node.bans(), Step::Unbans(x));
            add(true, Step::Crashes(x, false));
            add(!node.writes.is_empty(), Step::Crashes(x, true));
        }
        let barred = s.nodes.iter().any(Node::bans);
        if s.link == [Link::Closed; 2] && !barred {
            steps.push(Step::Connects);
        }
        let proves = |node: &Node| node.session.contains(&Session::Proving);
        let busy = |node: &Node| proves(node) || (0..IDS).any(|id| node.holds(id));
        let may = !self.marks || s.nodes.iter().all(Node::trusts);
        if !s.started && may && !barred && !s.nodes.iter().any(busy) {
            steps.push(Step::Starts);
        }
        steps
    }

    /// What a step makes of a state.
    pub(super) fn take(&self, s: &State, step: Step) -> State {
        let mut next = *s;
        let s = &mut next;
        match step {
            Step::Stores(x) => self.stored(s, x),
            Step::HookSucceeds(x, id) => self.hook_succeeds(s, x, id),
            Step::HookFails(x, id) => self.hook_fails(s, x, id),
            Step::HookHangs(x, id) => {
                s.nodes[x].run[id] = Run::Idle;
                if s.nodes[x].session[id] == Session::Saving {
                    self.abort(s, x, id);
                }
            }
            Step::RolledBack(x, id) => {
                (s.nodes[x].run[id], s.nodes[x].saved[id]) = (Run::Idle, false);
                if !s.nodes[x].is_changing(id) {
                    Self::write(s, x, Write::Delete, id);
                }
            }
            Step::Reads(x, id) => {
                let message = Message::from_code(s.said[id][1 - x].pop());
                self.read(s, x, id, message);
            }
            Step::ReadsList(x) => s.nodes[x].theirs = Some(List::from_code(s.lists[1 - x].pop())),
            Step::SeesEnd(x, id) | Step::Loses(x, id) => self.lose(s, x, id),
            Step::SeesDataEnd(x) | Step::LosesData(x) => Self::lose_data(s, x),
            Step::Connects => s.link = [Link::Fresh; 2],
            Step::SaysHello(x) => {
                s.link[x] = Link::Open;
                let list = self.list(s, x).code();
                if s.link[1 - x] != Link::Closed {
                    s.lists[x].push(list);
                }
            }
            Step::Starts => {
                let (id, host) = (NEW, self.host[NEW]);
                s.started = true;
                s.open[id] = [true; 2];
                s.nodes[host].session[id] = Session::Held;
                s.nodes[1 - host].session[id] = Session::Proving;
                Self::say(s, host, id, Message::ConfirmB);
                self.settle(s, host);
            }
            Step::GivesUp(x, id) => self.abort(s, x, id),
            Step::Forgets(x) => self.forget(s, x),
            Step::Distrusts(x) => self.distrust(s, x, Mark::None),
            Step::Bans(x) => self.ban(s, x),
            Step::Unbans(x) => s.nodes[x].wish = Some(Mark::None),
            Step::Crashes(x, written) => self.crash(s, x, written),
        }
        match step {
            Step::Stores(x)
            | Step::HookSucceeds(x, _)
            | Step::HookFails(x, _)
            | Step::HookHangs(x, _)
            | Step::RolledBack(x, _)
            | Step::Reads(x, _)
            | Step::ReadsList(x)
            | Step::SeesEnd(x, _)
            | Step::Loses(x, _)
            | Step::GivesUp(x, _)
            | Step::Forgets(x)
            | Step::Distrusts(x)
            | Step::Bans(x)
            | Step::Unbans(x)
            | Step::Crashes(x, _) => self.settle(s, x),
            Step::SeesDataEnd(_)
            | Step::LosesData(_)
            | Step::Connects
            | Step::SaysHello(_)
            | Step::Starts => {}
        }
        s.tidy();
        next
    }

    fn hook_succeeds(&self, s: &mut State, x: usize, id: usize) {
        let node = &mut s.nodes[x];
        (node.run[id], node.agreed[id]) = (Run::Idle, true);
        if node.session[id] == Session::Saving {
            node.session[id] = Session::StoringVote;
            Self::write(s, x, Write::Vote, id);
            if self.is(Flaw::SaysBeforeStoring) {
                self.say_vote(s, x, id);
            }
        }
    }

    fn hook_fails(&self, s: &mut State, x: usize, id: usize) {
        let node = &mut s.nodes[x];
        // It did nothing, so there is nothing to undo.
        (node.run[id], node.saved[id]) = (Run::Idle, false);
        if node.session[id] == Session::Saving {
            node.session[id] = Session::Aborting;
        }
        if !s.nodes[x].is_changing(id) && s.nodes[x].rec[id] != Rec::None {
            Self::write(s, x, Write::Delete, id);
        }
    }

    fn read(&self, s: &mut State, x: usize, id: usize, message: Message) {
        let session = s.nodes[x].session[id];
        match (message, session) {
            (Message::ConfirmB, Session::Proving) | (Message::Prepared, Session::Held) => {
                let node = &mut s.nodes[x];
                node.session[id] = Session::StoringHook;
                node.replaces[id] = node.rec[1 - id] != Rec::None;
                Self::write(s, x, Write::Hook, id);
            }
            (Message::Commit | Message::Done, Session::Waiting) => {
                s.nodes[x].session[id] = Session::StoringPaired;
                self.store_paired(s, x, id);
            }
            (Message::Abort, _) => self.told(s, x, id),
            // The session is over here, and the rest of the connection is read by nobody.
            (_, _) => {}
        }
    }

    /// The peer said `Abort`: it has no record. Its reader closes.
    fn told(&self, s: &mut State, x: usize, id: usize) {
        match s.nodes[x].session[id] {
            Session::Waiting => {
                s.nodes[x].session[id] = Session::Over;
                Self::write(s, x, Write::Undo, id);
            }
            Session::StoringVote => s.nodes[x].session[id] = Session::Doomed,
            Session::Saving => {
                s.nodes[x].session[id] = Session::Over;
                s.nodes[x].run[id] = Run::Idle;
            }
            Session::Proving | Session::Held | Session::StoringHook => s.nodes[x].session[id] = Session::Over,
            Session::Over | Session::StoringPaired | Session::Aborting | Session::Doomed => {}
        }
        Self::close(s, x, id);
    }

    /// This side ends a session by which it is not bound.
    fn abort(&self, s: &mut State, x: usize, id: usize) {
        match s.nodes[x].session[id] {
            Session::Proving | Session::Held => {
                s.nodes[x].session[id] = Session::Over;
                Self::say(s, x, id, Message::Abort);
            }
            Session::StoringHook | Session::Saving => {
                // A late hook is dropped before its rollback runs.
                s.nodes[x].run[id] = Run::Idle;
                s.nodes[x].session[id] = Session::Aborting;
            }
            Session::Over
            | Session::StoringVote
            | Session::Waiting
            | Session::StoringPaired
            | Session::Aborting
            | Session::Doomed => {}
        }
    }

    /// The connection is gone. A host's hook that runs may finish; a joiner's is dropped.
    fn lose(&self, s: &mut State, x: usize, id: usize) {
        let joining = !self.is_host(x, id);
        let node = &mut s.nodes[x];
        if node.session[id] == Session::Saving && joining {
            node.run[id] = Run::Idle;
        }
        if node.session[id] != Session::Doomed {
            node.session[id] = Session::Over;
        }
        Self::close(s, x, id);
    }

    fn lose_data(s: &mut State, x: usize) {
        s.link[x] = Link::Closed;
        s.nodes[x].theirs = None;
        s.lists[1 - x] = Queue::EMPTY;
    }

    /// The user wants another mark of a key that is trusted: a session that this side is not bound to ends.
    fn distrust(&self, s: &mut State, x: usize, mark: Mark) {
        s.nodes[x].wish = Some(mark);
        self.abort(s, x, NEW);
    }

    /// Ends everything with the peer, and keeps it out.
    fn ban(&self, s: &mut State, x: usize) {
        self.distrust(s, x, Mark::Banned);
        if !self.is(Flaw::BansHalf) {
            self.forget(s, x);
        }
    }

    /// Ends everything with the peer.
    fn forget(&self, s: &mut State, x: usize) {
        if s.nodes[x].trusts() {
            self.distrust(s, x, Mark::None);
        }
        for id in 0..IDS {
            let node = &mut s.nodes[x];
            if node.rec[id] == Rec::None && node.session[id] == Session::Over {
                continue;
            }
            s.forgotten = [true; IDS];
            node.wished[id] = true;
            match node.session[id] {
                Session::Proving | Session::Held | Session::StoringHook | Session::Saving => {
                    self.abort(s, x, id)
                }
                Session::StoringVote | Session::Waiting | Session::StoringPaired => self.lose(s, x, id),
                Session::Over | Session::Aborting | Session::Doomed => {}
            }
            if !s.nodes[x].is_changing(id) {
                self.unwant(s, x, id);
            } else if !self.is(Flaw::LosesWishes) {
                s.nodes[x].unwanted[id] = true;
            }
        }
    }

    fn crash(&self, s: &mut State, x: usize, written: bool) {
        if written {
            let (write, id) = Write::from_code(s.nodes[x].writes.pop());
            self.apply(s, x, write, id);
        }
        let node = &mut s.nodes[x];
        node.writes = Queue::EMPTY;
        (node.run, node.session) = ([Run::Idle; IDS], [Session::Over; IDS]);
        (node.unwanted, node.wished, node.wish) = ([false; IDS], [false; IDS], None);
        if self.is(Flaw::ForgetsHooks) {
            node.rec = node.rec.map(|rec| if rec == Rec::Hook { Rec::None } else { rec });
        }
        for id in 0..IDS {
            Self::close(s, x, id);
        }
        Self::lose_data(s, x);
        // What a ban was parted from by the crash goes with the start.
        if s.nodes[x].bans() && !self.is(Flaw::BansHalf) {
            self.forget(s, x);
        }
    }
}
