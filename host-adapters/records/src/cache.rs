//! The cache as `spin:redis` needs it, independent of the server.

/// A cache with Redis's semantics for strings and sets.
#[async_trait::async_trait]
pub trait CacheBackend: Send + Sync + 'static {
    /// The value of a key.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CacheError>;
    /// Sets a value, without an end.
    async fn set(&self, key: &str, value: &[u8]) -> Result<(), CacheError>;
    /// Adds one to a number, an absent one being 0; answers the sum.
    async fn incr(&self, key: &str) -> Result<i64, CacheError>;
    /// Deletes keys; answers how many there were.
    async fn del(&self, keys: &[String]) -> Result<u32, CacheError>;
    /// Adds members to a set; answers how many are new.
    async fn sadd(&self, key: &str, members: &[String]) -> Result<u32, CacheError>;
    /// Removes members of a set; answers how many there were.
    async fn srem(&self, key: &str, members: &[String]) -> Result<u32, CacheError>;
    /// The members of a set, in any order.
    async fn smembers(&self, key: &str) -> Result<Vec<String>, CacheError>;
    /// Sends a payload to all who listen to a channel at this moment.
    async fn publish(&self, channel: &str, payload: &[u8]) -> Result<(), CacheError>;
    /// Any other command; a Redis list answers with its elements.
    async fn execute(&self, command: &str, arguments: &[CacheArgument]) -> Result<Vec<CacheReply>, CacheError>;
}

/// An argument of a command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CacheArgument {
    /// A number.
    Int(i64),
    /// Anything else.
    Bytes(Vec<u8>),
}

/// What a command answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CacheReply {
    /// Nothing.
    Nil,
    /// A status, `OK`.
    Status(String),
    /// A number.
    Int(i64),
    /// A value.
    Bytes(Vec<u8>),
}

/// Why the cache did not do it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CacheError {
    /// The key holds another type of value.
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    /// The command itself is wrong, or not one that this cache knows.
    #[error("{0}")]
    Invalid(String),
    /// The cache is full or cannot be reached.
    #[error("{0}")]
    Unavailable(String),
}
