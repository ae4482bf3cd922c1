//! Finding peers beyond the LAN, by servers that can withhold and never invent.

pub(crate) mod seal;
