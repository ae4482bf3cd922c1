//! The server's attendant: tells when it has started, and when its last snapshot is written.

use super::ServerStartError;
use crate::machine::Attendant;
use crate::promise::Promise;
use crate::queue::Queue;
use crate::shared::add_waker;
use handfast_core::ask::DirectoryToken;
use handfast_core::directory::DirectoryRequest;
use handfast_core::{Ask, Event, Now, Ready, Server};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// What the store's task is asked.
pub(super) type DirectoryCall = (DirectoryToken, DirectoryRequest);

/// See the module.
pub(crate) struct ServerDesk {
    started: Option<Promise<Result<(), ServerStartError>>>,
    /// Why the socket that was tried last could not be opened.
    failed: Option<io::ErrorKind>,
    /// Whether somebody writes snapshots, and has not written the last one.
    pub(super) saves: bool,
    waiting: Vec<Waker>,
    /// What the store's task is asked. The server bounds what it waits for.
    questions: Arc<Queue<DirectoryCall>>,
}

impl ServerDesk {
    pub(super) fn new(started: Promise<Result<(), ServerStartError>>) -> Self {
        let (waiting, questions) = (Vec::new(), Arc::default());
        Self { started: Some(started), failed: None, saves: false, waiting, questions }
    }

    /// The queue of the store's task.
    pub(super) fn questions(&self) -> Arc<Queue<DirectoryCall>> {
        Arc::clone(&self.questions)
    }

    /// The last snapshot is written, or nobody will. Who waits for it.
    pub(super) fn saved(&mut self) -> Vec<Waker> {
        self.saves = false;
        std::mem::take(&mut self.waiting)
    }

    pub(super) fn poll_saved(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.saves {
            return Poll::Ready(());
        }
        add_waker(&mut self.waiting, cx.waker());
        Poll::Pending
    }
}

impl Attendant<Server> for ServerDesk {
    fn ready(&mut self, _: &mut Server, _: Ready, _: &mut Vec<Waker>) {}

    fn event(&mut self, _: &mut Server, event: Event, _: &mut Vec<Waker>) {
        if let Event::SocketFailed(_, kind) = event {
            self.failed = Some(kind);
        }
    }

    fn ask(&mut self, ask: Ask, wakers: &mut Vec<Waker>) {
        match ask {
            Ask::Directory(token, request) => wakers.extend(self.questions.push((token, request))),
            Ask::Admit(..)
            | Ask::Confirm(..)
            | Ask::Paired(..)
            | Ask::PairingRequest(..)
            | Ask::Resolve(..)
            | Ask::Rollback(..)
            | Ask::Store(..) => unreachable!("a server asks its store alone"),
        }
    }

    fn idle(&mut self, server: &mut Server, _: Now, wakers: &mut Vec<Waker>) -> bool {
        if let Some(started) = self.started.take() {
            let is_bound = !server.local_addresses().is_empty();
            let failed = self.failed.filter(|_| !is_bound).map(ServerStartError::Bind);
            wakers.extend(started.keep(failed.map_or(Ok(()), Err)));
        }
        false
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn handle_timeout(&mut self, _: Instant, _: &mut Vec<Waker>) {}

    fn stopped(&mut self, wakers: &mut Vec<Waker>) {
        if let Some(started) = self.started.take() {
            wakers.extend(started.keep(Err(ServerStartError::Stopped)));
        }
        wakers.extend(self.questions.close());
    }
}
