//! The rules of "both or neither", written down once more, naively: one step at a time.
//!
//! Shares no code with the engine. What a node does after each input is [`Rules::settle`].

use super::state::{IDS, Link, List, Mark, Message, Rec, Run, Session, State, Word, Write};

/// A rule broken on purpose, to see that the exploration notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// None: the rules as they are.
    None,
    /// What is left out of a list counts as gone.
    LeftOutIsGone,
    /// A pairing that is named as gone ends, whatever else is undecided.
    UnpairsAtOnce,
    /// What a live session holds is listed as its record says.
    ListsSessions,
    /// `Prepared` and `Commit` are said before they are stored.
    SaysBeforeStoring,
    /// A crash in a hook forgets the record, and nothing is rolled back.
    ForgetsHooks,
    /// Storing `paired` deletes every other record, those that its hook was not told to replace as well.
    DeletesOthers,
    /// Storing `paired` deletes no other record at the joiner.
    KeepsOthers,
    /// A wish to forget is lost while a write is under way.
    LosesWishes,
    /// The mark of a key that is trusted goes in a write of its own, after the one that fulfils it.
    UnmarksLater,
    /// A ban ends no session that this side is bound to, and no pairing.
    BansHalf,
}

/// Who is who, and which rule is broken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The node that hosts the session of each id.
    pub(super) host: [usize; IDS],
    pub(super) flaw: Flaw,
    /// Lists that may be unread at a time, in each direction.
    pub(super) late: u32,
    /// Whether the new session is of two that trust each other, and either may ban the other.
    pub(super) marks: bool,
}

/// What a node says of an id, before it knows what the peer lists.
fn word(rec: Rec) -> Word {
    match rec {
        Rec::None => Word::LeftOut,
        Rec::Hook => Word::Hook,
        Rec::Prepared => Word::Prepared,
        Rec::Committed => Word::Committed,
        Rec::Paired => Word::Paired,
    }
}

impl Rules {
    pub(super) fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    pub(super) fn is_host(&self, x: usize, id: usize) -> bool {
        self.host[id] == x
    }

    /// What this side has of each id: a live session's is in `hook`.
    fn mine(&self, s: &State, x: usize) -> [Word; IDS] {
        let node = &s.nodes[x];
        let mine = |id: usize| {
            if node.holds(id) && !self.is(Flaw::ListsSessions) { Word::Hook } else { word(node.rec[id]) }
        };
        [mine(0), mine(1)]
    }

    /// What this side says: all it has, and as gone what the peer listed and it lacks.
    pub(super) fn list(&self, s: &State, x: usize) -> List {
        let mut mine = self.mine(s, x);
        for (id, mine) in mine.iter_mut().enumerate() {
            let listed = s.nodes[x].theirs.map_or(Word::LeftOut, |theirs| theirs.0[id]);
            if *mine == Word::LeftOut && matches!(listed, Word::Prepared | Word::Committed | Word::Paired) {
                *mine = Word::Gone;
            }
        }
        List(mine)
    }

    pub(super) fn write(s: &mut State, x: usize, write: Write, id: usize) {
        s.nodes[x].writes.push(write.code(id));
    }

    pub(super) fn say(s: &mut State, x: usize, id: usize, message: Message) {
        if s.open[id][x] && s.open[id][1 - x] {
            s.said[id][x].push(message as u8);
        }
    }

    /// This end of the id's pairing connection is closed: it reads no more.
    pub(super) fn close(s: &mut State, x: usize, id: usize) {
        s.open[id][x] = false;
        s.said[id][1 - x] = super::state::Queue::EMPTY;
    }

    /// Everything that follows of itself, after each input.
    pub(super) fn settle(&self, s: &mut State, x: usize) {
        for id in 0..IDS {
            let node = &mut s.nodes[x];
            let idle = node.run[id] == Run::Idle && !node.is_changing(id);
            if node.rec[id] == Rec::Hook && !node.holds(id) && idle {
                node.run[id] = Run::Undoing;
            }
            if node.unwanted[id] && !node.is_changing(id) {
                node.unwanted[id] = false;
                self.unwant(s, x, id);
            }
        }
        self.write_mark(s, x);
        if s.link[x] != Link::Open {
            return;
        }
        if let Some(theirs) = s.nodes[x].theirs {
            self.judge(s, x, theirs);
        }
        let list = self.list(s, x).code();
        let said = s.lists[x].last().or(s.nodes[1 - x].theirs.map(List::code));
        if s.link[1 - x] != Link::Closed && said != Some(list) {
            s.lists[x].push(list);
        }
    }

    /// Writes the mark that the user wants, one at a time.
    fn write_mark(&self, s: &mut State, x: usize) {
        let node = &mut s.nodes[x];
        if node.wish == Some(node.mark) && !node.is_marking() {
            node.wish = None;
        }
        match node.wish.filter(|_| !node.is_marking()) {
            Some(Mark::Banned) => Self::write(s, x, Write::Ban, 0),
            Some(Mark::None) => Self::write(s, x, Write::Unmark, 0),
            Some(Mark::Trusted) | None => {}
        }
    }

