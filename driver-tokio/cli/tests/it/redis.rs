//! Discovery servers that share a store: two of them before one Redis, and before a cluster of three.
//!
//! Redis is the real one, in the namespace of the servers, with what it holds in the folder of the test.

use crate::beyond::{at, is_at, pair_at};
use crate::device::{Device, PATIENCE, Running, noise, same};
use crate::lab::{Lab, Routed, in_namespace, in_routed_lab_with, measured};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Where the servers are.
const S: &str = "192.0.2.2";
const NEEDS: &[&[&str]] = &[&["redis-server", "--version"], &["redis-cli", "--version"]];
/// One store, and the nodes of a cluster.
const ONE: &[u16] = &[6379];
const CLUSTER: &[u16] = &[7000, 7001, 7002];

/// A Redis of the test's own.
struct Redis {
    port: u16,
    folder: PathBuf,
    child: Child,
}

impl Redis {
    fn start(host: &Device, port: u16) -> Self {
        let folder = host.path(&format!("redis-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let child = run(port, &folder);
        let redis = Self { port, folder, child };
        redis.until_ready();
        redis
    }

    /// As nothing survives but what is on the disk.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = run(self.port, &self.folder);
        self.until_ready();
    }

    fn until_ready(&self) {
        until("Redis answers", || self.say(&["ping"]).trim() == "PONG");
    }

    /// What it answers to a command.
    fn say(&self, words: &[&str]) -> String {
        let mut cli = in_namespace("s", "redis-cli");
        let output = cli.args(["-p", &self.port.to_string()]).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Whether somebody subscribes to changes of a peer by it.
    fn tells_of(&self, id: &str) -> bool {
        let answer = self.say(&["pubsub", "shardnumsub", &format!("handfast:{{{id}}}:changes")]);
        answer.lines().nth(1).is_some_and(|count| count.trim() != "0")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(port: u16, folder: &PathBuf) -> Child {
    let mut redis = in_namespace("s", "redis-server");
    redis.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"]).arg(folder);
    redis.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
    if CLUSTER.contains(&port) {
        redis.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]);
        redis.args(["--cluster-require-full-coverage", "no"]);
    }
    redis.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Looks again and again, up to the limit of patience.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        sleep(Duration::from_millis(50));
    }
}

/// One of several servers, with metrics at the port after its own.
struct Front {
    running: Running,
    port: u16,
    words: [String; 4],
}

impl Front {
    fn start(device: &Device, port: u16, store: &[u16]) -> Self {
        let hosts: Vec<String> = store.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let (store, listen) = (format!("redis://{}", hosts.join(",")), port.to_string());
        let metrics = at(S, port + 1);
        let running = device.start(&["serve", "--listen", &listen, "--store", &store, "--metrics", &metrics]);
        let key = running.event("serving")["fingerprint"].as_str().unwrap().to_owned();
        let words = ["--server".to_owned(), at(S, port), "--server-key".to_owned(), key];
        Self { running, port, words }
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// One of its figures.
    fn figure(&self, name: &str) -> u64 {
        let mut stream = TcpStream::connect((S, self.port + 1)).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let line = answer.lines().find_map(|line| line.strip_prefix(&format!("handfast_{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {answer}")).parse().unwrap()
    }
}

/// Two devices that are paired and share no network, and the servers between them.
struct Scene<'a> {
    lab: &'a Lab,
    a: Device,
    b: Device,
    fronts: [Device; 2],
    /// By which `a` announces.
    one: Front,
    /// By which `b` looks for it.
    other: Front,
}

impl<'a> Scene<'a> {
    fn new(lab: &'a Lab, host: &Device, store: &[u16]) -> (Self, Vec<Redis>) {
        let stores = store.iter().map(|port| Redis::start(host, *port)).collect();
        if store == CLUSTER {
            unite();
        }
        let [a, b] = ["a", "b"].map(|name| Device::new(lab, name));
        pair_at(&a, "203.0.113.2", &b);
        let fronts = ["front-1", "front-2"].map(|name| Device::named(lab, "s", name));
        let (one, other) = (Front::start(&fronts[0], 5224, store), Front::start(&fronts[1], 5324, store));
        (Self { lab, a, b, fronts, one, other }, stores)
    }

    /// Begins to receive at `a`, which announces by the one server.
    fn receive(&self) -> Running {
        self.a.receive(&self.one.words().collect::<Vec<_>>())
    }

    /// Begins to look at `b`, by these servers.
    fn discover(&self, by: &[&Front]) -> Running {
        let servers = by.iter().flat_map(|front| front.words());
        self.b.start(&["discover"].into_iter().chain(servers).collect::<Vec<_>>())
    }

    /// Gives `a` another address.
    fn move_to(&self, ip: &str) {
        self.lab.inside("a", "ip addr flush dev eth0 scope global");
        let script = format!("ip addr add {ip}/24 dev eth0; ip route replace default via 203.0.113.1");
        self.lab.inside("a", &script);
    }

