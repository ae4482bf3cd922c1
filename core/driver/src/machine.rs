//! What the loop drives: a pure state machine, and the attendant who serves its outputs.

use handfast_core::{Ask, Event, Interface, Node, Now, Opened, Output, Ready, Received, Server, SocketId};
use std::io;
use std::task::Waker;
use std::time::{Duration, Instant};

/// A pure state machine that speaks UDP: the verbs of [`handfast_core::Node`] that a loop needs.
pub trait Machine: Send + 'static {
    /// Takes one received buffer.
    fn handle_datagram(&mut self, now: Now, rx: Received);
    /// The time of the last [`Output::Wait`] has come.
    fn handle_timeout(&mut self, now: Now);
    /// Takes the list of interfaces, whole, each time it changes.
    fn handle_interfaces(&mut self, now: Now, list: &[Interface]);
    /// Answers [`Output::Open`]; an error later means that an open socket failed for good.
    fn handle_socket(&mut self, now: Now, id: SocketId, result: Result<Opened, io::ErrorKind>);
    /// The machine slept for so long.
    fn handle_wake(&mut self, now: Now, slept: Duration);
    /// What to do next. Called until [`Output::Wait`] or [`Output::Yield`].
    fn poll_output(&mut self, now: Now, buf: &mut Vec<u8>) -> Output;
    /// As [`Machine::poll_output`], but for what goes to the network: until [`Output::Wait`], whose deadline may have
    /// passed.
    fn poll_local(&mut self, now: Now) -> Output;
    /// Says goodbye and winds down.
    fn shutdown(&mut self, now: Now);
    /// After [`Machine::shutdown`]: nothing is left to send.
    fn is_drained(&self) -> bool;
}

macro_rules! machines {
    ($($machine:ty),*) => {$(
        impl Machine for $machine {
            fn handle_datagram(&mut self, now: Now, rx: Received) {
                self.handle_datagram(now, rx);
            }

            fn handle_timeout(&mut self, now: Now) {
                self.handle_timeout(now);
            }

            fn handle_interfaces(&mut self, now: Now, list: &[Interface]) {
                self.handle_interfaces(now, list);
            }

            fn handle_socket(&mut self, now: Now, id: SocketId, result: Result<Opened, io::ErrorKind>) {
                self.handle_socket(now, id, result);
            }

            fn handle_wake(&mut self, now: Now, slept: Duration) {
                self.handle_wake(now, slept);
            }

            fn poll_output(&mut self, now: Now, buf: &mut Vec<u8>) -> Output {
                self.poll_output(now, buf)
            }

            fn poll_local(&mut self, now: Now) -> Output {
                self.poll_local(now)
            }

            fn shutdown(&mut self, now: Now) {
                self.shutdown(now);
            }

            fn is_drained(&self) -> bool {
                self.is_drained()
            }
        }
    )*};
}
machines!(Node, Server);

/// Serves what a machine says to its application. Lives behind the machine's lock and never blocks: what
/// must happen without the lock goes to a queue, and wakers go into `wakers`, fired once it is released.
pub trait Attendant<M>: Send + 'static {
    /// A stream moved, or more may be opened.
    fn ready(&mut self, machine: &mut M, ready: Ready, wakers: &mut Vec<Waker>);
    /// Something happened.
    fn event(&mut self, machine: &mut M, event: Event, wakers: &mut Vec<Waker>);
    /// The machine asks.
    fn ask(&mut self, ask: Ask, wakers: &mut Vec<Waker>);
    /// The machine has said all there is for now. True if the attendant has given it something to do.
    fn idle(&mut self, machine: &mut M, now: Now, wakers: &mut Vec<Waker>) -> bool;
    /// When something that the attendant keeps the time for is due.
    fn deadline(&self) -> Option<Instant>;
    /// The time is now: does what is due.
    fn handle_timeout(&mut self, now: Instant, wakers: &mut Vec<Waker>);
    /// The loop is over: nobody may wait any longer.
    fn stopped(&mut self, wakers: &mut Vec<Waker>);
}
