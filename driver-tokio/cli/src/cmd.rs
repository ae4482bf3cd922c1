//! One file a command.

pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod recv;
pub(crate) mod send;
pub(crate) mod serve;

mod ban;
mod discover;
mod forget;
mod id;
mod locate;
mod lookup;
mod node;
mod pair;
mod peers;
mod prompt;
mod reach;
mod trust;

use crate::book::Book;
use crate::exit::{Failure, Kind};
use crate::hub::Session;
use crate::output::Output;
use crate::work::Work;
use handfast_core::Fingerprint;

/// Does what a command is to do, at a node.
pub(crate) async fn run(work: Work, session: &mut Session, output: &Output) -> Result<(), Failure> {
    match work {
        Work::Discover => discover::run(session, output).await,
        Work::LookUp => lookup::run(session, output).await,
        Work::Node => node::run(session, output).await,
        Work::Pair(what) => pair::run(session, output, what).await,
        Work::Recv(what) => recv::run(session, output, what).await,
        Work::Send(what) => send::run(session, output, what).await,
        Work::Trust { fingerprint } => trust::run(session, output, &fingerprint).await,
        Work::Ban { .. } | Work::Forget { .. } | Work::Id | Work::Peers | Work::Unban { .. } => {
            run_offline(work, &Book::Node(session.hub.clone()), output).await
        }
    }
}

/// Does what needs no node.
pub(crate) async fn run_offline(work: Work, book: &Book, output: &Output) -> Result<(), Failure> {
    match work {
        Work::Ban { device } => ban::run(book, output, &device).await,
        Work::Forget { peer } => forget::run(book, output, &peer).await,
        Work::Id => {
            id::run(book, output);
            Ok(())
        }
        Work::Peers => peers::run(book, output),
        Work::Unban { fingerprint } => ban::lift(book, output, &fingerprint).await,
        Work::Discover
        | Work::LookUp
        | Work::Node
        | Work::Pair(_)
        | Work::Recv(_)
        | Work::Send(_)
        | Work::Trust { .. } => Err(Kind::Internal.because("this command needs a node")),
    }
}

fn fingerprint(word: &str) -> Result<Fingerprint, Failure> {
    word.parse().map_err(|error| Kind::Usage.because(error))
}
