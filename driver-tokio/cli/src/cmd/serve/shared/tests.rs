//! The shared store with the real Redis, on loopback. Where there is none this says so loudly, unless
//! `HANDFAST_ALL_TESTS=1`.

use super::*;
use handfast_tokio::{Interfaces, Server, ServerConfig};
use std::io;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// A machine may be slow, and do ten other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Redis of the test's own: gone with it.
struct Redis {
    port: u16,
    folder: TempDir,
    child: Child,
}

impl Redis {
    /// `None` where there is no Redis.
    fn start() -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        match run(free.port(), &folder) {
            Ok(child) => Some(Self { port: free.port(), folder, child }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let all = std::env::var_os("HANDFAST_ALL_TESTS").is_some_and(|set| set == "1");
                assert!(!all, "HANDFAST_ALL_TESTS=1, and a test cannot run: redis-server is missing");
                // Past the test harness, which would swallow it.
                let _ = io::Write::write_all(&mut io::stderr(), b"SKIPPED, for want of redis-server\n");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = run(self.port, &self.folder).unwrap();
    }

    fn address(&self) -> Address {
        format!("redis://127.0.0.1:{}", self.port).parse().unwrap()
    }

    /// A server's end of it.
    async fn connect(&self) -> Shared {
        let begun = Instant::now();
        loop {
            match Shared::connect(&self.address()).await {
                Ok(shared) => return shared,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{error:?}"),
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(port: u16, folder: &TempDir) -> io::Result<Child> {
    let port = port.to_string();
    let command = ["--port", &port, "--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always"];
    let mut redis = Command::new("redis-server");
    redis.args(command).args(["--save", "", "--dir"]).arg(folder.path());
    redis.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

fn owner(n: u8) -> Fingerprint {
    Fingerprint::from_bytes([n; 32])
}

fn id(n: u8) -> PeerId {
    PeerId::Sha256([n; 32])
}

fn entry(n: u8, seq: u64, lease_s: u64) -> DirectoryEntry {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    DirectoryEntry {
        owner: owner(n),
        sha1: [n; 20],
        seq,
        record: format!("record {seq}").into(),
        addresses: vec!["192.0.2.1:7".parse().unwrap(), "[2001:db8::1]:7".parse().unwrap()],
        announced_s: now,
        expires_s: now + lease_s,
    }
}

fn put(entry: &DirectoryEntry) -> DirectoryRequest {
    DirectoryRequest::Put(entry.clone())
}

fn refresh(n: u8, seq: u64, expires_s: u64) -> DirectoryRequest {
    DirectoryRequest::Refresh { owner: owner(n), sha1: [n; 20], seq, expires_s }
}

fn withdraw(n: u8, seq: u64) -> DirectoryRequest {
    DirectoryRequest::Withdraw { owner: owner(n), sha1: [n; 20], seq }
}

/// What there is of one, by his name.
async fn get(shared: &Shared, id: PeerId) -> Option<DirectoryEntry> {
    match shared.ask(DirectoryRequest::Get(vec![id])).await {
        DirectoryReply::Found(mut found) => found.pop().unwrap(),
        other => panic!("the store answers: {other:?}"),
    }
}

/// Asks until there is another answer than that the store failed.
async fn once_it_answers(shared: &Shared, request: &DirectoryRequest) -> DirectoryReply {
    let begun = Instant::now();
    loop {
        match shared.ask(request.clone()).await {
            DirectoryReply::Failed => assert!(begun.elapsed() < PATIENCE),
            reply => return reply,
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_highest_number_of_a_node_stays_whichever_server_it_comes_by() {
    let Some(redis) = Redis::start() else { return };
    let (one, other) = (redis.connect().await, redis.connect().await);
    // Beyond what is exact in the store's scripts.
    let seq = (1 << 60) + 1;
    let (first, next) = (entry(1, seq, 60), entry(1, seq + 1, 60));
    assert_eq!(one.ask(put(&first)).await, DirectoryReply::Done);
    assert_eq!(get(&other, id(1)).await, Some(first.clone()));
    assert_eq!(get(&other, PeerId::Sha1([1; 20])).await, Some(first.clone()), "by the other name");
    assert_eq!(get(&other, id(2)).await, None);
    assert_eq!(other.ask(put(&next)).await, DirectoryReply::Done);
    let stale = DirectoryReply::Stale { seq: seq + 1 };
    assert_eq!(one.ask(put(&first)).await, stale);
    assert_eq!(one.ask(put(&next)).await, DirectoryReply::Done, "the same may be said again");
    let another = DirectoryEntry { record: "another".into(), ..next.clone() };
    assert_eq!(one.ask(put(&another)).await, stale);
    assert_eq!(one.ask(refresh(1, seq, next.expires_s)).await, stale);
    assert_eq!(one.ask(refresh(1, seq + 1, next.expires_s + 9)).await, DirectoryReply::Done);
    let held = get(&other, id(1)).await.unwrap();
    assert_eq!((held.record, held.expires_s), (next.record.clone(), next.expires_s + 9));
    assert_eq!(one.ask(withdraw(1, seq)).await, stale);
    assert_eq!(other.ask(withdraw(1, seq + 1)).await, DirectoryReply::Done);
    assert_eq!(get(&one, id(1)).await, None);
    for request in [put(&next), refresh(1, seq + 1, next.expires_s)] {
        assert_eq!(one.ask(request).await, stale, "the number outlives what it was of");
    }
    assert_eq!(one.ask(refresh(3, 1, next.expires_s)).await, DirectoryReply::Stale { seq: 0 });
}

#[tokio::test]
async fn what_nobody_renews_is_gone_and_its_number_stays_for_seven_days() {
    let Some(redis) = Redis::start() else { return };
    let shared = redis.connect().await;
    assert_eq!(shared.ask(put(&entry(1, 5, 1))).await, DirectoryReply::Done);
    let begun = Instant::now();
    while get(&shared, id(1)).await.is_some() {
        assert!(begun.elapsed() < PATIENCE);
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(shared.ask(put(&entry(1, 4, 60))).await, DirectoryReply::Stale { seq: 5 });
    let mut link = shared.link.clone();
    let mut ttl = redis::cmd("TTL");
    let left: u64 = link.query(ttl.arg(keys::number(&id(1)))).await.unwrap();
    let week = GRAVE.as_secs();
    assert!((week - 120..=week + 1).contains(&left), "{left}");
}

#[tokio::test]
async fn a_store_that_is_down_fails_what_is_asked_and_what_it_acknowledged_outlives_its_crash() {
    let Some(mut redis) = Redis::start() else { return };
    let shared = redis.connect().await;
    let entry = entry(1, 5, 600);
    assert_eq!(shared.ask(put(&entry)).await, DirectoryReply::Done);
    redis.kill();
    let begun = Instant::now();
    while shared.ask(put(&entry)).await == DirectoryReply::Done {
        assert!(begun.elapsed() < PATIENCE);
    }
    assert_eq!(shared.ask(DirectoryRequest::Get(vec![id(1)])).await, DirectoryReply::Failed);
    assert!(shared.failures().count() > 0);
    redis.restart();
    let found = once_it_answers(&shared, &DirectoryRequest::Get(vec![id(1)])).await;
    assert_eq!(found, DirectoryReply::Found(vec![Some(entry)]));
}

#[tokio::test]
async fn whoever_is_watched_is_subscribed_to_also_after_the_store_was_restarted() {
    let Some(mut redis) = Redis::start() else { return };
    let (one, other) = (redis.connect().await, redis.connect().await);
    let twin = Shared { link: other.link.clone(), hub: Arc::clone(&other.hub) };
    let config = ServerConfig::new().with_interfaces(Interfaces::only(["lo"]));
    let identity = handfast_tokio::new_identity().unwrap();
    let server = Server::builder(config, identity).with_directory(other).start().await.unwrap();
    let names = [id(1), PeerId::Sha1([2; 20])];
    let watched = twin.ask(DirectoryRequest::Watch(names.to_vec())).await;
    assert_eq!(watched, DirectoryReply::Found(vec![None; 2]));
    let count = async |id| subscribers(&one, id).await;
    assert_eq!((count(names[0]).await, count(names[1]).await), (1, 1));
    redis.kill();
    redis.restart();
    once_it_answers(&one, &DirectoryRequest::Get(vec![id(1)])).await;
    for name in names {
        until_subscribers(&one, name, 1).await;
    }
    drop(twin.ask(DirectoryRequest::Unwatch(vec![names[0]])));
    until_subscribers(&one, names[0], 0).await;
    assert_eq!(count(names[1]).await, 1);
    server.shutdown().await;
}

/// How many connections subscribe to the changes of one.
async fn subscribers(shared: &Shared, id: PeerId) -> u64 {
    let mut count = redis::cmd("PUBSUB");
    count.arg("SHARDNUMSUB").arg(keys::channel(&id));
    let (_, count): (String, u64) = shared.link.clone().query(&count).await.unwrap();
    count
}

async fn until_subscribers(shared: &Shared, id: PeerId, number: u64) {
    let begun = Instant::now();
    while subscribers(shared, id).await != number {
        assert!(begun.elapsed() < PATIENCE);
        sleep(Duration::from_millis(20)).await;
    }
}
