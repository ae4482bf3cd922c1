//! Two namespaces, `a` and `b`, joined by a bridge: a network that nobody else is on. Or three, `a`, `b` and `s`, with
//! a router between them, which carries no multicast.
//!
//! A test runs itself again under `unshare`, where it is root of a user namespace that owns its networks,
//! mounts and processes. All of it goes with the process, whatever becomes of the test.

use std::process::{Command, Output};
use std::{any, env, fmt, io, process};

/// Set in the process that is inside.
const INSIDE: &str = "HANDFAST_TEST_INSIDE";

/// How a line begins that says what a test measured.
const MEASURED: &str = "measured: ";

/// Set where every test must run.
const ALL_TESTS: &str = "HANDFAST_ALL_TESTS";

const UNSHARE: [&str; 7] =
    ["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child"];

/// How the two devices reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Net {
    /// 10.9.0.1 and 10.9.0.2, no IPv6.
    V4,
    /// Link-local addresses, no IPv4.
    V6LinkLocal,
}

/// Where three are that have a network each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routed {
    /// 203.0.113.2, 198.51.100.2 and 192.0.2.2, no IPv6.
    V4,
    /// 2001:db8:a::2, 2001:db8:b::2 and 2001:db8:c::2, no IPv4.
    V6,
}

/// Proof that the test is inside.
#[derive(Debug)]
pub(crate) struct Lab(());

impl Lab {
    /// From here on the bridge loses all multicasts.
    pub(crate) fn lose_multicasts(&self) {
        for port in ["va", "vb"] {
            sh(&format!("ip link set {port} type bridge_slave mcast_flood off"));
        }
    }

    /// From here on 10 MB/s go to each device.
    pub(crate) fn slow_down(&self) {
        for port in ["va", "vb", "wa", "wb"] {
            let limit = format!("tc qdisc add dev {port} root tbf rate 80mbit burst 256kb latency 50ms");
            sh(&format!("if ip link show {port} > /dev/null 2>&1; then {limit}; fi"));
        }
    }

    /// Joins the two by a second bridge, as 10.8.0.1 and 10.8.0.2.
    pub(crate) fn second_link(&self) {
        sh("ip link add br1 type bridge mcast_snooping 0 && ip link set br1 up");
        for (name, number) in [("a", 1), ("b", 2)] {
            sh(&format!("ip link add w{name} type veth peer name eth1 netns {name}"));
            sh(&format!("ip link set w{name} master br1 up"));
            self.inside(name, "echo 1 > /proc/sys/net/ipv6/conf/eth1/disable_ipv6");
            self.inside(name, &format!("ip link set eth1 up; ip addr add 10.8.0.{number}/24 dev eth1"));
        }
    }

    /// Runs a script in one of the two namespaces.
    pub(crate) fn inside(&self, name: &str, script: &str) {
        run(in_namespace(name, "sh").args(["-ec", script]));
    }

    /// Bytes that a device received so far, on any interface but loopback.
    pub(crate) fn received(&self, name: &str) -> u64 {
        self.received_on(name, "eth")
    }

    /// Bytes that a device received so far on interfaces whose names begin so.
    pub(crate) fn received_on(&self, name: &str, interface: &str) -> u64 {
        let output = in_namespace(name, "cat").arg("/proc/net/dev").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let of = |line: &str| {
            let (name, counts) = line.trim().split_once(':')?;
            let bytes = counts.split_whitespace().next()?.parse::<u64>().ok()?;
            name.starts_with(interface).then_some(bytes)
        };
        text.lines().filter_map(of).sum()
    }
}

/// Runs `body`, which must be a closure of the test itself, in a lab.
pub(crate) fn in_lab<F: FnOnce(&Lab)>(net: Net, body: F) {
    in_lab_with(&[], net, body);
}

/// The same for a test that needs more: each is a command that must succeed.
pub(crate) fn in_lab_with<F: FnOnce(&Lab)>(needs: &[&[&str]], net: Net, body: F) {
    enter(needs, || join(net), body);
}

/// The same with a router between the devices, and a third, `s`.
pub(crate) fn in_routed_lab<F: FnOnce(&Lab)>(nets: Routed, body: F) {
    in_routed_lab_with(&[], nets, body);
}

/// The same for a test that needs more: each is a command that must succeed.
pub(crate) fn in_routed_lab_with<F: FnOnce(&Lab)>(needs: &[&[&str]], nets: Routed, body: F) {
    enter(needs, || route(nets), body);
}

