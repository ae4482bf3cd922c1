//! Which sockets there are, and that a node goes on with those that it gets.

use super::lab::{self, TestRuntime};
use handfast_driver::Builder;
use handfast_driver::core::{Family, SocketSpec};
use handfast_tests::faulty::Faulty;

super::on_every_runtime!(
    a_node_without_ipv6_goes_on_with_ipv4,
    a_node_without_ipv4_goes_on_with_ipv6,
    both_families_share_the_port_that_was_chosen,
    a_port_that_was_asked_for_is_used_and_a_taken_one_is_told,
);

fn a_node_without_ipv6_goes_on_with_ipv4<A: TestRuntime, B: TestRuntime>() {
    one_family::<A, B>(|spec| family(spec) == Family::V6, "127.0.0.1");
}

fn a_node_without_ipv4_goes_on_with_ipv6<A: TestRuntime, B: TestRuntime>() {
    one_family::<A, B>(|spec| family(spec) == Family::V4, "::1");
}

fn family(spec: &SocketSpec) -> Family {
    let (SocketSpec::Quic { family, .. } | SocketSpec::Mdns { family, .. }) = spec;
    *family
}

fn one_family<A: TestRuntime, B: TestRuntime>(refused: fn(&SocketSpec) -> bool, ip: &str) {
    lab::run::<A>(async {
        let ((a, store_a), (b, store_b)) = lab::sides();
        let a = Builder::new(lab::config(), a, A::default()).with_store(store_a);
        let faulty = Faulty::refusing(B::default(), refused);
        let b = Builder::new(lab::config(), b, faulty).with_store(store_b);
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        assert_eq!(b.local_addresses().len(), 1);
        a.add_address(b.id(), lab::address(&b, ip));
        a.connect(b.id()).await.unwrap();
    });
}

fn both_families_share_the_port_that_was_chosen<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_, b) = lab::builders::<A, B>();
        let addresses = b.start().await.unwrap().local_addresses();
        assert_eq!(addresses.len(), 2);
        assert!(addresses[0].port() != 0 && addresses[0].port() == addresses[1].port());
    });
}

fn a_port_that_was_asked_for_is_used_and_a_taken_one_is_told<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (_, b) = lab::builders::<A, B>();
        let port = {
            let b = b.start().await.unwrap();
            let port = lab::address(&b, "127.0.0.1").port();
            b.shutdown().await;
            port
        };
        let ((a, _), (b, _)) = lab::sides();
        let first = Builder::new(lab::config().with_port(port), a, A::default()).start().await.unwrap();
        assert!(first.local_addresses().iter().all(|address| address.port() == port));
        let second = Builder::new(lab::config().with_port(port), b, B::default()).start().await.unwrap();
        assert_eq!(second.local_addresses(), []);
        first.shutdown().await;
        second.shutdown().await;
    });
}
