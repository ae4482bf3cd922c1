//! Simulated networks: whole nodes in memory, a clock that only the simulation moves, randomness from one
//! seed.
//!
//! A [`World`](world::World) holds hosts, each with interfaces, clocks, a store, a node and an application,
//! and a [`Fabric`](fabric::Fabric) of segments, links, bridges, reflectors and NATs between them. It tells
//! each node the time, carries its datagrams, serves its store and its hooks, and lets go wrong what can go
//! wrong ([`Fault`](fault::Fault)). The same seed and the same calls give the same bytes on the wire, in every
//! process.
//!
//! # A test in five minutes
//!
//! Make a world, add hosts to its LAN, let time pass until what you wait for came to be, and look.
//!
//! ```
//! use handfast_core::{Config, Identity, ServiceName};
//! use handfast_tests::world::World;
//! use std::time::Duration;
//!
//! let config = || Config::new(ServiceName::new("chat").unwrap());
//! let mut world = World::seeded(7);
//! let laptop = world.add(config(), &Identity::from_entropy([1; 32]), vec![]);
//! let phone = world.add(config(), &Identity::from_entropy([2; 32]), vec![]);
//! let seen = world.run_until(Duration::from_secs(5), |world| {
//!     [laptop, phone].iter().all(|host| !world[*host].app.events.is_empty())
//! });
//! assert!(seen);
//! ```
//!
//! - [`World::tell`](world::World::tell) puts a node in your hands: `world.tell(host, |node, now| node.connect(now,
//!   peer))`. All that the node wants done because of it is done before `tell` returns, but for what takes time: the
//!   store and the hooks answer with the next step, so that `run_for(Duration::ZERO)` is enough for them.
//! - [`World::run_until`](world::World::run_until) and [`World::run_for`](world::World::run_for) let time pass. An
//!   hour in which nothing happens costs nothing.
//! - `world[host]` is a [`Machine`](machine::Machine): its application, its store, its clock. The application of
//!   [`World::add`](world::World::add) is a [`Recorder`](app::Recorder), which remembers every event.
//! - Two hosts that were paired before the test began have the [`paired::records`] of each other.
//!
//! # What goes wrong
//!
//! | what | how |
//! |---|---|
//! | loss, jitter, duplicates, reordering, bandwidth, MTU | [`Fabric::set_link`](fabric::Fabric::set_link), [`set_port_link`](fabric::Fabric::set_port_link) |
//! | a cut at exactly the n-th datagram | [`World::lose`](world::World::lose) |
//! | partitions, bridges that are down | [`Fabric::partition`](fabric::Fabric::partition), [`set_bridge`](fabric::Fabric::set_bridge) |
//! | reflectors, routers, NATs, firewalls | [`Fabric::reflector`](fabric::Fabric::reflector), [`router`](fabric::Fabric::router), [`rebind`](fabric::Fabric::rebind) |
//! | interfaces that go, come back, or change their address | [`World::take_down`](world::World::take_down), [`bring_up`](world::World::bring_up), [`renumber`](world::World::renumber) |
//! | crashes and restarts | [`World::crash`](world::World::crash), [`restart`](world::World::restart), [`crash_for`](world::World::crash_for) |
//! | sleep | [`World::suspend`](world::World::suspend), [`resume`](world::World::resume) |
//! | calendars that are wrong, or jump | [`Setup::skew_s`](machine::Setup), [`World::jump_clock`](world::World::jump_clock) |
//! | sockets that are refused | [`Setup::ipv6`](machine::Setup), [`Machine::refused`](machine::Machine) |
//! | stores that fail, stall, or crash their host | [`Store::script`](store::Store), [`odds`](store::Store), [`broken`](store::Store) |
//! | hooks that fail, stall or panic | [`Recorder::hooks`](app::Recorder), or what your own [`App::paired`](app::App::paired) returns |
//! | those who flood, replay, forge and lie | [`World::invite`](world::World::invite) a [`Stranger`](stranger::Stranger) |
//!
//! Each fault is counted where it takes effect: [`World::tally`](world::World::tally) says how often each kind did.
//!
//! ```
//! use handfast_core::{Config, Event, ServiceName};
//! use handfast_tests::fabric::{Link, PerMille};
//! use handfast_tests::fault::Fault;
//! use handfast_tests::paired::{self, identity};
//! use handfast_tests::store::StoreFault;
//! use handfast_tests::world::World;
//! use std::time::Duration;
//!
//! let (one, two) = (identity(1), identity(2));
//! let (of_one, of_two) = paired::records(one.public_key(), two.public_key());
//! let config = || Config::new(ServiceName::new("chat").unwrap());
//! let mut world = World::seeded(7);
//! let lan = world.lan();
//! world.fabric.set_link(lan, Link::default().with_loss(PerMille(300)));
//! let a = world.add(config(), &one, vec![of_one]);
//! let b = world.add(config(), &two, vec![of_two]);
//! world.run_for(Duration::from_secs(10));
//!
//! // The phone crashes, starts again after a minute, and its store takes ten seconds to load.
//! world[b].store.script.push_back(Some(StoreFault::Stall(Duration::from_secs(10))));
//! world.crash_for(b, Duration::from_secs(60));
//! world.run_for(Duration::from_secs(120));
//!
//! let peer = two.peer_id(config().peer_id);
//! world.tell(a, |node, now| node.connect(now, peer)).unwrap();
//! let connected = |event: &Event| matches!(event, Event::PeerConnected(_));
//! assert!(world.run_until(Duration::from_secs(30), |world| world[a].app.events.iter().any(connected)));
//! assert_eq!(world.tally().of(Fault::StoreStalled), 1);
//! assert!(world.tally().of(Fault::Lost) > 0);
//! ```
//!
//! # Networks of your own
//!
//! [`World::add`](world::World::add) knows one LAN with IPv4. For anything else make segments, say what joins them,
//! and [`boot`](world::World::boot) a [`Setup`](machine::Setup) with ports on them: here a host behind a NAT that
//! dials one on the Internet.
//!
//! ```
//! use handfast_core::{Config, ServiceName};
//! use handfast_tests::app::Recorder;
//! use handfast_tests::fabric::{Depends, Firewall, Link, Nat, Port, Router};
//! use handfast_tests::machine::{Setup, address};
//! use handfast_tests::paired::{self, identity};
//! use handfast_tests::world::World;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! let mut world = World::seeded(7);
//! let (home, internet) = (world.fabric.segment(Link::default()), world.fabric.internet());
//! let nat = Nat::new("203.0.113.1".parse().unwrap()).with_mapping(Depends::AddressAndPort);
//! world.fabric.router(home, Router::Nat { nat, firewall: Firewall::Open });
//!
//! let config = || Config::new(ServiceName::new("chat").unwrap());
//! let (one, two) = (Arc::new(identity(1)), Arc::new(identity(2)));
//! let (of_one, of_two) = paired::records(one.public_key(), two.public_key());
//! let at = |segment, ip| Port { interface: 1, segment, addresses: vec![address(ip)] };
//! let inside = Setup::new("laptop", config(), one).with_port(at(home, "192.168.1.2/24")).with_records(vec![of_one]);
//! let outside = Setup::new("server", config(), two).with_port(at(internet, "192.0.2.1/24")).with_records(vec![of_two]);
//! let (laptop, server) = (world.boot(inside, Recorder::default()), world.boot(outside, Recorder::default()));
//! world.run_for(Duration::ZERO);
//!
//! let (to, peer) = (world.address(server), identity(2).peer_id(config().peer_id));
//! world.tell(laptop, |node, now| {
//!     node.peers().add_address(now, peer, to);
//!     node.connect(now, peer)
//! })
//! .unwrap();
//! world.run_for(Duration::from_secs(1));
//! let seen = world.tell(server, |node, _| node.peers().connected())[0].remote;
//! assert_eq!(seen.ip().to_string(), "203.0.113.1", "the server sees the NAT");
//! ```
//!
//! # What there is to look at
//!
//! - [`World::trace`](world::World): [`Trace::keep`](trace::Trace::keep) says how much is kept of what happened: a
//!   digest, a story in words, every datagram. Its [`digest`](trace::Trace::digest) covers all of it in any case.
//! - [`Fabric::sent`](fabric::Fabric::sent) counts what a host put on a segment: budgets are checked there, never
//!   by a node's own counters.
//! - [`World::watch`](world::World::watch) sees each datagram when it is sent.
//!
//! # An application of your own
//!
//! Implement [`App`](app::App) for it; `sim/examples/counter` is one that counts on three hosts while datagrams are
//! lost and a host crashes: `cargo run -p handfast-tests --example counter`.
//!
//! # Worlds by the thousand
//!
//! The [`swarm`] draws a random world from each seed, plays it, and checks what must hold in all of them.

pub mod app;
pub mod clock;
pub mod crypto;
pub mod fabric;
pub mod fault;
pub mod faulty;
pub mod forge;
pub mod machine;
pub mod mail;
pub mod paired;
pub mod store;
pub mod stranger;
pub mod swarm;
pub mod trace;
#[cfg(feature = "versus")]
pub mod versus;
pub mod world;