fn enter<F: FnOnce(&Lab)>(needs: &[&[&str]], build: impl FnOnce(), body: F) {
    if env::var_os(INSIDE).is_some() {
        sh("mount -t tmpfs tmpfs /run");
        build();
        return body(&Lab(()));
    }
    if let Err(why) = probe().and_then(|()| needs.iter().try_for_each(|need| works(need))) {
        return skip(&why);
    }
    let closure = any::type_name::<F>();
    let test = closure.split_once("::").and_then(|(_, rest)| rest.strip_suffix("::{{closure}}"));
    let test = test.unwrap_or_else(|| panic!("{closure} is no closure of a test"));
    let output = Command::new("unshare")
        .args(UNSHARE)
        .arg(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{test} failed in its namespace\n{out}\n{err}");
    assert!(out.contains("1 passed"), "{test} did not run in its namespace\n{out}\n{err}");
    for line in err.lines().filter(|line| line.starts_with(MEASURED)) {
        say(line);
    }
}

/// Prints what a test measured inside, past the harnesses of both processes.
pub(crate) fn measured(what: fmt::Arguments<'_>) {
    say(&format!("{MEASURED}{what}"));
}

/// Whether this host allows namespaces and has the tools.
fn probe() -> Result<(), String> {
    let command = [&["unshare"], &UNSHARE[..], &["sh", "-c", "ip link && nsenter --version"]].concat();
    works(&command)
}

fn works(command: &[&str]) -> Result<(), String> {
    match Command::new(command[0]).args(&command[1..]).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{}: {}", command[0], String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("{}: {error}", command[0])),
    }
}

fn skip(why: &str) {
    assert!(
        env::var_os(ALL_TESTS).is_none_or(|set| set != "1"),
        "{ALL_TESTS}=1, and a test cannot run: {why}"
    );
    say(&format!("SKIPPED, for want of unprivileged namespaces or of a tool: {why}"));
}

/// Past the test harness, which would swallow it.
fn say(line: &str) {
    use io::Write as _;
    let _ = writeln!(io::stderr(), "{line}");
}

/// Three networks that this namespace is the router of. It passes no multicasts on.
fn route(nets: Routed) {
    let nets = match nets {
        Routed::V4 => ["203.0.113.", "198.51.100.", "192.0.2."].map(|net| (net, 24)),
        Routed::V6 => ["2001:db8:a::", "2001:db8:b::", "2001:db8:c::"].map(|net| (net, 64)),
    };
    let any = "/proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding";
    sh(&format!("for any in {any}; do echo 1 > $any; done"));
    for (name, (net, prefix)) in ["a", "b", "s"].into_iter().zip(nets) {
        sh(&format!("ip netns add {name} && ip link add v{name} type veth peer name eth0 netns {name}"));
        let inside = |script: &str| run(in_namespace(name, "sh").args(["-ec", script]));
        // Else an IPv6 address is tentative, and not to be used, for a second.
        let (here, there) = (format!("/proc/sys/net/ipv6/conf/v{name}"), "/proc/sys/net/ipv6/conf/eth0");
        sh(&format!("echo 0 > {here}/accept_dad"));
        inside(&format!("echo 0 > {there}/accept_dad"));
        if net.ends_with('.') {
            inside(&format!("echo 1 > {there}/disable_ipv6"));
        }
        sh(&format!("ip link set v{name} up && ip addr add {net}1/{prefix} dev v{name}"));
        inside("ip link set lo up && ip link set eth0 up");
        inside(&format!("ip addr add {net}2/{prefix} dev eth0 && ip route add default via {net}1"));
    }
}

fn join(net: Net) {
    sh("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up");
    for (name, number) in [("a", 1), ("b", 2)] {
        sh(&format!("ip netns add {name}"));
        sh(&format!("ip link add v{name} type veth peer name eth0 netns {name}"));
        sh(&format!("ip link set v{name} master br0 up"));
        let inside = |script: &str| run(in_namespace(name, "sh").args(["-ec", script]));
        inside("ip link set lo up");
        match net {
            Net::V4 => {
                inside("echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6");
                inside("ip link set eth0 up");
                inside(&format!("ip addr add 10.9.0.{number}/24 dev eth0"));
            }
            Net::V6LinkLocal => {
                // Else the address is tentative, and not to be used, for a second.
                inside("echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad");
                inside("ip link set eth0 up");
            }
        }
    }
}

/// A command in one of the two namespaces.
pub(crate) fn in_namespace(name: &str, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{name}")).arg(program);
    command
}

/// A step of a test that must work.
pub(crate) fn sh(script: &str) {
    run(Command::new("sh").args(["-ec", script]));
}

fn run(command: &mut Command) {
    let process::Output { status, stderr, .. }: Output = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
}
