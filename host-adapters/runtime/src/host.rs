//! What the runtime needs from outside: the platform, the cache, variables, outbound HTTP, a place for logs.

use bytes::Bytes;
use platform_wire::Platform;
use std::sync::Arc;

/// The world outside the sandbox, as one object.
#[async_trait::async_trait]
pub trait Host: Send + Sync + 'static {
    /// Tables, queues, documents, identity; it checks grants by itself.
    fn platform(&self) -> &Arc<dyn Platform>;

    /// Opens the cache at `address` for a component, or says why not (grant, address).
    async fn open_cache(&self, component: &str, address: &str) -> Result<Arc<dyn Cache>, CacheError>;

    /// The value of a variable of a component; `None` if it declares none of that name.
    fn variable(&self, component: &str, name: &str) -> Option<String>;

    /// Sends an outbound HTTP request of a component, if it may.
    async fn send_http(&self, component: &str, request: http::Request<Bytes>) -> Result<Sent, SendError>;

    /// Takes one line that a component wrote to standard output or standard error.
    fn log(&self, component: &str, digest: &str, line: &str);
}

/// An answer to an outbound request.
pub struct Sent {
    /// The answer.
    pub response: http::Response<Bytes>,
    /// Set if the answer means that the whole service is down (502, 503, 504 after the retries): its name.
    pub outage: Option<String>,
}

/// Why an outbound request has no answer.
#[derive(Debug)]
pub struct SendError {
    /// What kind of failure the guest sees.
    pub kind: SendErrorKind,
    /// For the host's log; a guest does not see it.
    pub message: String,
    /// Set if the whole service is down: its name.
    pub outage: Option<String>,
}

/// The failures of an outbound request that a guest can tell apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SendErrorKind {
    /// The manifest does not allow the host.
    Denied,
    /// Not connected, or the connection broke.
    Connection,
    /// No answer in time.
    TimedOut,
    /// Anything else.
    Other,
}

/// `spin:redis` as a backend sees it; keys are strings, values bytes.
#[async_trait::async_trait]
#[allow(missing_docs, reason = "each method is the function of spin:redis of its name")]
pub trait Cache: Send + Sync + 'static {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CacheError>;
    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), CacheError>;
    async fn incr(&self, key: &str) -> Result<i64, CacheError>;
    async fn del(&self, keys: &[String]) -> Result<u32, CacheError>;
    async fn publish(&self, channel: &str, payload: Vec<u8>) -> Result<(), CacheError>;
    async fn execute(&self, command: &str, arguments: Vec<CacheValue>) -> Result<Vec<CacheValue>, CacheError>;
}

/// A parameter or result of [`Cache::execute`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CacheValue {
    /// No value.
    Nil,
    /// A status reply such as `OK`.
    Status(String),
    /// An integer.
    Int(i64),
    /// Bytes.
    Binary(Vec<u8>),
}

/// Errors of the cache.
#[derive(Clone, Debug, thiserror::Error, Eq, PartialEq)]
pub enum CacheError {
    /// Not an address of a cache, or not one the component may open.
    #[error("{0}")]
    InvalidAddress(String),
    /// The value is not of the type that the command needs.
    #[error("the value has another type")]
    Type,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}
