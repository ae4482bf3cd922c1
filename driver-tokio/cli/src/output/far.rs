//! The user of another process, whose command this one carries out.
//!
//! Lines and questions are queued for the task that writes the socket, never waited for: a process that does
//! not read them is given up when [`MAX_QUEUED`] wait.
#![cfg_attr(not(unix), allow(dead_code, reason = "only Unix has sockets in folders"))]

use super::event::Event;
use crate::service::frame::{Frame, MAX_DATA, ToClient};
use crate::work::Passed;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Frames that wait to be written. A line takes less than 8 KiB.
const MAX_QUEUED: usize = 2048;

/// Bytes of data that wait to be written, or that were asked for and are not read yet.
pub(crate) const WINDOW: usize = 4 * MAX_DATA;

/// Bars move so often.
const BAR_EVERY: Duration = Duration::from_millis(100);

/// Another process' screen. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Far(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: mpsc::Sender<Outgoing>,
    asks: bool,
    next: AtomicU32,
    questions: Mutex<BTreeMap<u32, oneshot::Sender<Option<String>>>>,
    /// Told when the queue is full.
    given_up: Notify,
    room: Arc<Semaphore>,
    input: tokio::sync::Mutex<mpsc::UnboundedReceiver<Result<Bytes, String>>>,
    /// Where its input goes, until that ends.
    arrived: Mutex<Option<mpsc::UnboundedSender<Result<Bytes, String>>>>,
    /// Bytes of input that were asked for and did not arrive yet: what bounds the queue above.
    wanted: AtomicUsize,
}

/// A frame on its way to the socket.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) frame: Frame<ToClient>,
    /// Given back when it is written.
    _room: Option<OwnedSemaphorePermit>,
}

impl From<ToClient> for Outgoing {
    fn from(message: ToClient) -> Self {
        Self { frame: Frame::Message(message), _room: None }
    }
}

impl Far {
    /// A screen whose user can be asked or not, and the frames that are to be written to it.
    pub(crate) fn new(asks: bool) -> (Self, mpsc::Receiver<Outgoing>) {
        let (queue, outgoing) = mpsc::channel(MAX_QUEUED);
        let (arrived, arriving) = mpsc::unbounded_channel();
        let shared = Shared {
            queue,
            asks,
            next: AtomicU32::new(0),
            questions: Mutex::default(),
            given_up: Notify::new(),
            room: Arc::new(Semaphore::new(WINDOW)),
            input: tokio::sync::Mutex::new(arriving),
            arrived: Mutex::new(Some(arrived)),
            wanted: AtomicUsize::new(0),
        };
        (Self(Arc::new(shared)), outgoing)
    }

    /// Bytes of its input. Whether they had been asked for.
    pub(crate) fn arrived(&self, data: &Bytes) -> bool {
        let take = |wanted: usize| wanted.checked_sub(data.len()).filter(|_| !data.is_empty());
        let taken = self.0.wanted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        if let Some(arrived) = &*self.0.arrived.lock().unwrap_or_else(PoisonError::into_inner) {
            // One that is read no longer is no concern of his who writes it.
            let _ = arrived.send(Ok(data.clone()));
        }
        taken
    }

