//! How full the tables of a link are.

use super::{LinkState, MAX_KNOWN_ANSWERS};
use crate::mdns::announce::MAX_OWN_RECORDS;
use crate::mdns::browse::MAX_FOLLOW_UPS;
use crate::mdns::cache::MAX_SET;
use crate::mdns::guard::MAX_MESSAGE;
use crate::mdns::scope::Scope;
use crate::table::Table;

/// Tables of a link.
pub(in crate::mdns) const TABLES: usize = 19;

/// Series that one follow-up may bring beyond [`MAX_FOLLOW_UPS`]: it asks for SRV, TXT, A and AAAA.
const OVER: usize = 3;
/// Series for an instance that is asked for by name: SRV and TXT, and A and AAAA of each host that is said to
/// be its own.
const SERIES_A_NAME: usize = 2 + 2 * MAX_SET;
/// Octets of the smallest record: the name of the root, and no data. RFC 1035 §4.1.3.
const MIN_RECORD: usize = 11;

impl LinkState {
    /// Always [`TABLES`], in the same order.
    pub(in crate::mdns) fn tables(&self, scope: &Scope) -> [Table; TABLES] {
        let named = scope.browsing.len() + SERIES_A_NAME * scope.resolving.len();
        let series = MAX_FOLLOW_UPS + OVER + named;
        // A datagram each, at worst.
        let outbox = 1 + series + MAX_KNOWN_ANSWERS + MAX_OWN_RECORDS;
        let changed = self.cache.max().saturating_add(MAX_MESSAGE / MIN_RECORD);
        let [records, names, hosts, sources] = self.cache.tables();
        let [sets, set, goodbyes, parted, updates] = self.owned.tables();
        let [held, known] = self.held.tables();
        [
            records,
            names,
            hosts,
            sources,
            Table::new("mdns: questions asked", self.queries.len(), series),
            self.queries.given_up(),
            self.others.table(),
            sets,
            set,
            goodbyes,
            parted,
            updates,
            self.probes.table(),
            self.replies.table(),
            held,
            known,
            self.echoes.table(),
            Table::new("mdns: datagrams to send", self.outbox.len(), outbox),
            Table::new("mdns: instances of which a link heard", self.changed.len(), changed),
        ]
    }
}
