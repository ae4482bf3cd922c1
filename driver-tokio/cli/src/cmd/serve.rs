//! `handfast serve`: a discovery server, which tells devices that are not on one network where the others are.
//!
//! Its key is the home's. What it holds outlives it in a file beside that, or is in a store that several servers share.

mod metrics;
mod shared;

pub(crate) use shared::Address as StoreAddress;

use crate::args::{Global, Serve};
use crate::exit::{Failure, Kind};
use crate::home::Home;
use crate::node;
use crate::output::{Done, Event, Output};
use crate::settings::Settings;
use handfast_core::error::ServerError;
use handfast_tokio::{Interfaces, Server, ServerStartError};
use shared::{Failures, Shared};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// The file of what it holds.
const SNAPSHOT_FILE: &str = "directory";

/// Serves until it is told to stop.
pub(crate) async fn run(global: &Global, serve: &Serve, output: &Output) -> Result<Done, Failure> {
    let folder = Home::folder(global.home.as_deref())?;
    let home = Home::open(&folder)?;
    let settings = Settings::read(&folder)?;
    let interface = if global.interface.is_empty() { settings.interface } else { global.interface.clone() };
    let mut config = settings.serve.config(serve.listen);
    if !interface.is_empty() {
        node::check_interfaces(&interface)?;
        config = config.with_interfaces(Interfaces::only(interface));
    }
    let metrics = match serve.metrics.or(settings.serve.metrics) {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let builder = Server::builder(config, home.store.identity());
    let (builder, failures) = match serve.store.as_ref().or(settings.serve.store.as_ref()) {
        Some(address) => {
            let shared = Shared::connect(address).await?;
            let failures = shared.failures();
            (builder.with_directory(shared), failures)
        }
        None => (builder.with_snapshot(folder.join(SNAPSHOT_FILE)), Failures::default()),
    };
    let server = builder.start().await.map_err(failure)?;
    output.tell(&Event::Serving {
        fingerprint: server.public_key().fingerprint().to_string(),
        addresses: server.local_addresses().iter().map(SocketAddr::to_string).collect(),
        metrics: metrics.as_ref().and_then(|listener| listener.local_addr().ok()).map(|at| at.to_string()),
    });
    match metrics {
        Some(listener) => tokio::select! {
            () = metrics::serve(listener, server.clone(), failures) => {}
            () = crate::interrupted() => {}
        },
        None => crate::interrupted().await,
    }
    server.shutdown().await;
    Ok(Done { ok: true, figures: None })
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Kind::Usage.because(format_args!("cannot serve metrics at {address}: {error}")))
}

fn failure(error: ServerStartError) -> Failure {
    let kind = match &error {
        ServerStartError::Bind(_) | ServerStartError::Server(ServerError::Config(_)) => Kind::Usage,
        ServerStartError::Snapshot(_) => Kind::Home,
        _ => Kind::Internal,
    };
    kind.because(error)
}
