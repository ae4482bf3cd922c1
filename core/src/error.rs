//! What a caller may have done wrong: one small enum a verb.

use crate::id::PeerId;
use thiserror::Error;

/// Why bytes are no trustworthy public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not an Ed25519 key.
    #[error("not an Ed25519 public key")]
    NotEd25519,
    /// Not a point of the curve.
    #[error("not a point of Curve25519")]
    NotOnCurve,
    /// A point of small order: anyone can forge signatures under it.
    #[error("a public key of small order")]
    Weak,
}

/// Why text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdError {
    /// A character that does not belong there.
    #[error("a character that an id does not have")]
    Alphabet,
    /// Too long or too short.
    #[error("an id of the wrong length")]
    Length,
}

/// Why a name is no service name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServiceNameError {
    /// Something else than `a-z`, `0-9` and `-`.
    #[error("a service name has only a-z, 0-9 and -")]
    Alphabet,
    /// A hyphen at an end, or two together.
    #[error("a service name has no hyphen at its ends, nor two together")]
    Hyphen,
    /// Not 1 to 15 characters.
    #[error("a service name has 1 to 15 characters")]
    Length,
    /// No letter.
    #[error("a service name has a letter")]
    NoLetter,
}

/// Why text is no host with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HostNameError {
    /// Not a name of a host, of at most 253 bytes.
    #[error("a host is letters, digits, '-' and '_' with dots between, at most 253 bytes")]
    Host,
    /// No port, or one that is not 1 to 65535.
    #[error("a port of 1 to 65535 is missing")]
    Port,
}

/// Why text is no kind of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServiceTypeError {
    /// A character that the name of a kind does not have.
    #[error("a kind of service has printable ASCII characters, without spaces, dots and backslashes")]
    Alphabet,
    /// Not `_name._tcp`, `_name._udp`, or `subtype._sub.` before one of these.
    #[error("a kind of service is _name._tcp, _name._udp, or a subtype._sub. of one")]
    Form,
    /// A name that is empty or over 62 characters.
    #[error("the name of a kind of service has 1 to 62 characters")]
    Length,
    /// A subtype that is not 1 to 63 bytes without control characters.
    #[error("a subtype has 1 to 63 bytes and no control characters")]
    Subtype,
}

/// Why a key or a value is not allowed in a TXT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TxtError {
    /// A key that is empty, or not printable ASCII without `=`.
    #[error("a TXT key is printable ASCII, without '='")]
    Key,
    /// A key, its `=` and its value are over 255 bytes together.
    #[error("a TXT key and its value are over 255 bytes")]
    Length,
    /// All together are over 1,300 bytes.
    #[error("a TXT record is over 1300 bytes")]
    Size,
}

/// Why a service cannot be as it was described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// A kind that may be looked for, but not published.
    #[error("a kind that is published has 1 to 15 letters, digits and hyphens, and a letter among them")]
    Kind,
    /// A name that is not 1 to 63 bytes without control characters.
    #[error("a service's name has 1 to 63 bytes and no control characters")]
    Name,
    /// A subtype that is not 1 to 63 bytes without control characters.
    #[error("a subtype has 1 to 63 bytes and no control characters")]
    Subtype,
    /// More than 8 subtypes.
    #[error("a service has at most 8 subtypes")]
    Subtypes,
    /// The TXT record is too long to be published.
    #[error(transparent)]
    Txt(#[from] TxtError),
}

/// Why a service was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// As many services as a node takes are published.
    #[error("this device publishes as many services as it may")]
    Full,
    /// The node publishes a service of this kind and name.
    #[error("a service of this kind and name is published already")]
    Known,
    /// The node was shut down.
    #[error("the node was stopped")]
    Stopped,
}

/// Why what is published was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// It is no longer published.
    #[error("the service is no longer published")]
    Gone,
    /// Another kind, or another name: that is another service.
    #[error("a service keeps its kind and its name")]
    Other,
}

