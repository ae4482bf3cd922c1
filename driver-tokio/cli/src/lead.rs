//! Has an order carried out: by this process, where it can have the home, or by the process that has it.
//!
//! Whoever has the home's lock is its node. When that process ends, the others' orders go on: one of them takes
//! the lock, and the rest find that one.

use crate::book::Book;
use crate::exit::{Failure, Kind};
use crate::home::Home;
use crate::hub::Hub;
use crate::output::{Output, Screen};
use crate::settings::Settings;
use crate::work::Order;
use crate::{cmd, interrupted, until_interrupted};
use handfast_core::Consent;
use std::path::Path;
use std::sync::Arc;

#[cfg(unix)]
use crate::service::{
    client::{Client, Outcome},
    server::Server,
};
#[cfg(unix)]
use crate::work::Hold;
#[cfg(unix)]
use std::time::Duration;
#[cfg(unix)]
use tokio::time::{Instant, sleep};

/// A process that has the home listens for others within this time, or is done, or has said goodbye.
#[cfg(unix)]
const HAD_WITHIN: Duration = Duration::from_secs(8);

/// The home is tried for again after this time.
#[cfg(unix)]
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Who does the work.
enum Leader {
    /// This process.
    Own(Home),
    /// Another one.
    #[cfg(unix)]
    Other(Client),
}

/// Carries an order out.
pub(crate) async fn run(home: &Path, mut order: Order, screen: Screen) -> Result<(), Failure> {
    loop {
        match until_interrupted(find(home)).await? {
            Leader::Own(own) => return be(home, own, order, screen).await,
            #[cfg(unix)]
            Leader::Other(client) => match until_interrupted(client.follow(&mut order, &screen)).await? {
                Outcome::Ended(result) => return result,
                Outcome::Moved | Outcome::Lost if order.work.can_move() => {
                    screen.note("the process that was this device's node ended: going on without it");
                }
                Outcome::Moved | Outcome::Lost => {
                    return Err(Kind::NodeGone.because(
                        "the process that was this device's node ended in the middle of this; begin again",
                    ));
                }
            },
        }
    }
}

#[cfg(unix)]
async fn find(home: &Path) -> Result<Leader, Failure> {
    let until = Instant::now() + HAD_WITHIN;
    loop {
        match Home::open(home) {
            Err(failure) if failure.kind == Kind::HomeBusy => {
                if let Some(client) = Client::connect(home).await? {
                    return Ok(Leader::Other(client));
                }
                if Instant::now() > until {
                    return Err(failure);
                }
            }
            other => return other.map(Leader::Own),
        }
        sleep(AGAIN_AFTER).await;
    }
}

#[cfg(not(unix))]
async fn find(home: &Path) -> Result<Leader, Failure> {
    Home::open(home).map(Leader::Own)
}

/// Does the work in this process, and that of others meanwhile.
async fn be(folder: &Path, home: Home, order: Order, screen: Screen) -> Result<(), Failure> {
    let output = Output::Here(screen);
    if order.work.is_offline() {
        return cmd::run_offline(order.work, &Book::Home(home), &output).await;
    }
    let options = Settings::read(folder)?.under(order.options);
    let hub = until_interrupted(Hub::start(options, Consent::Asked, home)).await?;
    for server in hub.servers.iter().filter(|server| server.known().is_none()) {
        output.note(format_args!("the server {} has no address, and is not used", server.name));
    }
    let result = serve(
        folder,
        &hub,
        async {
            let mut session = hub.session(order.asking, order.addr);
            until_interrupted(cmd::run(order.work, &mut session, &output)).await
        },
        &output,
    )
    .await;
    // Says goodbye, whatever came of the command. Who cannot wait interrupts again.
    tokio::select! {
        () = hub.shutdown() => {}
        () = interrupted() => {}
    }
    result
}

/// Does the work, then sends others to the next node, once that costs them nothing or the user insists.
#[cfg(unix)]
async fn serve(
    folder: &Path,
    hub: &Arc<Hub>,
    work: impl Future<Output = Result<(), Failure>>,
    output: &Output,
) -> Result<(), Failure> {
    let server = Server::start(folder, Arc::clone(hub))?;
    let result = work.await;
    let others = server.holding(Hold::UntilForced);
    if others > 0 {
        let _waiting =
            output.waiting(&format!("other commands still use this node: {others}; Ctrl-C ends it"));
        tokio::select! {
            () = server.idle(Hold::UntilForced) => {}
            () = interrupted() => {}
        }
    }
    server.end().await;
    result
}

#[cfg(not(unix))]
async fn serve(
    _: &Path,
    _: &Arc<Hub>,
    work: impl Future<Output = Result<(), Failure>>,
    _: &Output,
) -> Result<(), Failure> {
    work.await
}
