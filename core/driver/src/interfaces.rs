//! Keeps the machine's list of network interfaces true.

use crate::machine::Machine;
use crate::runtime::{Runtime, Timer, Watch};
use crate::shared::{Life, Shared};
use handfast_core::{Interface, InterfaceAddr};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Changes come in bursts, and a broken link flaps: one look at the list in so much time.
const SETTLE: Duration = Duration::from_millis(250);

/// How often the list is looked at where nobody tells of changes, and behind who does.
const SLOW_POLL: Duration = Duration::from_secs(300);

/// The interfaces that carry something, by index. One whose cable is pulled, or that found no network, keeps its
/// addresses, and nothing gets anywhere by it. `None` if the operating system does not tell. Blocks.
pub(crate) fn list() -> Option<Vec<Interface>> {
    let found = if_addrs::get_if_addrs()
        .inspect_err(|error| tracing::warn!(%error, "the network interfaces could not be listed"))
        .ok()?;
    let mut by_index = BTreeMap::new();
    for entry in found.into_iter().filter(|entry| entry.is_loopback() || entry.is_oper_up()) {
        let Some(index) = entry.index.filter(|index| *index != 0) else { continue };
        let (loopback, ip) = (entry.is_loopback(), entry.ip());
        let prefix = match entry.addr {
            if_addrs::IfAddr::V4(v4) => v4.prefixlen,
            if_addrs::IfAddr::V6(v6) => v6.prefixlen,
        };
        let blank = || Interface { name: entry.name, index, loopback, addresses: Vec::new() };
        let interface: &mut Interface = by_index.entry(index).or_insert_with(blank);
        interface.loopback |= loopback;
        interface.addresses.push(InterfaceAddr { ip, prefix });
    }
    let mut list: Vec<Interface> = by_index.into_values().collect();
    for interface in &mut list {
        interface.addresses.sort_unstable();
    }
    Some(list)
}

/// Tells the machine of every change, until it is stopped.
pub(crate) async fn watch<R, M, A>(runtime: R, shared: Arc<Shared<M, A>>, mut known: Vec<Interface>)
where
    R: Runtime,
    M: Machine,
    A: Send + 'static,
{
    let mut watch = match runtime.watch() {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(%error, "nobody tells of changed network interfaces; they are polled");
            None
        }
    };
    let mut timer = runtime.timer();
    loop {
        timer.arm(Instant::now() + SLOW_POLL);
        if !shared.until_end(|cx| poll_news::<R>(&mut watch, &mut timer, cx)).await {
            return;
        }
        timer.arm(Instant::now() + SETTLE);
        if !shared.until_end(|cx| timer.poll(cx)).await {
            return;
        }
        // Where nobody tells what there is, it is as it was.
        let list = runtime.blocking(list).await;
        if let Some(list) = list.filter(|list| *list != known) {
            known = list;
            shared.with(|locked, now| {
                if locked.life != Life::Stopped {
                    locked.machine.handle_interfaces(now, &known);
                }
            });
        }
    }
}

fn poll_news<R: Runtime>(
    watch: &mut Option<R::Watch>,
    timer: &mut R::Timer,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if let Some(watcher) = watch {
        match watcher.poll_change(cx) {
            Poll::Ready(Ok(())) => return Poll::Ready(()),
            Poll::Ready(Err(error)) => {
                tracing::warn!(%error, "nobody tells of changed network interfaces any longer; they are polled");
                *watch = None;
            }
            Poll::Pending => {}
        }
    }
    timer.poll(cx)
}
