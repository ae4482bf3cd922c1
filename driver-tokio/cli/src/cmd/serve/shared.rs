//! The store that several servers share: Redis, from version 7 on, one or a cluster of them.
//!
//! | key | what it holds | until |
//! |---|---|---|
//! | `handfast:{ID}:announced` | what a node announced, as a hash | its lease ends |
//! | `handfast:{ID}:seq` | the highest number that was seen of it | seven days after that |
//! | `handfast:{SHORT ID}:is` | the id, for whoever asks by the other | as the number |
//! | `handfast:{ID}:changes` | nothing: a sharded channel, on which changes are told | |
//!
//! Keeps nothing itself but whom the server has subscribers for. What Redis did not acknowledge is not done, and what it
//! acknowledged lasts as it is configured to.

mod address;
mod keys;
mod watching;

pub(crate) use address::Address;

use crate::exit::{Failure, Kind};
use futures_util::future::{join, try_join_all};
use handfast_core::directory::{DirectoryEntry, DirectoryReply, DirectoryRequest};
use handfast_core::{Fingerprint, PeerId};
use handfast_tokio::{Changes, Directory, DirectoryFuture};
use keys::Fields;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    Client, Cmd, FromRedisValue, IntoConnectionInfo as _, ProtocolVersion, PushInfo, PushKind, Value,
};
use redis::{RedisError, RedisResult};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::time::timeout;
use watching::Watching;

/// How long it takes at most to connect, and for one command to be answered.
const COMMAND: Duration = Duration::from_secs(2);
/// How long all takes that a request needs. The server waits for five seconds.
const REQUEST: Duration = Duration::from_secs(4);
/// How long a server waits for its store when it starts.
const START: Duration = Duration::from_secs(10);
/// How long the number of what is gone is remembered.
const GRAVE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The shared store, as one server uses it.
pub(super) struct Shared {
    link: Link,
    hub: Arc<Hub>,
}

/// What is told goes through here.
#[derive(Default)]
struct Hub {
    watching: Watching,
    /// Set once the server has begun.
    changes: OnceLock<Changes>,
    failures: Failures,
}

/// How often the store failed to do what it was asked. Clones are the same count.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures(Arc<AtomicU64>);