    /// The table, tentative ids first.
    fn judge(&self, s: &mut State, x: usize, theirs: List) {
        let mine = self.mine(s, x);
        let undecided = |word: &Word| matches!(word, Word::Hook | Word::Prepared | Word::Committed);
        let waits = mine.iter().chain(&theirs.0).any(undecided) && !self.is(Flaw::UnpairsAtOnce);
        let gone =
            |their: Word| their == Word::Gone || their == Word::LeftOut && self.is(Flaw::LeftOutIsGone);
        for (id, (mine, their)) in mine.into_iter().zip(theirs.0).enumerate() {
            let tentative = matches!(mine, Word::Prepared | Word::Committed);
            if !tentative || s.nodes[x].is_changing(id) || s.nodes[x].holds(id) {
                continue;
            }
            if gone(their) {
                Self::write(s, x, Write::Undo, id);
            } else if their == Word::Paired || their == Word::Committed && mine == Word::Prepared {
                self.store_paired(s, x, id);
            }
        }
        for (id, (mine, their)) in mine.into_iter().zip(theirs.0).enumerate() {
            if mine == Word::Paired && gone(their) && !waits && !s.nodes[x].is_changing(id) {
                Self::write(s, x, Write::Unpair, id);
            }
        }
    }

    /// Stores `paired`, and in the same write deletes the other record, if this one's hook was told so.
    pub(super) fn store_paired(&self, s: &mut State, x: usize, id: usize) {
        let replaces = s.nodes[x].replaces[id] && (!self.is(Flaw::KeepsOthers) || self.is_host(x, id))
            || self.is(Flaw::DeletesOthers) && !s.nodes[x].holds(1 - id);
        Self::write(s, x, if replaces { Write::Paired } else { Write::PairedBeside }, id);
    }

    /// The user does not want it any more, and no write of it is under way.
    pub(super) fn unwant(&self, s: &mut State, x: usize, id: usize) {
        match s.nodes[x].rec[id] {
            Rec::Paired => Self::write(s, x, Write::Unpair, id),
            Rec::Prepared | Rec::Committed => Self::write(s, x, Write::Undo, id),
            Rec::None | Rec::Hook => {}
        }
    }

    /// The store did what it was asked; what follows of that.
    pub(super) fn stored(&self, s: &mut State, x: usize) {
        let (write, id) = Write::from_code(s.nodes[x].writes.pop());
        self.apply(s, x, write, id);
        let session = s.nodes[x].session[id];
        let node = &mut s.nodes[x];
        match (write, session) {
            (Write::Hook, Session::StoringHook) => {
                (node.session[id], node.run[id], node.saved[id]) = (Session::Saving, Run::Saving, true);
            }
            (Write::Vote, Session::StoringVote) => {
                node.session[id] = Session::Waiting;
                if !self.is(Flaw::SaysBeforeStoring) {
                    self.say_vote(s, x, id);
                }
            }
            (Write::Vote, Session::Doomed) => {
                node.session[id] = Session::Over;
                Self::write(s, x, Write::Undo, id);
            }
            (Write::Paired | Write::PairedBeside, Session::StoringPaired) => {
                node.session[id] = Session::Over;
                if self.is_host(x, id) {
                    Self::close(s, x, id);
                } else {
                    Self::say(s, x, id, Message::Done);
                }
            }
            (Write::Hook | Write::Vote | Write::Paired | Write::PairedBeside, _)
            | (Write::Undo | Write::Delete | Write::Unpair | Write::Unmark | Write::Ban, _) => {}
        }
        self.fulfil(s, x, write);
        for id in 0..IDS {
            let node = &s.nodes[x];
            let gone = node.rec[id] == Rec::None && !node.is_changing(id);
            if node.session[id] == Session::Aborting && gone {
                s.nodes[x].session[id] = Session::Over;
                Self::say(s, x, id, Message::Abort);
            }
        }
    }

    /// Who is paired is trusted no longer, whatever the user wanted of that in the meantime.
    fn fulfil(&self, s: &mut State, x: usize, write: Write) {
        let node = &mut s.nodes[x];
        if matches!(write, Write::Paired | Write::PairedBeside) && node.mark == Mark::Trusted {
            node.wish = node.wish.or(Some(Mark::None));
        }
        if matches!(write, Write::Paired | Write::PairedBeside) && node.wish == Some(node.mark) {
            node.wish = None;
        }
    }

    /// What the store holds after a write, and what the application makes of it.
    pub(super) fn apply(&self, s: &mut State, x: usize, write: Write, id: usize) {
        let host = self.is_host(x, id);
        let node = &mut s.nodes[x];
        match write {
            Write::Unmark => return node.mark = Mark::None,
            Write::Ban => return node.mark = Mark::Banned,
            Write::Paired | Write::PairedBeside
                if node.mark == Mark::Trusted && !self.is(Flaw::UnmarksLater) =>
            {
                node.mark = Mark::None;
            }
            Write::Hook | Write::Vote | Write::Paired | Write::PairedBeside => {}
            Write::Undo | Write::Delete | Write::Unpair => {}
        }
        node.rec[id] = match write {
            Write::Hook | Write::Undo => Rec::Hook,
            Write::Vote if host => Rec::Committed,
            Write::Vote => Rec::Prepared,
            Write::Paired | Write::PairedBeside => Rec::Paired,
            Write::Delete | Write::Unpair | Write::Unmark | Write::Ban => Rec::None,
        };
        match write {
            Write::Unpair => node.saved[id] = false,
            Write::Paired => {
                let other = 1 - id;
                (node.rec[other], node.run[other]) = (Rec::None, Run::Idle);
                // Nobody tells the application of what is replaced but the hook of what replaces it.
                node.saved[other] &= !node.replaces[id];
            }
            Write::Hook | Write::Vote | Write::PairedBeside | Write::Undo | Write::Delete => {}
            Write::Unmark | Write::Ban => {}
        }
    }

    pub(super) fn say_vote(&self, s: &mut State, x: usize, id: usize) {
        let vote = if self.is_host(x, id) { Message::Commit } else { Message::Prepared };
        Self::say(s, x, id, vote);
    }
}
