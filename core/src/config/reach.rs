//! Where peers are looked for, and who is dialled without being asked for.

/// Whether a paired peer is kept connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It is dialled when the application asks for it.
    #[default]
    Lazy,
    /// It is dialled as soon as an address of it is known, and again when its connection is lost: at once, then
    /// after pauses that grow to 300 s. A network that changed, an announcement, a new address and
    /// [`Node::connect`](crate::Node::connect) end a pause. What the application closed stays closed until it
    /// asks, or sets the policy again.
    Eager,
}

/// Which sources of peers' addresses are heeded. What a source that is off knew is kept, and not dialled. Discovery
/// servers are switched by [`GlobalMut`](crate::GlobalMut).
///
/// ```
/// use handfast_core::{Config, ServiceName, Sources};
///
/// let mut quiet = Sources::all();
/// quiet.mdns = false;
/// let config = Config::new(ServiceName::new("chat")?).with_sources(quiet);
/// # Ok::<(), handfast_core::error::ServiceNameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sources {
    /// mDNS. Off means silent: what was announced is withdrawn by a goodbye, then there is no socket on port 5353
    /// and no packet, for peers, for services that the application publishes, and for its searches. They go on once
    /// it is on again.
    pub mdns: bool,
    /// Addresses and names that the application gave.
    pub manual: bool,
    /// Addresses at which a peer was connected before.
    pub remembered: bool,
}

impl Sources {
    /// All of them: the default.
    pub fn all() -> Self {
        Self { mdns: true, manual: true, remembered: true }
    }

    /// None of them: a node that others may dial, and that dials nobody.
    pub fn none() -> Self {
        Self { mdns: false, manual: false, remembered: false }
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self::all()
    }
}
