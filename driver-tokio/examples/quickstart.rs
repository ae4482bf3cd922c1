//! Two devices meet, pair by a code, and one sends a line to the other.
//!
//! ```text
//! quickstart          on one device: shows a code, then what it is sent
//! quickstart CODE     on the other: finds the first, pairs with it, and sends
//! ```
//!
//! Keeps its key and its pairings in the current folder. Run it once more without a code on both, and it pairs anew.

#![expect(clippy::print_stdout, reason = "an example talks to people")]

use handfast_tokio::{Config, Event, Node, RedbStore, ServiceName, Target};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    quickstart().await
}

async fn quickstart() -> Result<(), Box<dyn std::error::Error>> {
    let store = RedbStore::open("my-notes.redb".as_ref())?; // this device's key, and the paired devices
    let config = Config::new(ServiceName::new("my-notes")?);
    let node = Node::builder(config, store.identity()).with_store(store).start().await?;

    if let Some(code) = std::env::args().nth(1) {
        let mut events = node.events();
        let shows_code = loop {
            match events.next().await {
                Some(Event::PeerDiscovered(peer) | Event::PeerUpdated(peer)) if peer.pairing => {
                    break peer.id;
                }
                Some(_) => {}
                None => return Err("the node was stopped".into()),
            }
        };
        let peer = node.pair_join(code.parse()?, Target::Peer(shows_code)).await?;
        let mut note = node.peer(peer.id).open_uni("note").await?;
        note.write_all(b"hello").await?;
        note.finish()?;
        note.delivered().await?;
    } else {
        let hosting = node.pair_host(Target::Any)?;
        println!("type {} on the other device", hosting.code());
        hosting.outcome().await?;
        let stream = node.accept().await.ok_or("the node was stopped")?;
        println!("a {} of {}:", stream.label(), stream.peer());
        let (_, mut note) = stream.accept();
        println!("{}", String::from_utf8_lossy(&note.read_to_end(1024).await?.unwrap_or_default()));
    }
    node.shutdown().await;
    Ok(())
}
