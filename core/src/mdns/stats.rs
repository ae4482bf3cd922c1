//! What the engine did, counted. RFC 6762.
//!
//! Counts alone: nothing acts on them.

use super::guard::Refused;
use super::service::Dropped;

/// What mDNS did on all interfaces since the node began, and what it holds now.
///
/// Counters only grow, and say nothing of who did what. Two snapshots tell what happened between them.
///
/// ```
/// # fn look(node: &handfast_core::Node) {
/// let mdns = node.stats().mdns;
/// let sent = mdns.queries_sent + mdns.responses_sent + mdns.probes_sent;
/// println!("{sent} datagrams sent, {} received", mdns.datagrams_received);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MdnsStats {
    /// Datagrams sent that ask, or continue the known answers of one that asks.
    pub queries_sent: u64,
    /// Datagrams sent that answer, announce or withdraw, to all or to one.
    pub responses_sent: u64,
    /// Datagrams sent that ask whether a name is free. RFC 6762 §8.1.
    pub probes_sent: u64,
    /// Sets of records, of one name and type, that were announced, each time they were. RFC 6762 §8.3.
    pub announcements: u64,
    /// Records that were withdrawn. RFC 6762 §10.1.
    pub goodbyes: u64,
    /// Questions that were left out since somebody else had just asked them. RFC 6762 §7.3.
    pub questions_suppressed: u64,
    /// Sets of records that were not sent since the asker knows them, or since somebody else had just sent them.
    /// RFC 6762 §7.1, §7.4.
    pub answers_suppressed: u64,
    /// Datagrams received, those included that were dropped.
    pub datagrams_received: u64,
    /// Those of them that were not heeded.
    pub dropped: MdnsDropped,
    /// Records of others that are cached now.
    pub records_cached: u64,
    /// Records of others that made way for newer ones in a full cache.
    pub records_evicted: u64,
    /// Records received that say of a name of ours what is not so. RFC 6762 §9.
    pub conflicts: u64,
    /// Instances that are there now, counted for each interface and for each kind that is browsed.
    pub instances: u64,
}

/// Datagrams that were not heeded, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MdnsDropped {
    /// Our own multicasts, come back.
    pub echo: u64,
    /// On an interface, or for a socket, that is not in use.
    pub no_link: u64,
    /// From outside the link. RFC 6762 §11.
    pub off_link: u64,
    /// Responses from another port than 5353. RFC 6762 §6.
    pub port: u64,
    /// Responses by unicast that nobody asked for. RFC 6762 §6.
    pub unasked: u64,
    /// About names that nobody here cares for: on most networks nearly all.
    pub unrelated: u64,
    /// More questions or records claimed than the octets can hold.
    pub counts: u64,
    /// Shorter than a header, or beyond 9,000 octets. RFC 6762 §17.
    pub length: u64,
    /// With a name whose end can't be found.
    pub name: u64,
    /// With an OPCODE that is not 0. RFC 6762 §18.3.
    pub opcode: u64,
    /// With an RCODE that is not 0. RFC 6762 §18.11.
    pub rcode: u64,
    /// With names made of too many pieces.
    pub steps: u64,
    /// Ending within a name, a record or its data.
    pub truncated: u64,
    /// Unreadable in some other way.
    pub unparsed: u64,
}

impl MdnsDropped {
    /// All of them.
    pub fn total(&self) -> u64 {
        let of_source = self.echo + self.no_link + self.off_link + self.port + self.unasked + self.unrelated;
        let of_header = self.counts + self.length + self.opcode + self.rcode;
        of_source + of_header + self.name + self.steps + self.truncated + self.unparsed
    }

    pub(super) fn count(&mut self, why: Dropped) {
        *self.slot(why) += 1;
    }

    #[cfg(test)]
    pub(super) fn of(mut self, why: Dropped) -> u64 {
        *self.slot(why)
    }

    fn slot(&mut self, why: Dropped) -> &mut u64 {
        match why {
            Dropped::Echo => &mut self.echo,
            Dropped::NoLink => &mut self.no_link,
            Dropped::OffLink => &mut self.off_link,
            Dropped::Port => &mut self.port,
            Dropped::Unasked => &mut self.unasked,
            Dropped::Unparsed => &mut self.unparsed,
            Dropped::Unrelated => &mut self.unrelated,
            Dropped::Refused(Refused::Counts) => &mut self.counts,
            Dropped::Refused(Refused::Length) => &mut self.length,
            Dropped::Refused(Refused::Name) => &mut self.name,
            Dropped::Refused(Refused::Opcode) => &mut self.opcode,
            Dropped::Refused(Refused::Rcode) => &mut self.rcode,
            Dropped::Refused(Refused::Steps) => &mut self.steps,
            Dropped::Refused(Refused::Truncated) => &mut self.truncated,
        }
    }
}

impl MdnsStats {
    /// A datagram of ours goes out: what it is stands in its header. RFC 6762 §8.1, §18.2.
    pub(super) fn on_sent(&mut self, datagram: &[u8]) {
        let is_response = datagram.get(2).is_some_and(|flags| flags & 0x80 != 0);
        let proposes = datagram.get(8..10).is_some_and(|count| count != [0, 0]);
        match (is_response, proposes) {
            (true, _) => self.responses_sent += 1,
            (false, true) => self.probes_sent += 1,
            (false, false) => self.queries_sent += 1,
        }
    }
}
