//! The node's side of the socket: carries out the orders of other processes.
//!
//! One task a client. A client that hangs up takes its order back: what was being done is dropped.

use super::frame::{self, Frame, FromClient, ToClient};
use super::socket::{self, Socket};
use crate::cmd;
use crate::exit::{Failure, Kind};
use crate::hub::Hub;
use crate::output::Far;
use crate::output::Output;
use crate::output::far::Outgoing;
use crate::work::{Asking, Hold, Order, Work};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, BufWriter};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// Clients at a time. More are refused.
const MAX_CLIENTS: usize = 64;

/// A client says what it wants within this time.
const ORDER_WITHIN: Duration = Duration::from_secs(5);

/// A client that does not read its last frames within this time does not get them.
const END_WITHIN: Duration = Duration::from_secs(5);

/// After a failure to accept, which is one to open files, others get time to close some.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Other processes' place at this one's node.
#[derive(Debug)]
pub(crate) struct Server {
    clients: Arc<Clients>,
    task: JoinHandle<()>,
}

/// What the tasks of the clients share.
#[derive(Debug)]
struct Clients {
    hub: Arc<Hub>,
    /// How many orders there are of each kind.
    holding: watch::Sender<BTreeMap<Hold, usize>>,
    /// Whether this process is the node no longer.
    moved: watch::Sender<bool>,
}

impl Server {
    /// Listens in the home whose lock this process has.
    pub(crate) fn start(home: &Path, hub: Arc<Hub>) -> Result<Self, Failure> {
        let socket = Socket::bind(home)?;
        let clients = Clients { hub, holding: watch::Sender::default(), moved: watch::Sender::new(false) };
        let clients = Arc::new(clients);
        let task = tokio::spawn(Arc::clone(&clients).run(socket));
        Ok(Self { clients, task })
    }

    /// How many clients would lose their work if this process ended now, that for as much as this holds on.
    pub(crate) fn holding(&self, least: Hold) -> usize {
        count(&self.clients.holding.borrow(), least)
    }

    /// Waits until no client would lose its work.
    pub(crate) async fn idle(&self, least: Hold) {
        let mut holding = self.clients.holding.subscribe();
        // Its sender is a field of this.
        let _ = holding.wait_for(|holding| count(holding, least) == 0).await;
    }

    /// Sends all clients to the next node.
    pub(crate) async fn end(self) {
        self.clients.moved.send_replace(true);
        // The task can but end; if it panicked, the clients see their sockets close.
        let _ = self.task.await;
    }
}

fn count(holding: &BTreeMap<Hold, usize>, least: Hold) -> usize {
    holding.range(least..).map(|(_, count)| count).sum()
}

async fn become_true(watched: &mut watch::Receiver<bool>) {
    // Its sender lives as long as whoever waits.
    let _ = watched.wait_for(|is| *is).await;
}

impl Clients {
    async fn run(self: Arc<Self>, socket: Socket) {
        let mut tasks = JoinSet::new();
        let mut moved = self.moved.subscribe();
        loop {
            tokio::select! {
                () = become_true(&mut moved) => break,
                accepted = socket.listener.accept() => match accepted {
                    Ok((stream, _)) if tasks.len() < MAX_CLIENTS => {
                        let clients = Arc::clone(&self);
                        tasks.spawn(async move {
                            // A client that broke off, or is none: nobody is there to be told.
                            let _ = clients.serve(stream).await;
                        });
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
                },
                Some(_) = tasks.join_next() => {}
            }
        }
        drop(socket);
        while tasks.join_next().await.is_some() {}
    }

    /// One client, from its greeting to its end.
    async fn serve(&self, mut stream: UnixStream) -> io::Result<()> {
        socket::check_owner(&stream)?;
        let version = timeout(ORDER_WITHIN, frame::greet(&mut stream)).await??;
        if version != Some(frame::VERSION) {
            return Ok(());
        }
        let (read, write) = stream.into_split();
        let mut read = BufReader::new(read);
        let Some(Frame::Message(FromClient::Order(order))) =
            timeout(ORDER_WITHIN, frame::read(&mut read)).await??
        else {
            return Ok(());
        };
        let (far, outgoing) = Far::new(order.asking != Asking::Nothing);
        let writer = tokio::spawn(write_frames(BufWriter::new(write), outgoing));
        if let Some(last) = self.carry_out(*order, &far, read).await {
            // One that does not read is gone.
            let _ = timeout(END_WITHIN, far.end(last)).await;
        }
        drop(far);
        let _ = timeout(END_WITHIN, writer).await;
        Ok(())
    }

    /// Does the work. What the client is told in the end; nothing where it is gone.
    async fn carry_out(&self, order: Order, far: &Far, read: impl AsyncRead + Unpin) -> Option<ToClient> {
        if let Err(failure) = self.check(&order) {
            return Some(ToClient::End(Err(failure)));
        }
        let _held = Held::new(&self.holding, order.work.hold());
        let output = Output::Far(far.clone());
        let mut moved = self.moved.subscribe();
        let work = async {
            let mut session = self.hub.session(order.asking, order.addr);
            cmd::run(order.work, &mut session, &output).await
        };
        tokio::select! {
            result = work => Some(ToClient::End(result)),
            () = hear(far, read) => None,
            () = far.given_up() => None,
            () = become_true(&mut moved) => Some(ToClient::Moved {}),
        }
    }

    /// Whether this node does for the order.
    fn check(&self, order: &Order) -> Result<(), Failure> {
        let pid = std::process::id();
        if order.work == Work::Node {
            return Err(
                Kind::HomeBusy.because(format_args!("process {pid} is the node of this home already"))
            );
        }
        match self.hub.options.lack(&order.options) {
            None => Ok(()),
            Some(what) => Err(Kind::Usage.because(format_args!(
                "process {pid}, whose node other commands use, was started with {what}: leave the option out, \
                 or end that process"
            ))),
        }
    }
}

/// One order that the process is not to end before, or may.
struct Held<'a> {
    holding: &'a watch::Sender<BTreeMap<Hold, usize>>,
    hold: Hold,
}

impl<'a> Held<'a> {
    fn new(holding: &'a watch::Sender<BTreeMap<Hold, usize>>, hold: Hold) -> Self {
        holding.send_modify(|holding| *holding.entry(hold).or_default() += 1);
        Self { holding, hold }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.holding.send_modify(|holding| *holding.entry(self.hold).or_default() -= 1);
    }
}

/// Until the client hangs up, or says what makes no sense.
async fn hear(far: &Far, mut read: impl AsyncRead + Unpin) {
    loop {
        match frame::read(&mut read).await {
            Ok(Some(Frame::Message(FromClient::Answer { question, line }))) => far.answer(question, line),
            Ok(Some(Frame::Message(FromClient::DataEnd { error }))) => far.input_ended(error),
            Ok(Some(Frame::Data(data))) if far.arrived(&data) => {}
            Ok(None | Some(Frame::Message(FromClient::Order(_)) | Frame::Data(_))) | Err(_) => return,
        }
    }
}

/// Until the last frame is written, or the client is gone.
async fn write_frames(mut write: impl AsyncWrite + Unpin, mut outgoing: mpsc::Receiver<Outgoing>) {
    while let Some(outgoing) = outgoing.recv().await {
        if frame::write(&mut write, &outgoing.frame).await.is_err() {
            return;
        }
    }
}