    /// Its input has ended, or could not be read any further.
    pub(crate) fn input_ended(&self, error: Option<String>) {
        let arrived = self.0.arrived.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(arrived), Some(error)) = (arrived, error) {
            let _ = arrived.send(Err(error));
        }
    }

    /// Until it was given up.
    pub(crate) async fn given_up(&self) {
        self.0.given_up.notified().await;
    }

    /// The last frame.
    pub(crate) async fn end(&self, message: ToClient) {
        // One that is gone needs no last word.
        let _ = self.0.queue.send(message.into()).await;
    }

    pub(super) fn tell(&self, event: &Event) {
        self.queue(ToClient::Tell(event.clone()));
    }

    pub(super) fn note(&self, text: String) {
        self.queue(ToClient::Note(text));
    }

    pub(super) fn passed(&self, passed: Passed) {
        self.queue(ToClient::Passed(passed));
    }

    pub(super) fn can_ask(&self) -> bool {
        self.0.asks
    }

    pub(super) async fn ask(&self, question: &str) -> Option<String> {
        let number = self.number();
        let answered = self.expect_answer(number);
        self.queue(ToClient::Ask { question: number, text: question.to_owned() });
        answered.await.ok().flatten()
    }

    fn expect_answer(&self, question: u32) -> oneshot::Receiver<Option<String>> {
        let (answer, answered) = oneshot::channel();
        let mut questions = self.questions();
        questions.retain(|_, answer| !answer.is_closed());
        questions.insert(question, answer);
        answered
    }

    /// Its user answered. One who was not asked is not heard.
    pub(crate) fn answer(&self, question: u32, line: Option<String>) {
        if let Some(answer) = self.questions().remove(&question) {
            // Nobody wants to know any more where the order was taken back.
            let _ = answer.send(line);
        }
    }

    pub(super) async fn room(&self) {
        // Closed where the other process is gone: then there is nothing to wait for.
        let _ = self.0.queue.reserve_many(MAX_QUEUED / 2).await;
    }

    /// Bytes for the process' standard output. Waits while it has [`WINDOW`] to write.
    pub(crate) async fn data(&self, data: Bytes) -> io::Result<()> {
        for at in (0..data.len()).step_by(MAX_DATA) {
            let part = data.slice(at..data.len().min(at + MAX_DATA));
            let room = Arc::clone(&self.0.room).acquire_many_owned(part.len() as u32).await;
            let outgoing =
                Outgoing { frame: Frame::Data(part), _room: Some(room.map_err(io::Error::other)?) };
            let sent = self.0.queue.send(outgoing).await;
            sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        }
        Ok(())
    }

    /// The next bytes of the process' standard input; `None` at its end. One reader at a time.
    pub(crate) async fn input(&self) -> io::Result<Option<Bytes>> {
        let mut input = self.0.input.lock().await;
        let wanted = self.0.wanted.load(Ordering::Relaxed);
        if input.is_empty() && wanted <= WINDOW / 2 {
            self.0.wanted.fetch_add(WINDOW - wanted, Ordering::Relaxed);
            let want = ToClient::Want { bytes: (WINDOW - wanted) as u32 };
            let sent = self.0.queue.send(want.into()).await;
            sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        }
        input.recv().await.transpose().map_err(io::Error::other)
    }

    pub(super) fn progress(&self, name: &str, total: Option<u64>) -> Bar {
        let bar = self.number();
        self.queue(ToClient::Bar { bar, name: name.to_owned(), total });
        Bar { far: self.clone(), bar, total, last: None }
    }

    pub(super) fn waiting(&self, text: &str) -> Bar {
        let bar = self.number();
        self.queue(ToClient::BarWaiting { bar, text: text.to_owned() });
        Bar { far: self.clone(), bar, total: None, last: None }
    }

    fn number(&self) -> u32 {
        self.0.next.fetch_add(1, Ordering::Relaxed)
    }

    fn questions(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, oneshot::Sender<Option<String>>>> {
        self.0.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self, message: ToClient) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.0.queue.try_send(message.into()) {
            self.0.given_up.notify_one();
        }
    }
}

/// A bar on another process' screen. Gone when it is dropped.
pub(crate) struct Bar {
    far: Far,
    bar: u32,
    total: Option<u64>,
    last: Option<Instant>,
}

impl fmt::Debug for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bar").field("bar", &self.bar).finish_non_exhaustive()
    }
}

impl Bar {
    pub(super) fn at(&mut self, bytes: u64) {
        let due = self.last.is_none_or(|last| last.elapsed() >= BAR_EVERY);
        if due || Some(bytes) == self.total {
            self.last = Some(Instant::now());
            self.far.queue(ToClient::BarAt { bar: self.bar, bytes });
        }
    }

    pub(super) fn say(&self, text: String) {
        self.far.queue(ToClient::BarSay { bar: self.bar, text });
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.far.queue(ToClient::BarGone { bar: self.bar });
    }
}
