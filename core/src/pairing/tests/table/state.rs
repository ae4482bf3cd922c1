//! What the model knows of two nodes and of what is on its way between them, in few bits.

/// Pairings between the two that the model tells apart.
pub(super) const IDS: usize = 2;
/// The one whose session the model runs; the other is older.
pub(super) const NEW: usize = 1;

/// A record, as the store holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rec {
    None,
    Hook,
    Prepared,
    Committed,
    Paired,
}

/// What a list says of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    LeftOut,
    Gone,
    Hook,
    Prepared,
    Committed,
    Paired,
}

/// Of what the application was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    Idle,
    Saving,
    Undoing,
}

/// How far one side's session got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    /// There is none, or all is said.
    Over,
    /// Joiner: for `ConfirmB`, which gives it the id.
    Proving,
    /// Host: for `Prepared`.
    Held,
    StoringHook,
    Saving,
    StoringVote,
    /// Joiner: for `Commit`. Host: for `Done`.
    Waiting,
    StoringPaired,
    /// For the record to be gone: then `Abort` is said.
    Aborting,
    /// Over: the peer said `Abort` while the vote was being stored.
    Doomed,
}

/// A write on its way into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    Hook,
    /// `prepared` or `committed`.
    Vote,
    /// `paired`, which deletes the other record.
    Paired,
    /// `paired`, which leaves the other record as it is.
    PairedBeside,
    /// `hook` again, to be undone.
    Undo,
    Delete,
    Unpair,
    /// The mark of the peer's key goes.
    Unmark,
    /// The mark of the peer's key is that it is banned.
    Ban,
}

/// What the user decided about the peer's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    Trusted,
    Banned,
}

/// What is said in a session, from the host's proof on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    ConfirmB,
    Prepared,
    Commit,
    Done,
    Abort,
}

/// One end of the data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Closed,
    /// There is a connection, and no `Hello` was written.
    Fresh,
    Open,
}

/// First in, first out, of at most nine values below 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queue(u64);

impl Queue {
    pub(super) const EMPTY: Self = Self(1);
    const BITS: u32 = 6;

    pub(super) fn is_empty(self) -> bool {
        self.0 == 1
    }

    pub(super) fn len(self) -> u32 {
        (63 - self.0.leading_zeros()) / Self::BITS
    }

    pub(super) fn push(&mut self, value: u8) {
        let at = self.len() * Self::BITS;
        assert!(value < 64 && at < 54, "the model's queues are long enough");
        self.0 = (self.0 ^ (1 << at)) | u64::from(value) << at | 1 << (at + Self::BITS);
    }

    pub(super) fn pop(&mut self) -> u8 {
        let value = (self.0 & 63) as u8;
        self.0 >>= Self::BITS;
        value
    }

    pub(super) fn last(self) -> Option<u8> {
        (!self.is_empty()).then(|| (self.0 >> ((self.len() - 1) * Self::BITS) & 63) as u8)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        (0..self.len()).map(move |n| (self.0 >> (n * Self::BITS) & 63) as u8)
    }
}

/// A list on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct List(pub(super) [Word; IDS]);

const WORDS: [Word; 6] =
    [Word::LeftOut, Word::Gone, Word::Hook, Word::Prepared, Word::Committed, Word::Paired];
const WRITES: [Write; 9] = [
    Write::Hook,
    Write::Vote,
    Write::Paired,
    Write::PairedBeside,
    Write::Undo,
    Write::Delete,
    Write::Unpair,
    Write::Unmark,
    Write::Ban,
];
const MESSAGES: [Message; 5] =
    [Message::ConfirmB, Message::Prepared, Message::Commit, Message::Done, Message::Abort];

impl List {
    pub(super) fn code(self) -> u8 {
        self.0[0] as u8 | (self.0[1] as u8) << 3
    }

    pub(super) fn from_code(code: u8) -> Self {
        Self([WORDS[usize::from(code & 7)], WORDS[usize::from(code >> 3)]])
    }
}

impl Write {
    pub(super) fn code(self, id: usize) -> u8 {
        self as u8 | (id as u8) << 4
    }

    pub(super) fn from_code(code: u8) -> (Self, usize) {
        (WRITES[usize::from(code & 15)], usize::from(code >> 4))
    }
}

impl Message {
    pub(super) fn from_code(code: u8) -> Self {
        MESSAGES[usize::from(code)]
    }
}

/// One side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) rec: [Rec; IDS],
    /// The application may have saved the peer under this id, and did not undo it.
    pub(super) saved: [bool; IDS],
    pub(super) run: [Run; IDS],
    pub(super) session: [Session; IDS],
    /// Writes that were asked for; the first is under way.
    pub(super) writes: Queue,
    /// The peer's last list on this connection.
    pub(super) theirs: Option<List>,
    /// The user wants it gone, and a write of it is under way.
    pub(super) unwanted: [bool; IDS],
    /// The user wants it gone since the process began.
    pub(super) wished: [bool; IDS],
    /// When this id's hook was asked, it was told that it replaces the other.
    pub(super) replaces: [bool; IDS],
    /// The hook succeeded at some time.
    pub(super) agreed: [bool; IDS],
    /// The mark that the store holds.
    pub(super) mark: Mark,
    /// The mark that the user wants instead.
    pub(super) wish: Option<Mark>,
}

/// Two nodes, and the connections between them. Whoever closed an end reads and says nothing on it; what
/// it said before may still be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) nodes: [Node; 2],
    pub(super) link: [Link; 2],
    /// Lists by who wrote them.
    pub(super) lists: [Queue; 2],
    /// Whether each end of an id's pairing connection is open.
    pub(super) open: [[bool; 2]; IDS],
    /// Messages of an id's session by who wrote them.
    pub(super) said: [[Queue; 2]; IDS],
    /// The new id had its session.
    pub(super) started: bool,
    /// Somebody's user unpaired it.
    pub(super) forgotten: [bool; IDS],
}

