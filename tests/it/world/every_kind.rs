//! Each kind of fault has a test that shows what it does.

use handfast_tests::fault::Fault;
use std::fs;
use std::path::Path;

/// Where the effect of a kind is shown: the file, in the folder of this package, and the test.
fn shown_by(fault: Fault) -> (&'static str, &'static str) {
    const LINKS: &str = "sim/fabric/tests/faults.rs";
    const LAN: &str = "sim/fabric/tests/lan.rs";
    const HOMES: &str = "sim/fabric/tests/homes.rs";
    const NATS: &str = "sim/fabric/tests/nats.rs";
    const HOSTS: &str = "it/world/hosts.rs";
    const STORES: &str = "it/world/stores.rs";
    const HOOKS: &str = "it/world/hooks.rs";
    const STRANGERS: &str = "it/world/strangers.rs";
    match fault {
        Fault::Lost => (LINKS, "a_lossy_link_loses_about_as_many_as_it_says"),
        Fault::Delayed => (LINKS, "jitter_delays_within_its_bound"),
        Fault::Duplicated => (LINKS, "a_duplicating_link_delivers_twice"),
        Fault::Reordered => (LINKS, "a_datagram_that_is_held_back_is_overtaken"),
        Fault::Queued => (LINKS, "bandwidth_delays_exactly_by_the_bytes_on_the_wire"),
        Fault::Overflowed => (LINKS, "a_full_queue_drops_what_comes_last"),
        Fault::TooBig => (LINKS, "what_is_too_big_for_a_link_vanishes"),
        Fault::Partitioned => (LAN, "a_partition_keeps_its_groups_apart_until_it_heals"),
        Fault::BridgeDown => (HOMES, "a_bridge_that_is_down_passes_nothing_until_it_is_up"),
        Fault::Reflected => (HOMES, "a_reflector_says_a_multicast_again_from_its_own_address"),
        Fault::NatIndependent => (NATS, "independent_mapping_and_an_open_filter"),
        Fault::NatDependent => (NATS, "dependent_mapping_and_an_open_filter"),
        Fault::NatFilteredAddress => (NATS, "independent_mapping_and_a_filter_by_address"),
        Fault::NatFilteredPort => (NATS, "independent_mapping_and_a_filter_by_address_and_port"),
        Fault::NatOpen => (NATS, "independent_mapping_and_an_open_filter"),
        Fault::NatRebound => (NATS, "a_rebound_nat_gives_another_port_and_closes_the_old_one"),
        Fault::Unreachable => (LAN, "without_a_way_a_send_is_an_error_and_counts"),
        Fault::SocketRefused => {
            (HOSTS, "a_host_that_is_refused_one_ip_version_speaks_the_other_and_is_found")
        }
        Fault::InterfaceDown => (HOSTS, "a_host_that_loses_its_interface_falls_silent_and_is_given_up"),
        Fault::InterfaceUp => (HOSTS, "a_host_that_gets_its_interface_back_is_found_again"),
        Fault::Renumbered => (HOSTS, "a_renumbered_interface_sends_from_its_new_address_alone"),
        Fault::Suspended => {
            (HOSTS, "a_host_that_sleeps_hears_and_says_nothing_and_is_told_how_long_it_slept")
        }
        Fault::ClockSkewed => (HOSTS, "hosts_whose_calendars_differ_by_a_generation_pair_and_connect"),
        Fault::ClockJumped => (HOSTS, "a_calendar_that_jumps_breaks_no_connection_and_delays_no_timer"),
        Fault::Crashed => (HOSTS, "a_node_that_crashes_says_no_goodbye_and_its_peer_notices_by_its_silence"),
        Fault::Restarted => (HOSTS, "a_node_that_restarts_has_what_its_store_held_and_says_other_bytes"),
        Fault::StoreFailed => (STORES, "a_write_that_fails_leaves_nothing_in_the_store_and_nobody_paired"),
        Fault::StoreStalled => (STORES, "a_write_that_stalls_holds_the_pairing_for_as_long"),
        Fault::StoreCrashed => {
            (STORES, "a_host_that_crashes_in_a_write_comes_back_with_what_was_written_and_both_agree")
        }
        Fault::HookFailed => (HOOKS, "a_hook_that_fails_ends_the_pairing_on_both_sides"),
        Fault::HookStalled => (HOOKS, "a_hook_that_answers_late_holds_the_pairing_for_as_long"),
        Fault::HookPanicked => (HOOKS, "a_hook_that_panics_has_failed_and_its_node_lives_on"),
        Fault::Flooded => (STRANGERS, "a_flood_is_on_the_wire_and_fills_no_table_and_hides_no_paired_peer"),
        Fault::Replayed => (STRANGERS, "what_was_said_once_may_be_said_again_and_changes_nothing"),
        Fault::Forged => {
            (STRANGERS, "a_goodbye_in_anothers_name_is_on_the_wire_in_his_name_and_does_not_last")
        }
        Fault::Lied => (STRANGERS, "a_peer_that_is_announced_where_it_is_not_is_reached_where_it_is"),
    }
}

/// What a test says, from its attribute to its end. `None` where there is no such test.
fn test<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = source.split_once(&format!("#[test]\nfn {name}() {{"))?;
    Some(rest.split_once("\n}\n")?.0)
}

#[test]
fn every_kind_of_fault_has_a_test_that_counts_it() {
    for fault in Fault::ALL {
        let (file, name) = shown_by(fault);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let source = fs::read_to_string(&path).unwrap();
        let body = test(&source, name).unwrap_or_else(|| panic!("{fault}: {file} has no test {name}"));
        assert!(body.contains(&format!("Fault::{fault:?}")), "{fault}: {name} does not count it");
    }
}
