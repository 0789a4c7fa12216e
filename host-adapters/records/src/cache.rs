//! The cache, as `spin:redis` needs it, independent of the server.

/// A cache with Redis's semantics for strings and sets.
#[async_trait::async_trait]
pub trait CacheBackend: Send + Sync + 'static {
    /// The value of a key.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CacheError>;
    /// Sets a value whose lifetime does not end.
    async fn set(&self, key: &str, value: &[u8]) -> Result<(), CacheError>;
    /// Adds 1 to a number, which is 0 if it does not exist; returns the sum.
    async fn incr(&self, key: &str) -> Result<i64, CacheError>;
    /// Deletes keys; returns how many existed.
    async fn del(&self, keys: &[String]) -> Result<u32, CacheError>;
    /// Adds members to a set; returns how many are new.
    async fn sadd(&self, key: &str, members: &[String]) -> Result<u32, CacheError>;
    /// Removes members of a set; returns how many existed.
    async fn srem(&self, key: &str, members: &[String]) -> Result<u32, CacheError>;
    /// The members of a set, in any order.
    async fn smembers(&self, key: &str) -> Result<Vec<String>, CacheError>;
    /// Sends a payload to the present listeners of a channel.
    async fn publish(&self, channel: &str, payload: &[u8]) -> Result<(), CacheError>;
    /// Runs any other command. A Redis list is returned as its elements.
    async fn execute(&self, command: &str, arguments: &[CacheArgument]) -> Result<Vec<CacheReply>, CacheError>;
}

/// An argument of a command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CacheArgument {
    /// A number.
    Int(i64),
    /// Any other value.
    Bytes(Vec<u8>),
}

/// A reply to a command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CacheReply {
    /// No value.
    Nil,
    /// A status, `OK`.
    Status(String),
    /// A number.
    Int(i64),
    /// A value.
    Bytes(Vec<u8>),
}

/// Why a command failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CacheError {
    /// The key holds another type of value.
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    /// The command itself is wrong or unknown.
    #[error("{0}")]
    Invalid(String),
    /// The cache is full or cannot be reached.
    #[error("{0}")]
    Unavailable(String),
}