impl Failures {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection to the store, or to all nodes of a cluster. Clones use the same.
#[derive(Clone)]
enum Link {
    One(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Shared {
    /// Connects to the store.
    pub(super) async fn connect(address: &Address) -> Result<Self, Failure> {
        let hub = Arc::new(Hub::default());
        let connected = timeout(START, async {
            let mut link = Link::connect(address, &hub).await?;
            // A server without the means would find out with its first client.
            link.query::<Value>(&redis::cmd("PING")).await?;
            Ok::<_, RedisError>(link)
        });
        match connected.await {
            Ok(Ok(link)) => Ok(Self { link, hub }),
            Ok(Err(error)) => Err(Kind::Unreachable.because(format_args!("the store: {error}"))),
            Err(_) => Err(Kind::Unreachable.because("the store does not answer")),
        }
    }

    /// Counts what the store fails to do.
    pub(super) fn failures(&self) -> Failures {
        self.hub.failures.clone()
    }
}

impl Directory for Shared {
    fn begin(&self, changes: Changes) {
        let (hub, link) = (Arc::clone(&self.hub), self.link.clone());
        let told = changes.clone();
        tokio::spawn(async move { hub.watching.run(link, told).await });
        // It begins once.
        let _ = self.hub.changes.set(changes);
    }

    fn ask(&self, request: DirectoryRequest) -> DirectoryFuture {
        // In the order in which it is asked.
        match &request {
            DirectoryRequest::Watch(ids) => self.hub.watching.want(ids),
            DirectoryRequest::Unwatch(ids) => self.hub.watching.leave(ids),
            DirectoryRequest::Put(_)
            | DirectoryRequest::Refresh { .. }
            | DirectoryRequest::Withdraw { .. }
            | DirectoryRequest::Get(_) => {}
        }
        let (link, hub) = (self.link.clone(), Arc::clone(&self.hub));
        Box::pin(async move {
            if let Ok(Ok(reply)) = timeout(REQUEST, serve(link, &hub, request)).await {
                return reply;
            }
            hub.failures.0.fetch_add(1, Ordering::Relaxed);
            DirectoryReply::Failed
        })
    }
}

async fn serve(link: Link, hub: &Hub, request: DirectoryRequest) -> RedisResult<DirectoryReply> {
    match request {
        DirectoryRequest::Put(entry) => put(link, &entry).await,
        DirectoryRequest::Refresh { owner, sha1, seq, expires_s } => {
            refresh(link, (owner, sha1), seq, expires_s).await
        }
        DirectoryRequest::Withdraw { owner, sha1, seq } => withdraw(link, owner, sha1, seq).await,
        DirectoryRequest::Get(ids) => get(link, ids).await,
        DirectoryRequest::Watch(ids) => {
            hub.watching.all(&ids).await;
            get(link, ids).await
        }
        DirectoryRequest::Unwatch(_) => Ok(DirectoryReply::Done),
    }
}

async fn put(mut link: Link, entry: &DirectoryEntry) -> RedisResult<DirectoryReply> {
    let (name, lease, message) = (keys::name(&entry.owner), left(entry.expires_s), keys::message(entry));
    let mut script = script(
        include_str!("shared/put.lua"),
        &[keys::number(&name), keys::announcement(&name), keys::channel(&name)],
    );
    script.arg(keys::digits(entry.seq)).arg(millis(lease + GRAVE)).arg(millis(lease));
    script.arg(&message).arg(&entry.record[..]).arg(&entry.sha1[..]).arg(keys::addresses(entry));
    script.arg(entry.announced_s).arg(entry.expires_s);
    let ((), outcome) = join(alias(link.clone(), name, entry.sha1, lease), link.query(&script)).await;
    Ok(reply(link, entry.sha1, message, outcome?))
}

async fn refresh(
    mut link: Link,
    (owner, sha1): (Fingerprint, [u8; 20]),
    seq: u64,
    expires_s: u64,
) -> RedisResult<DirectoryReply> {
    let (name, lease) = (keys::name(&owner), left(expires_s));
    let mut script =
        script(include_str!("shared/refresh.lua"), &[keys::number(&name), keys::announcement(&name)]);
    script.arg(keys::digits(seq)).arg(millis(lease + GRAVE)).arg(millis(lease));
    script.arg(expires_s.saturating_sub(lease.as_secs())).arg(expires_s);
    let ((), outcome) = join(alias(link.clone(), name, sha1, lease), link.query::<String>(&script)).await;
    Ok(done(&outcome?))
}

async fn withdraw(
    mut link: Link,
    owner: Fingerprint,
    sha1: [u8; 20],
    seq: u64,
) -> RedisResult<DirectoryReply> {
    let (name, message) = (keys::name(&owner), keys::gone(owner, sha1, seq));
    let mut script = script(
        include_str!("shared/withdraw.lua"),
        &[keys::number(&name), keys::announcement(&name), keys::channel(&name)],
    );
    script.arg(keys::digits(seq)).arg(millis(GRAVE)).arg(&message);
    let outcome = link.query(&script).await?;
    Ok(reply(link, sha1, message, outcome))
}

/// Notes what a short name is short for. It is in another slot of a cluster, perhaps with a node that is down: that
/// keeps nobody from being found by his own name.
async fn alias(mut link: Link, name: PeerId, sha1: [u8; 20], lease: Duration) {
    let mut cmd = redis::cmd("SET");
    cmd.arg(keys::alias(&PeerId::Sha1(sha1))).arg(name.to_string()).arg("PX").arg(millis(lease + GRAVE));
    // Written again with the next renewal.
    let _ = timeout(COMMAND, link.query::<Value>(&cmd)).await;
}

/// All of them, or an error: a server that cannot look says so, rather than that nobody is there.
async fn get(link: Link, ids: Vec<PeerId>) -> RedisResult<DirectoryReply> {
    let one = |id: PeerId| {
        let mut link = link.clone();
        async move {
            let owner = match id {
                PeerId::Sha256(owner) => Fingerprint::from_bytes(owner),
                PeerId::Sha1(_) => {
                    let mut cmd = redis::cmd("GET");
                    cmd.arg(keys::alias(&id));
                    let name: Option<String> = link.query(&cmd).await?;
                    match name.and_then(|name| name.parse().ok()) {
                        Some(PeerId::Sha256(owner)) => Fingerprint::from_bytes(owner),
                        Some(PeerId::Sha1(_)) | None => return Ok(None),
                    }
                }
            };
            let fields: Fields = link.query(&keys::get(&keys::name(&owner))).await?;
            Ok::<_, RedisError>(keys::read(owner, fields))
        }
    };
    Ok(DirectoryReply::Found(try_join_all(ids.into_iter().map(one)).await?))
}

/// What a script did, told as well to who subscribed by the short name: a channel in another slot of a cluster.
fn reply(mut link: Link, sha1: [u8; 20], message: Vec<u8>, outcome: String) -> DirectoryReply {
    if outcome == "changed" {
        tokio::spawn(async move {
            let mut cmd = redis::cmd("SPUBLISH");
            cmd.arg(keys::channel(&PeerId::Sha1(sha1))).arg(message);
            // It is done all the same.
            let _ = timeout(COMMAND, link.query::<Value>(&cmd)).await;
        });
    }
    done(&outcome)
}

fn done(outcome: &str) -> DirectoryReply {
    match outcome {
        "changed" | "same" => DirectoryReply::Done,
        held => DirectoryReply::Stale { seq: held.parse().unwrap_or(0) },
    }
}

/// A script, whole: one that a store was restarted without would have to be sent again.
fn script(text: &str, keys: &[String]) -> Cmd {
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(text).arg(keys.len()).arg(keys);
    cmd
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How long it is until then, by this host's clock; a second at least.
fn left(expires_s: u64) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(expires_s).saturating_sub(now).max(Duration::from_secs(1))
}

impl Hub {
    /// Something that the store says unasked.
    fn hear(&self, push: &PushInfo) {
        match (&push.kind, &push.data[..]) {
            (PushKind::SMessage, [_, Value::BulkString(message)]) => {
                if let (Some(changes), Some(change)) = (self.changes.get(), keys::change(message)) {
                    changes.tell(&change);
                }
            }
            // A slot moved to another node, or it is what was asked for.
            (PushKind::SUnsubscribe, [Value::BulkString(channel), ..]) => {
                if let Some(id) = keys::of_channel(channel) {
                    self.watching.left(id);
                }
            }
            (PushKind::Disconnection, _) => self.watching.lose(),
            _ => {}
        }
    }
}

impl Link {
    async fn connect(address: &Address, hub: &Arc<Hub>) -> RedisResult<Self> {
        let hub = Arc::clone(hub);
        let hear = move |push: PushInfo| {
            hub.hear(&push);
            Ok::<(), RedisError>(())
        };
        match address {
            Address::One(url) => {
                let info = url.as_str().into_connection_info()?;
                let resp3 = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
                let client = Client::open(info.set_redis_settings(resp3))?;
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(COMMAND))
                    .set_response_timeout(Some(COMMAND))
                    .set_max_delay(COMMAND)
                    .set_push_sender(hear);
                Ok(Self::One(ConnectionManager::new_with_config(client, config).await?))
            }
            Address::Cluster(urls) => {
                let client = ClusterClient::builder(urls.iter().map(String::as_str))
                    .use_protocol(ProtocolVersion::RESP3)
                    .connection_timeout(COMMAND)
                    .response_timeout(COMMAND)
                    .overall_response_timeout(Some(REQUEST))
                    .push_sender(hear)
                    .build()?;
                Ok(Self::Cluster(client.get_async_connection().await?))
            }
        }
    }

    async fn query<T: FromRedisValue>(&mut self, cmd: &Cmd) -> RedisResult<T> {
        match self {
            Self::One(connection) => cmd.query_async(connection).await,
            Self::Cluster(connection) => cmd.query_async(connection).await,
        }
    }

    /// Subscribes to the changes of a peer, or ends that. Whether it worked.
    async fn subscribe(&mut self, id: &PeerId, begins: bool) -> bool {
        let channel = keys::channel(id);
        let worked = match (self, begins) {
            (Self::Cluster(connection), true) => timeout(REQUEST, connection.ssubscribe(channel)).await,
            (Self::Cluster(connection), false) => timeout(REQUEST, connection.sunsubscribe(channel)).await,
            (one @ Self::One(_), begins) => {
                let mut cmd = redis::cmd(if begins { "SSUBSCRIBE" } else { "SUNSUBSCRIBE" });
                cmd.arg(channel);
                timeout(REQUEST, async { one.query::<Value>(&cmd).await.map(drop) }).await
            }
        };
        matches!(worked, Ok(Ok(())))
    }
}

#[cfg(test)]
mod tests;
