//! The cache in Redis, over one multiplexed connection.
//!
//! A cache saves time, so a command has a short time-out, and a circuit breaker keeps commands from a server that hangs
//! or cannot be reached: while it is open they fail at once. Its probe is a command like any other.

mod config;

pub use config::RedisConfig;
pub use config::RedisConfig as Config;

use host_adapters_platform::circuit_breaker::CircuitBreaker;
use host_adapters_platform::count_cache_get;
use host_adapters_platform::retry::Backoff;
use host_adapters_records::cache::{CacheArgument, CacheBackend, CacheError, CacheReply};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisError, Value};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The time-out of a connection. No command waits for so long: the connection is made in the background.
const CONNECT: Duration = Duration::from_secs(2);
/// 1 while the circuit breaker is open.
const OPEN: &str = "registration_cache_circuit_breaker_open";

type Result<T> = std::result::Result<T, CacheError>;

/// A Redis server.
pub struct Redis {
    client: Client,
    connection: Mutex<ConnectionManager>,
    breaker: CircuitBreaker,
    timeout: Duration,
}

impl Redis {
    /// The server at `url` (`redis://` or `rediss://`), whose commands may take `timeout`. It begins to connect; a
    /// server that is down is not an error. Needs an async runtime.
    ///
    /// # Errors
    /// When the address is invalid. The error does not quote it, because it may contain a password.
    pub fn new(url: &str, timeout: Duration) -> std::result::Result<Self, String> {
        let wrong = |error: RedisError| format!("not a Redis address: {:?}", error.kind());
        let client = Client::open(url).map_err(wrong)?;
        let connection = Mutex::new(connecting(&client).map_err(wrong)?);
        metrics::describe_gauge!(OPEN, "1 while the circuit breaker of the cache is open");
        let breaker = CircuitBreaker::new("cache", Backoff::new(), metrics::gauge!(OPEN));
        Ok(Self { client, connection, breaker, timeout })
    }

    /// Checks that the server answers, and in time.
    ///
    /// # Errors
    /// When it does not.
    pub async fn probe(&self) -> Result<()> {
        let mut connection = self.connection().clone();
        redis::cmd("PING").exec_async(&mut connection).await.map_err(|failed| error(&failed))?;
        self.query::<String>(redis::cmd("PING")).await.map(drop)
    }

    /// Runs a command whose reply is of a known type. A reply of another type is the key's own fault, not the server's.
    async fn query<T: FromRedisValue>(&self, command: Cmd) -> Result<T> {
        redis::from_redis_value(self.ask(command).await?).map_err(|_| CacheError::WrongType)
    }

    async fn ask(&self, command: Cmd) -> Result<Value> {
        let Some(permit) = self.breaker.try_enter() else {
            return Err(CacheError::Unavailable("not asked: its circuit breaker is open".to_owned()));
        };
        let mut connection = self.connection().clone();
        let down = match tokio::time::timeout(self.timeout, command.query_async(&mut connection)).await {
            Ok(Ok(value)) => {
                permit.works();
                return Ok(value);
            }
            // An error that the server answers, of a full one for instance, costs no time.
            Ok(Err(refusal)) if refusal.code().is_some() => {
                permit.works();
                return Err(error(&refusal));
            }
            Ok(Err(failed)) => failed.to_string(),
            Err(_) => format!("no answer within {:?}", self.timeout),
        };
        if permit.down(down.clone()) {
            self.reconnect();
        }
        Err(CacheError::Unavailable(down))
    }

    /// Replaces the connection, because a dead connection is not noticed otherwise.
    fn reconnect(&self) {
        if let Ok(connection) = connecting(&self.client) {
            *self.connection() = connection;
        }
    }

    fn connection(&self) -> MutexGuard<'_, ConnectionManager> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is being made in the background, because that may take longer than a command may.
fn connecting(client: &Client) -> std::result::Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(CONNECT))
        .set_number_of_retries(0);
    let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
    let mut first = connection.clone();
    tokio::spawn(async move {
        // Whether it succeeds shows at the next command.
        let _ = redis::cmd("PING").exec_async(&mut first).await;
    });
    Ok(connection)
}

/// A command on a key, with further arguments.
fn on(command: &str, key: &str, arguments: &[String]) -> Cmd {
    let mut command = redis::cmd(command);
    command.arg(key).arg(arguments);
    command
}

#[async_trait::async_trait]
impl CacheBackend for Redis {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let value = self.query(on("GET", key, &[])).await;
        count_cache_get(&value);
        value
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(value);
        self.query(command).await
    }

    async fn incr(&self, key: &str) -> Result<i64> {
        self.query(on("INCR", key, &[])).await
    }

    async fn del(&self, keys: &[String]) -> Result<u32> {
        match keys.split_first() {
            None => Ok(0),
            Some((first, rest)) => self.query(on("DEL", first, rest)).await,
        }
    }

    async fn sadd(&self, key: &str, members: &[String]) -> Result<u32> {
        if members.is_empty() {
            return Ok(0);
        }
        self.query(on("SADD", key, members)).await
    }

    async fn srem(&self, key: &str, members: &[String]) -> Result<u32> {
        if members.is_empty() {
            return Ok(0);
        }
        self.query(on("SREM", key, members)).await
    }

    async fn smembers(&self, key: &str) -> Result<Vec<String>> {
        self.query(on("SMEMBERS", key, &[])).await
    }

    async fn publish(&self, channel: &str, payload: &[u8]) -> Result<()> {
        let mut command = redis::cmd("PUBLISH");
        command.arg(channel).arg(payload);
        self.query::<i64>(command).await.map(drop)
    }

    async fn execute(&self, command: &str, arguments: &[CacheArgument]) -> Result<Vec<CacheReply>> {
        let mut words = command.split_whitespace();
        let mut command = redis::cmd(words.next().unwrap_or_default());
        for word in words {
            command.arg(word);
        }
        for argument in arguments {
            match argument {
                CacheArgument::Int(number) => command.arg(*number),
                CacheArgument::Bytes(bytes) => command.arg(bytes),
            };
        }
        Ok(match self.ask(command).await? {
            Value::Array(values) | Value::Set(values) => values.into_iter().map(reply).collect(),
            value => vec![reply(value)],
        })
    }
}

fn reply(value: Value) -> CacheReply {
    match value {
        Value::Nil => CacheReply::Nil,
        Value::Okay => CacheReply::Status("OK".to_owned()),
        Value::SimpleString(status) => CacheReply::Status(status),
        Value::Int(number) => CacheReply::Int(number),
        Value::Boolean(bool) => CacheReply::Int(bool.into()),
        Value::BulkString(bytes) => CacheReply::Bytes(bytes),
        Value::Double(number) => CacheReply::Bytes(number.to_string().into_bytes()),
        other => CacheReply::Bytes(format!("{other:?}").into_bytes()),
    }
}

/// Classifies an error: a command that the server refuses is invalid; one that it cannot run now, or that did not reach
/// it, may succeed later.
fn error(failed: &RedisError) -> CacheError {
    match failed.code() {
        Some("WRONGTYPE") => CacheError::WrongType,
        Some("ERR" | "EXECABORT" | "NOSCRIPT" | "NOPERM" | "CROSSSLOT") => CacheError::Invalid(failed.to_string()),
        _ => CacheError::Unavailable(failed.to_string()),
    }
}