    /// Gives `a` another address, and waits until it is seen there.
    fn moves_and_is_seen(&self, seen: &Running, ip: &str, what: &str) {
        let moved = Instant::now();
        self.move_to(ip);
        seen.event_where("found", |found| is_at(found, ip));
        measured(format_args!("{what}: found at its new address after {} ms", moved.elapsed().as_millis()));
    }

    /// What a device's announcements are stored under.
    fn id(&self, device: &Device) -> String {
        format!("a{}", device.run(&["id"])[0]["fingerprint"].as_str().unwrap())
    }
}

/// Makes a cluster of three, without replicas: what is lost with one of them is seen.
fn unite() {
    let mut cli = in_namespace("s", "redis-cli");
    cli.args(["--cluster", "create"]).args(CLUSTER.iter().map(|port| format!("127.0.0.1:{port}")));
    let output = cli.arg("--cluster-yes").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn one_store(lab: &Lab, store: &[u16]) {
    let host = Device::named(lab, "s", "store");
    let (mut scene, mut stores) = Scene::new(lab, &host, store);
    let id = scene.id(&scene.a);
    let receiving = scene.receive();
    let discovering = scene.discover(&[&scene.other]);
    discovering.event_where("found", |found| is_at(found, "203.0.113.2"));
    let file = scene.b.file("first", &noise(100_000));
    scene.b.run(&["send", file.to_str().unwrap(), "a"]);
    assert!(same(&scene.a.path("in/first"), &file));
    scene.moves_and_is_seen(&discovering, "203.0.113.77", "announced by another server");

    stores[0].kill();
    stores[0].restart();
    until("the server subscribes anew", || stores[0].tells_of(&id));
    scene.moves_and_is_seen(&discovering, "203.0.113.78", "after the store was restarted");
    discovering.interrupt();
    discovering.end();

    let discovering = scene.discover(&[&scene.other, &scene.one]);
    discovering.event_where("found", |found| is_at(found, "203.0.113.78"));
    scene.other.running.kill();
    scene.moves_and_is_seen(&discovering, "203.0.113.79", "after one of two servers was killed");
    scene.other = Front::start(&scene.fronts[1], 5324, store);
    discovering.interrupt();
    discovering.end();

    let discovering = scene.discover(&[&scene.other]);
    discovering.event_where("found", |found| is_at(found, "203.0.113.79"));
    receiving.interrupt();
    discovering.event_where("lost", |lost| lost["name"] == "a");
    receiving.end();
}

fn a_cluster(lab: &Lab, store: &[u16]) {
    let host = Device::named(lab, "s", "store");
    let (scene, mut stores) = Scene::new(lab, &host, store);
    let ids = [&scene.a, &scene.b].map(|device| scene.id(device));
    let receiving = scene.receive();
    let discovering = scene.discover(&[&scene.other]);
    discovering.event_where("found", |found| is_at(found, "203.0.113.2"));
    scene.moves_and_is_seen(&discovering, "203.0.113.77", "in a cluster");

    // Where each is: every node of the cluster holds a third of the slots, in order.
    let place = |id: &str| {
        let slot = stores[0].say(&["cluster", "keyslot", &format!("{{{id}}}")]);
        let slot: usize = slot.trim().parse().unwrap();
        (slot / 5461).min(2)
    };
    let [of_a, of_b] = ids.each_ref().map(|id| place(id));
    let third = (0..3).find(|n| *n != of_a && *n != of_b).unwrap();
    stores[third].kill();
    scene.moves_and_is_seen(&discovering, "203.0.113.78", "with another node of the cluster killed");
    stores[third].restart();

    let refused = scene.one.figure("refused_total");
    stores[of_a].kill();
    scene.move_to("203.0.113.79");
    until("who cannot be stored is refused", || scene.one.figure("refused_total") > refused);
    assert!(scene.one.figure("store_failures_total") > 0);
    stores[of_a].restart();
    until("the cluster is whole", || stores[of_a].say(&["cluster", "info"]).contains("cluster_state:ok"));
    discovering.interrupt();
    discovering.end();
    until("the other server reads it again", || {
        let discovering = scene.discover(&[&scene.other]);
        discovering.wait_over(Duration::from_secs(3));
        // What was acknowledged before is there.
        discovering.told().iter().any(|event| event["event"] == "found" && is_at(event, "203.0.113.78"))
    });
    receiving.kill();
}

#[test]
fn two_servers_before_one_redis_find_what_the_other_was_told_also_after_one_of_them_or_redis_was_killed() {
    in_routed_lab_with(NEEDS, Routed::V4, |lab| one_store(lab, ONE));
}

#[test]
fn two_servers_before_a_cluster_refuse_what_a_killed_node_held_and_serve_the_rest() {
    in_routed_lab_with(NEEDS, Routed::V4, |lab| a_cluster(lab, CLUSTER));
}