impl Node {
    const NEW: Self = Self {
        rec: [Rec::None; IDS],
        saved: [false; IDS],
        run: [Run::Idle; IDS],
        session: [Session::Over; IDS],
        writes: Queue::EMPTY,
        theirs: None,
        unwanted: [false; IDS],
        wished: [false; IDS],
        replaces: [false; IDS],
        agreed: [false; IDS],
        mark: Mark::None,
        wish: None,
    };

    pub(super) fn is_changing(&self, id: usize) -> bool {
        let touches = |code| match Write::from_code(code) {
            (Write::Paired, _) => true,
            (Write::Unmark | Write::Ban, _) => false,
            (_, of) => of == id,
        };
        !self.writes.is_empty() && self.writes.iter().any(touches)
    }

    /// Whether the peer's key is kept out.
    pub(super) fn bans(&self) -> bool {
        self.wish.unwrap_or(self.mark) == Mark::Banned
    }

    /// Whether a session may rest on the mark.
    pub(super) fn trusts(&self) -> bool {
        self.mark == Mark::Trusted && self.wish.is_none()
    }

    /// Whether a write of the mark is under way.
    pub(super) fn is_marking(&self) -> bool {
        let marks = |code| match Write::from_code(code).0 {
            Write::Unmark | Write::Ban => true,
            Write::Paired | Write::PairedBeside => self.mark == Mark::Trusted,
            Write::Hook | Write::Vote | Write::Undo | Write::Delete | Write::Unpair => false,
        };
        self.writes.iter().any(marks)
    }

    /// Whether a live session holds the id.
    pub(super) fn holds(&self, id: usize) -> bool {
        match self.session[id] {
            Session::Over | Session::Proving | Session::Aborting | Session::Doomed => false,
            Session::Held
            | Session::StoringHook
            | Session::Saving
            | Session::StoringVote
            | Session::Waiting
            | Session::StoringPaired => true,
        }
    }

    fn key(&self) -> u64 {
        let mut key = self.writes.0;
        let mut add = |value: u8, bits: u32| key = key << bits | u64::from(value);
        for id in 0..IDS {
            add(self.rec[id] as u8, 3);
            add(self.run[id] as u8, 2);
            add(self.session[id] as u8, 4);
            let bits =
                [self.saved[id], self.unwanted[id], self.wished[id], self.replaces[id], self.agreed[id]];
            bits.into_iter().for_each(|bit| add(bit.into(), 1));
        }
        add(self.theirs.map_or(63, List::code), 6);
        add(self.mark as u8, 2);
        add(self.wish.map_or(3, |mark| mark as u8), 2);
        assert!(self.writes.len() < 5, "the key holds all writes");
        key
    }
}

impl State {
    /// Nothing going on; what each side holds of the first id. One that a single side holds as paired was
    /// unpaired by the other.
    pub(super) fn new(first: [Rec; 2]) -> Self {
        let node = |rec| {
            let mut node = Node::NEW;
            (node.rec[0], node.saved[0]) = (rec, rec != Rec::None);
            node.agreed[0] = first != [Rec::None; 2];
            node
        };
        let alone = first.contains(&Rec::Paired) && first.contains(&Rec::None);
        let mut state = Self {
            nodes: first.map(node),
            link: [Link::Closed; 2],
            lists: [Queue::EMPTY; 2],
            open: [[false; 2]; IDS],
            said: [[Queue::EMPTY; 2]; IDS],
            started: false,
            forgotten: [alone, false],
        };
        state.tidy();
        state
    }

    /// The same, where the two trust each other's keys: the new session is of that method.
    pub(super) fn trusting(mut self) -> Self {
        self.nodes.iter_mut().for_each(|node| node.mark = Mark::Trusted);
        self
    }

    /// Forgets what can make no difference any more, so that fewer states are told apart.
    pub(super) fn tidy(&mut self) {
        for id in 0..IDS {
            for node in &mut self.nodes {
                let over = node.session[id] == Session::Over && !node.is_changing(id);
                if over && matches!(node.rec[id], Rec::None | Rec::Paired) {
                    node.replaces[id] = false;
                }
                if over && node.rec[id] == Rec::None {
                    node.wished[id] = false;
                }
            }
            let dead = |node: &Node| {
                node.session[id] == Session::Over && !node.is_changing(id) && node.rec[id] == Rec::None
            };
            if self.nodes.iter().all(dead) {
                self.forgotten[id] = false;
                self.nodes.iter_mut().for_each(|node| node.agreed[id] = false);
            }
        }
    }

    /// All of it in few words, to tell states apart by.
    pub(super) fn key(&self) -> [u64; 6] {
        let mut rest = 0;
        let mut add = |value: u64, bits: u32| rest = rest << bits | value;
        for id in 0..IDS {
            for end in 0..2 {
                assert!(self.said[id][end].len() < 3, "the key holds all messages");
                add(self.said[id][end].0, 13);
                add(self.open[id][end].into(), 1);
            }
            add(self.forgotten[id].into(), 1);
        }
        add(self.started.into(), 1);
        add(self.link[0] as u64, 2);
        add(self.link[1] as u64, 2);
        let key = [self.nodes[0].key(), self.nodes[1].key(), self.lists[0].0, self.lists[1].0, rest];
        let [a, b, c, d, e] = key;
        // In front, so that two keys are told apart at once.
        let mixed = key.iter().fold(0, |mixed: u64, part| (mixed ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        [mixed, a, b, c, d, e]
    }
}
