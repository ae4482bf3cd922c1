//! Two people, paired by a code, type lines to each other.
//!
//! ```text
//! chat --port 5223                              shows a pairing code and waits
//! chat --addr 127.0.0.1:5223 --code 482-1935    pairs, and connects
//! ```
//!
//! Uses the loopback interface alone, so that nothing leaves the machine; `--interface` names another.

#![expect(clippy::print_stdout, reason = "an example talks to people")]

use handfast_tokio::{Config, Interfaces, Node, RecvStream, ServiceName, Target, new_identity};
use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let typed = async || tokio::task::spawn_blocking(line).await.ok().flatten();
    let spawn = |task| drop(tokio::spawn(task));
    chat(typed, spawn).await
}

/// What was said on the command line.
#[derive(Default)]
struct Options {
    port: u16,
    address: Option<SocketAddr>,
    code: Option<String>,
    interface: Option<String>,
}

impl Options {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let mut options = Self::default();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
            match word.as_str() {
                "--port" => options.port = value.parse()?,
                "--addr" => options.address = Some(value.parse()?),
                "--code" => options.code = Some(value),
                "--interface" => options.interface = Some(value),
                _ => return Err(format!("unknown option {word}").into()),
            }
        }
        Ok(options)
    }
}

/// A line that was typed, or nothing at the end. Blocks.
fn line() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).ok()?;
    (read > 0).then_some(line)
}

async fn chat(typed: impl AsyncFn() -> Option<String>, spawn: impl Fn(Task)) -> Result<(), Box<dyn Error>> {
    let options = Options::parse()?;
    let interface = options.interface.unwrap_or_else(|| "lo".into());
    let config = Config::new(ServiceName::new("handfast-chat")?)
        .with_port(options.port)
        .with_interfaces(Interfaces::only([interface]));
    let node = Node::builder(config, new_identity()?).start().await?;

    let (mut send, recv) = match options.address {
        Some(address) => {
            let code = options.code.ok_or("--addr wants --code")?.parse()?;
            let peer = node.pair_join(code, Target::At(vec![address])).await?;
            node.add_address(peer.id, address);
            node.peer(peer.id).open_bi("chat").await?
        }
        None => {
            let hosting = node.pair_host(Target::Any)?;
            println!("the code is {}", hosting.code());
            hosting.outcome().await?;
            let stream = node.accept().await.ok_or("the node was stopped")?;
            let (send, recv) = stream.accept();
            (send.ok_or("a chat goes both ways")?, recv)
        }
    };
    // The other side sees the stream with its first byte.
    send.write_all(b"\n").await?;
    println!("connected; type lines, and end with ctrl-d");

    spawn(Box::pin(show(recv)));
    while let Some(line) = typed().await {
        send.write_all(line.as_bytes()).await?;
    }
    // The other side may have left first.
    let _ = send.finish();
    node.shutdown().await;
    Ok(())
}

/// Prints what the other side types.
async fn show(mut recv: RecvStream) {
    while let Ok(Some(chunk)) = recv.read_chunk().await {
        print!("{}", String::from_utf8_lossy(&chunk));
    }
    println!("the other side has left");
}
