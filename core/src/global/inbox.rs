//! What arrives on the stream of a request, until it is a whole reply.

use crate::wire::Malformed;
use crate::wire::discovery::{MAX_REPLY, Reply};
use bytes::{Buf, BytesMut};

/// Bytes of a reply's length, on a subscription.
const PREFIX: usize = 4;

/// What follows the bytes that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// More may come.
    Open,
    /// Nothing: the server ended the stream.
    Finished,
    /// Nothing: the stream broke off.
    Broken,
}

/// How many replies a stream brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One, which ends with the stream.
    Once,
    /// One after another, each behind its length.
    Each,
}

/// What came and is not whole.
#[derive(Debug)]
pub(super) struct Inbox {
    kind: Kind,
    bytes: BytesMut,
}

impl Inbox {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, bytes: BytesMut::new() }
    }

    /// # Errors
    /// [`Malformed`] where a reply is longer than any may be.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if self.kind == Kind::Once && self.bytes.len() + bytes.len() > MAX_REPLY {
            return Err(Malformed);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The next whole reply; those of later versions are skipped on a subscription.
    ///
    /// # Errors
    /// [`Malformed`] for what is none.
    pub(super) fn next(&mut self, end: End) -> Result<Option<Reply>, Malformed> {
        if self.kind == Kind::Once {
            return match end {
                End::Open => Ok(None),
                End::Finished => Reply::decode(&self.bytes)?.map(Some).ok_or(Malformed),
                End::Broken => Err(Malformed),
            };
        }
        while let Some(prefix) = self.bytes.first_chunk::<PREFIX>() {
            let len = u32::from_be_bytes(*prefix) as usize;
            if len > MAX_REPLY {
                return Err(Malformed);
            }
            let Some(reply) = self.bytes.get(PREFIX..PREFIX + len) else { break };
            let reply = Reply::decode(reply)?;
            self.bytes.advance(PREFIX + len);
            if reply.is_some() {
                return Ok(reply);
            }
        }
        Ok(None)
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// What an inbox may hold: a whole reply less a byte, and what came with it.
pub(super) const MAX_INBOX: usize = PREFIX + 2 * MAX_REPLY;

/// Bytes that one call of [`Inbox::push`] may bring to a subscription.
pub(crate) const MAX_PUSH: usize = MAX_REPLY;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::discovery::Empty;
    use proptest::prelude::*;

    fn framed(reply: &[u8]) -> Vec<u8> {
        [&(reply.len() as u32).to_be_bytes()[..], reply].concat()
    }

    #[test]
    fn one_reply_ends_with_its_stream() {
        let mut inbox = Inbox::new(Kind::Once);
        let reply = Reply::Ok(Empty {}).encode();
        inbox.push(&reply[..2]).unwrap();
        assert_eq!(inbox.next(End::Open), Ok(None));
        assert_eq!(inbox.next(End::Broken), Err(Malformed));
        assert_eq!(inbox.next(End::Finished), Err(Malformed), "it is cut short");
        inbox.push(&reply[2..]).unwrap();
        assert_eq!(inbox.next(End::Finished), Ok(Some(Reply::Ok(Empty {}))));
        assert_eq!(inbox.push(&vec![0; MAX_REPLY]), Err(Malformed), "and never grows beyond the limit");
    }

    #[test]
    fn a_length_beyond_the_limit_is_not_waited_for() {
        let mut inbox = Inbox::new(Kind::Each);
        inbox.push(&(MAX_REPLY as u32 + 1).to_be_bytes()).unwrap();
        assert_eq!(inbox.next(End::Open), Err(Malformed));
    }

    #[test]
    fn replies_of_later_versions_are_skipped_on_a_subscription() {
        let later = [0x81, 0xa5, b'L', b'a', b't', b'e', b'r', 0x80];
        let mut inbox = Inbox::new(Kind::Each);
        inbox.push(&framed(&later)).unwrap();
        inbox.push(&framed(&Reply::Resync(Empty {}).encode())).unwrap();
        assert_eq!(inbox.next(End::Open), Ok(Some(Reply::Resync(Empty {}))));
        assert_eq!((inbox.next(End::Open), inbox.len()), (Ok(None), 0));
    }

    proptest! {
        #[test]
        fn however_a_subscription_is_cut_the_same_replies_come(cuts in proptest::collection::vec(1..9usize, 1..40)) {
            let stream = framed(&Reply::Resync(Empty {}).encode()).repeat(5);
            let (mut inbox, mut got, mut rest) = (Inbox::new(Kind::Each), 0, &stream[..]);
            for cut in cuts.into_iter().chain([stream.len()]) {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                rest = tail;
                inbox.push(head).unwrap();
                while inbox.next(End::Open).unwrap().is_some() {
                    got += 1;
                }
            }
            prop_assert_eq!((got, inbox.len()), (5, 0));
        }
    }
}
