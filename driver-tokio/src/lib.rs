//! Handfast on tokio: find the user's other devices, pair once, then fast private byte streams.
//!
//! ```no_run
//! use handfast_tokio::{Config, Node, ServiceName, Target, new_identity};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new(ServiceName::new("my-notes")?);
//! let node = Node::builder(config, new_identity()?).start().await?;
//!
//! // Once: show a code here, type it on the other device.
//! let hosting = node.pair_host(Target::Any)?;
//! println!("type {} on the other device", hosting.code());
//! let peer = hosting.outcome().await?;
//!
//! // From then on:
//! let connection = node.connect(peer.id).await?;
//! let mut stream = connection.open_uni("note").await?;
//! stream.write_all(b"hello").await?;
//! stream.finish()?;
//! stream.delivered().await?;
//! node.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! A node is one task: it is started and used within a tokio runtime that has its I/O and time drivers on. The twin crate for
//! smol has the same names.

mod runtime;
mod stream;

pub use handfast_driver::*;
pub use runtime::Runtime;
pub use stream::{RecvStream, SendStream};

/// A node on tokio.
pub type Node = handfast_driver::Node<Runtime>;
/// Builds a node on tokio.
pub type Builder = handfast_driver::Builder<Runtime>;
/// A connection on tokio.
pub type Connection = handfast_driver::Connection<Runtime>;
/// A stream that a peer opened, on tokio.
pub type Incoming = handfast_driver::Incoming<Runtime>;
/// A peer, connected or not, on tokio.
pub type PeerHandle = handfast_driver::PeerHandle<Runtime>;
/// A discovery server on tokio.
pub type Server = handfast_driver::Server<Runtime>;
/// Builds a discovery server on tokio.
pub type ServerBuilder = handfast_driver::ServerBuilder<Runtime>;

/// The examples of the README compile.
#[cfg(all(doctest, feature = "redb"))]
#[doc = include_str!("../../README.md")]
struct Readme;