/// Why a search was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BrowseError {
    /// As many searches as a node takes go on.
    #[error("this device looks for as many services as it may")]
    Full,
    /// The node was shut down.
    #[error("the node was stopped")]
    Stopped,
}

/// Why key material is no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Not the PKCS#8 of an Ed25519 key pair.
    #[error("not an Ed25519 key pair in PKCS#8")]
    Malformed,
    /// The key is weak.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Which field of [`Metadata`](crate::Metadata) is over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// `extra` is over 2,048 bytes.
    #[error("extra metadata is over 2048 bytes")]
    Extra,
    /// `name` is over 64 bytes.
    #[error("the name is over 64 bytes")]
    Name,
    /// `os` is over 32 bytes.
    #[error("the operating system's name is over 32 bytes")]
    Os,
    /// `version` is over 32 bytes.
    #[error("the version is over 32 bytes")]
    Version,
}

/// Why a configuration is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A budget of buffered bytes is below what its connections have in any case.
    #[error("a budget of buffered bytes is too small for so many connections")]
    Budget,
    /// The patterns of labels are over a limit.
    #[error(transparent)]
    Labels(#[from] LabelsError),
    /// The metadata is over a limit.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The pairing window is not 30 to 600 s.
    #[error("a pairing window lasts 30 to 600 seconds")]
    PairingWindow,
    /// The time after which a connection is closed that nobody uses is 0.
    #[error("a connection is not closed for being unused at once")]
    IdleClose,
    /// The idle timeout is 0, or not above the keep-alive interval.
    #[error("the idle timeout must be above the keep-alive interval")]
    IdleTimeout,
    /// There are more than 8 discovery servers, or one has no address, more than 4, or one that is none to dial.
    #[error("at most 8 discovery servers are used, each at 1 to 4 addresses")]
    Servers,
    /// A stream's window is over 4 MiB, or over its connection's.
    #[error("a stream's window is at most 4 MiB and at most its connection's")]
    StreamWindow,
    /// A TXT key or value is not as RFC 6763 §6.4 wants it, or all together are over 200 bytes.
    #[error("a TXT key or value is not allowed, or they are too long together")]
    Txt,
}

/// Why a discovery server's configuration is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServerConfigError {
    /// A lease is not 60 to 3,600 s.
    #[error("a lease lasts 60 to 3600 seconds")]
    Lease,
    /// More records, and numbers of records that are gone, than four thousand million.
    #[error("a server keeps fewer records than that")]
    Records,
}

/// Why a discovery server did not come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The configuration breaks a rule.
    #[error(transparent)]
    Config(#[from] ServerConfigError),
    /// The TLS provider lacks Ed25519 or AES-128-GCM.
    #[error("the TLS provider lacks Ed25519 or AES-128-GCM")]
    Crypto,
}

/// Why bytes are no piece of a snapshot. What came before it was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Not as [`Server::snapshot`](crate::Server::snapshot) writes it, or by another version.
    #[error("the snapshot is damaged, or of another version")]
    Malformed,
}

/// Why patterns of stream labels are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LabelsError {
    /// One is longer than 255 bytes and a star.
    #[error("a pattern of labels is at most 255 bytes long, and a star")]
    TooLong,
    /// There are more than 64.
    #[error("there are at most 64 patterns of labels")]
    TooMany,
}

/// Why a limit of one peer was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LimitError {
    /// The patterns of labels are over a limit.
    #[error(transparent)]
    Labels(#[from] LabelsError),
    /// This node is not paired with the peer.
    #[error("not paired with this peer")]
    NotPaired,
    /// The store has not loaded, or failed.
    #[error("the store has not loaded")]
    NotReady,
    /// More than 65,536 streams.
    #[error("a peer may have at most 65,536 streams open")]
    Streams,
}

/// Why stored bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not as `PairRecord::encode` writes it.
    #[error("the record is damaged")]
    Malformed,
}

