//! A command's side of the socket, where another process is the node: shows what that one tells, and hands it
//! what the user types.

use super::frame::{self, Frame, FromClient, ToClient};
use super::socket;
use crate::exit::{Failure, Kind};
use crate::output::{Screen, screen};
use crate::work::Order;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A process that runs answers a greeting at once; one that is stopped does not.
const GREETING_WITHIN: Duration = Duration::from_secs(5);

/// Frames that wait to be written: answers and, within what was asked for, data.
const MAX_QUEUED: usize = 16;

/// How an order that was given ended.
pub(crate) enum Outcome {
    /// It was carried out, or failed.
    Ended(Result<(), Failure>),
    /// The process is the node no longer, and said so.
    Moved,
    /// It ended without a word.
    Lost,
}

/// Another process, which is the node.
pub(crate) struct Client {
    stream: UnixStream,
}

impl Client {
    /// Reaches the process that is a home's node. `None` where there is none at this moment.
    pub(crate) async fn connect(home: &Path) -> Result<Option<Self>, Failure> {
        let mut stream = match socket::connect(home).await {
            Ok(stream) => stream,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(Kind::HomeBusy.because("another user's process uses this home"));
            }
            Err(_) => return Ok(None),
        };
        match timeout(GREETING_WITHIN, frame::greet(&mut stream)).await {
            Err(_) => Err(Kind::HomeBusy.because(
                "another process uses this home, and does not answer: it may be stopped; go on with it, or \
                 end it",
            )),
            Ok(Err(_)) => Ok(None),
            Ok(Ok(Some(frame::VERSION))) => Ok(Some(Self { stream })),
            Ok(Ok(_)) => Err(Kind::HomeBusy
                .because("another version of handfast uses this home; end it, or choose another --home")),
        }
    }

    /// Has an order carried out. What is through of it, it does without from then on.
    pub(crate) async fn follow(self, order: &mut Order, screen: &Screen) -> Result<Outcome, Failure> {
        let (read, write) = self.stream.into_split();
        let (queue, queued) = mpsc::channel(MAX_QUEUED);
        let mut tasks = JoinSet::new();
        tasks.spawn(write_frames(write, queued));
        let frame = Frame::Message(FromClient::Order(Box::new(order.clone())));
        // One that is gone shows as the end of its frames.
        let _ = queue.send(frame).await;
        let mut follower = Follower { screen, order, queue, tasks, bars: BTreeMap::new(), input: None };
        follower.run(BufReader::new(read)).await
    }
}

/// What one order shows.
struct Follower<'a> {
    screen: &'a Screen,
    order: &'a mut Order,
    queue: mpsc::Sender<Frame<FromClient>>,
    tasks: JoinSet<()>,
    bars: BTreeMap<u32, Bar>,
    /// Room for what is read from standard input, once that is wanted.
    input: Option<Arc<Semaphore>>,
}

enum Bar {
    Progress(screen::Progress),
    Waiting(screen::Waiting),
}

impl Follower<'_> {
    async fn run(&mut self, mut read: impl AsyncRead + Unpin) -> Result<Outcome, Failure> {
        let mut stdout = tokio::io::stdout();
        loop {
            let message = match frame::read::<ToClient>(&mut read).await {
                Ok(Some(Frame::Message(message))) => message,
                Ok(Some(Frame::Data(data))) => {
                    let written = async {
                        stdout.write_all(&data).await?;
                        stdout.flush().await
                    };
                    written.await.map_err(|error: io::Error| {
                        Kind::Transfer.because(format_args!("cannot write to standard output: {error}"))
                    })?;
                    continue;
                }
                Ok(None) => return Ok(Outcome::Lost),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(Kind::Internal.because("the node's process sent what makes no sense"));
                }
                Err(_) => return Ok(Outcome::Lost),
            };
            match message {
                ToClient::End(result) => return Ok(Outcome::Ended(result)),
                ToClient::Moved {} => return Ok(Outcome::Moved),
                other => self.show(other),
            }
        }
    }

    fn show(&mut self, message: ToClient) {
        match message {
            ToClient::Ask { question, text } => self.ask(question, text),
            ToClient::Bar { bar, name, total } => {
                self.bars.insert(bar, Bar::Progress(self.screen.progress(&name, total)));
            }
            ToClient::BarAt { bar, bytes } => {
                if let Some(Bar::Progress(progress)) = self.bars.get_mut(&bar) {
                    progress.at(bytes);
                }
            }
            ToClient::BarGone { bar } => drop(self.bars.remove(&bar)),
            ToClient::BarSay { bar, text } => {
                if let Some(Bar::Waiting(waiting)) = self.bars.get(&bar) {
                    waiting.say(text);
                }
            }
            ToClient::BarWaiting { bar, text } => {
                self.bars.insert(bar, Bar::Waiting(self.screen.waiting(&text)));
            }
            ToClient::Note(text) => self.screen.note(text),
            ToClient::Passed(passed) => self.order.work.pass(passed),
            ToClient::Tell(event) => self.screen.tell(&event),
            ToClient::Want { bytes } => self.want(bytes),
            ToClient::End(_) | ToClient::Moved {} => {}
        }
    }

    fn ask(&mut self, question: u32, text: String) {
        let (screen, queue) = (self.screen.clone(), self.queue.clone());
        self.tasks.spawn(async move {
            let line = screen.ask(&text).await;
            let answer = FromClient::Answer { question, line };
            // One that is gone shows as the end of its frames.
            let _ = queue.send(Frame::Message(answer)).await;
        });
    }

    /// Reads so many more bytes of standard input.
    fn want(&mut self, bytes: u32) {
        let input = self.input.get_or_insert_with(|| {
            let room = Arc::new(Semaphore::new(0));
            self.tasks.spawn(read_input(self.queue.clone(), room.clone()));
            room
        });
        input.add_permits((bytes as usize).min(Semaphore::MAX_PERMITS - input.available_permits()));
    }
}

/// Standard input, as far as it was asked for, to its end.
async fn read_input(queue: mpsc::Sender<Frame<FromClient>>, room: Arc<Semaphore>) {
    let mut stdin = tokio::io::stdin();
    let mut buf = vec![0; frame::MAX_DATA];
    loop {
        let Ok(one) = room.acquire().await else { return };
        one.forget();
        let more = room.available_permits().min(buf.len() - 1);
        // Nobody else takes any.
        if let Ok(more) = room.try_acquire_many(more as u32) {
            more.forget();
        }
        let limit = more + 1;
        let frame = match stdin.read(&mut buf[..limit]).await {
            Ok(len @ 1..) => {
                room.add_permits(limit - len);
                Frame::Data(Bytes::copy_from_slice(&buf[..len]))
            }
            Ok(0) => Frame::Message(FromClient::DataEnd { error: None }),
            Err(error) => Frame::Message(FromClient::DataEnd { error: Some(error.to_string()) }),
        };
        let ended = matches!(frame, Frame::Message(_));
        if queue.send(frame).await.is_err() || ended {
            return;
        }
    }
}

async fn write_frames(write: OwnedWriteHalf, mut queued: mpsc::Receiver<Frame<FromClient>>) {
    let mut write = BufWriter::new(write);
    while let Some(frame) = queued.recv().await {
        if frame::write(&mut write, &frame).await.is_err() {
            return;
        }
    }
}
