//! Two network namespaces, `a` and `b`, joined by a bridge, and a runtime in each.
//!
//! The bench runs itself again under `unshare`, where it is root of a user namespace that owns its networks, mounts
//! and processes: nothing leaves it, and all of it goes with the process.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::LazyLock;
use std::{env, io};
use tokio::runtime::{self, Runtime};

/// The application that looks for its like.
pub(crate) const SERVICE: &str = "bench";

/// Set in the process that is inside.
const INSIDE: &str = "HANDFAST_BENCH_INSIDE";

const UNSHARE: [&str; 7] =
    ["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child"];

/// One of the two namespaces.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    A,
    B,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// Moves the thread that calls.
    fn enter(self) {
        let namespace = File::open(format!("/run/netns/{}", self.name())).unwrap();
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }

    fn runtime(self) -> Runtime {
        let mut builder = runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().on_thread_start(move || self.enter()).build().unwrap()
    }
}

static RUNTIMES: LazyLock<[Runtime; 2]> = LazyLock::new(|| [Place::A.runtime(), Place::B.runtime()]);

/// Runs a future in a namespace.
pub(crate) fn on<T>(place: Place, future: impl Future<Output = T>) -> T {
    place.enter();
    RUNTIMES[place as usize].block_on(future)
}

/// Runs this program again inside and says how it ended; inside, builds the namespaces and says nothing.
pub(crate) fn enter() -> io::Result<Option<i32>> {
    if env::var_os(INSIDE).is_none() {
        let mut again = Command::new("unshare");
        again.args(UNSHARE).arg(env::current_exe()?).args(env::args_os().skip(1)).env(INSIDE, "1");
        return Ok(Some(again.status()?.code().unwrap_or(1)));
    }
    sh("mount -t tmpfs tmpfs /run")?;
    sh("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up")?;
    for (name, number) in [("a", 1), ("b", 2)] {
        sh(&format!("ip netns add {name}"))?;
        sh(&format!("ip link add v{name} type veth peer name eth0 netns {name}"))?;
        sh(&format!("ip link set v{name} master br0 up"))?;
        let inside = format!("nsenter --net=/run/netns/{name}");
        // An address of IPv6 that is yet to be checked may not be used for a second.
        sh(&format!("{inside} sh -ec 'echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad'"))?;
        sh(&format!("{inside} ip link set lo up"))?;
        sh(&format!("{inside} ip addr add 10.9.0.{number}/24 dev eth0"))?;
        sh(&format!("{inside} ip link set eth0 up"))?;
    }
    Ok(None)
}

pub(crate) fn sh(script: &str) -> io::Result<()> {
    let status = Command::new("sh").args(["-ec", script]).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{script}: {status}"))) }
}