/// Why a dial was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The peer's addresses are unknown.
    #[error("no address of the peer is known")]
    NoAddress,
    /// This node is not paired with the peer.
    #[error("not paired with this peer")]
    NotPaired,
    /// The store has not loaded, or failed.
    #[error("the store has not loaded")]
    NotReady,
}

/// The connection or stream is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the connection or stream is gone")]
pub struct Gone;

/// Why a stream could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The peer allows no more streams for now: try again after [`Ready::Streams`](crate::Ready::Streams).
    #[error("the peer allows no more streams for now")]
    Exhausted,
    /// The connection is gone, or not up yet.
    #[error("the connection is gone")]
    Gone,
    /// A label is over 255 bytes.
    #[error("a stream label is over 255 bytes")]
    Label,
}

/// Why a datagram was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// The connection is gone, or not up yet.
    #[error("the connection is gone")]
    Gone,
    /// It is longer than the path, or the peer, takes at present.
    #[error("a datagram is longer than the connection takes")]
    TooLong,
    /// The peer takes no datagrams, or they are switched off here.
    #[error("the peer takes no datagrams")]
    Unsupported,
}

/// Why nothing was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The connection or stream is gone.
    #[error("the connection or stream is gone")]
    Gone,
    /// The peer gave up sending, with this code: what came before is not a whole message.
    #[error("the peer reset the stream (code {0:#x})")]
    Reset(u64),
}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// No room for now: try again when the stream is writable.
    #[error("no room for now")]
    Blocked,
    /// The connection or stream is gone, or was finished.
    #[error("the connection or stream is gone")]
    Gone,
    /// The peer does not want more, for this reason.
    #[error("the peer stopped the stream (code {0:#x})")]
    Stopped(u64),
}

/// The application's hook did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the hook failed")]
pub struct HookFailed;

/// Why text is no pairing code. No attempt is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CodeError {
    /// Something else than digits, spaces and dashes.
    #[error("a pairing code has only digits")]
    Alphabet,
    /// The check digit is wrong: there is a typing error.
    #[error("that code has a typing error")]
    CheckDigit,
    /// Not 7 or 9 digits.
    #[error("a pairing code has 7 or 9 digits")]
    Length,
}

/// Why no pairing window was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HostError {
    /// A window is open.
    #[error("a pairing code is shown already")]
    Busy,
    /// The peer to dial has no known address.
    #[error("no address of the peer is known")]
    NoAddress,
    /// The store has not loaded, or failed.
    #[error("the store has not loaded")]
    NotReady,
}

/// Why no joining was begun. No attempt is used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// As many codes as a node takes at a time wait for their hosts.
    #[error("other codes are being tried already")]
    Busy,
    /// Three codes were entered against this host; it is left alone for 10 minutes.
    #[error("too many wrong codes were entered; wait 10 minutes")]
    Locked,
    /// No peer shows that it is pairing.
    #[error("no device that is pairing was found")]
    NobodyPairing,
    /// The peer has no known address.
    #[error("no address of the peer is known")]
    NoAddress,
    /// The store has not loaded, or failed.
    #[error("the store has not loaded")]
    NotReady,
    /// Several peers are pairing: name one.
    #[error("several devices are pairing; name one")]
    Several(Vec<PeerId>),
}

/// Why a key was not trusted, or not banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MarkError {
    /// The key is banned: lift that first.
    #[error("this device is banned")]
    Banned,
    /// 64 keys are trusted and not paired yet, or 4,096 are banned.
    #[error("as many devices as may be are trusted, or banned, already")]
    Full,
    /// The store has not loaded, or failed.
    #[error("the store has not loaded")]
    NotReady,
    /// It is this node's own key.
    #[error("that is this very device")]
    Own,
}

/// Why no node was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The configuration breaks a rule.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The TLS provider lacks Ed25519 or AES-128-GCM.
    #[error("the TLS provider lacks Ed25519 or AES-128-GCM")]
    Crypto,
}
