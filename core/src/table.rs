//! How full a table is, for whoever looks at a node from outside.

/// One table of a node: how many entries it has, and how many it may have.
///
/// For diagnostics and simulation: a test may ask after every step whether every table stays within its bound.
/// Nothing in a node acts on it. See [`Node::tables`](crate::Node::tables).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// What it holds, for people to read: names may change with any version.
    pub name: &'static str,
    /// Entries in it. Of a table that exists several times, once a connection say, the fullest counts.
    pub len: usize,
    /// Entries that it never exceeds: a constant, a value of [`Config`](crate::Config), or what follows from
    /// other bounds.
    pub bound: usize,
}

impl Table {
    /// One table, of whoever holds one beside a node's.
    pub fn new(name: &'static str, len: usize, bound: usize) -> Self {
        Self { name, len, bound }
    }

    /// The fullest of several that are alike.
    pub(crate) fn fullest(name: &'static str, lens: impl IntoIterator<Item = usize>, bound: usize) -> Self {
        Self::new(name, lens.into_iter().max().unwrap_or(0), bound)
    }
}
