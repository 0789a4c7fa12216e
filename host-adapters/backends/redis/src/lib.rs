//! The cache in Redis, over one multiplexed connection that reconnects by itself.

mod config;

pub use config::RedisConfig;
pub use config::RedisConfig as Config;

use host_adapters_platform::count_cache_get;
use host_adapters_records::cache::{CacheArgument, CacheBackend, CacheError, CacheReply};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisError, Value};
use std::time::Duration;

/// The time-out of a command. A slower cache is worse than none.
const ANSWER: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(2);

type Result<T> = std::result::Result<T, CacheError>;

/// A Redis server.
#[derive(Clone)]
pub struct Redis(ConnectionManager);

impl Redis {
    /// The server at `url` (`redis://` or `rediss://`); connects at first use.
    ///
    /// # Errors
    /// When the address is invalid. The error does not quote it, because it may contain a password.
    pub fn new(url: &str) -> std::result::Result<Self, String> {
        let wrong = |error: RedisError| format!("not a Redis address: {:?}", error.kind());
        let client = Client::open(url).map_err(wrong)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_max_delay(Duration::from_secs(1))
            .set_number_of_retries(1);
        Ok(Self(ConnectionManager::new_lazy_with_config(client, config).map_err(wrong)?))
    }

    /// Checks that the server answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn probe(&self) -> Result<()> {
        self.query::<String>(redis::cmd("PING")).await.map(drop)
    }

    async fn query<T: FromRedisValue>(&self, command: Cmd) -> Result<T> {
        command.query_async(&mut self.0.clone()).await.map_err(|failed| error(&failed))
    }
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
        let value: Option<Vec<u8>> = self.query(on("GET", key, &[])).await?;
        count_cache_get(value.is_some());
        Ok(value)
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
        Ok(match self.query(command).await? {
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
