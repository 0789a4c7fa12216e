//! What the runtime needs from outside: the platform, the cache, variables, outbound HTTP, logs.

use bytes::Bytes;
use host_adapters_records::Platform;
use host_adapters_records::cache::CacheBackend;
use std::borrow::Cow;
use std::sync::Arc;

/// The world outside the sandbox, as one object. A component is named by its id and the digest of the version that
/// asks.
#[async_trait::async_trait]
pub trait Host: Send + Sync + 'static {
    /// Tables, queues, documents, identity; it checks grants by itself.
    fn platform(&self) -> &Arc<dyn Platform>;

    /// The cache at `address`; `None` if the component may not open it, or there is none (the host logs which).
    async fn open_cache(&self, component: &str, digest: &str, address: &str) -> Option<Arc<dyn CacheBackend>>;

    /// The value of a variable of a component; `None` if it declares none of that name.
    fn variable(&self, component: &str, name: &str) -> Option<String>;

    /// Sends an outbound HTTP request of a component, if it may.
    async fn send_http(&self, component: &str, digest: &str, request: http::Request<Bytes>) -> Result<Sent, SendError>;

    /// What a component says of a call, a reason or a message, without the secrets that it was given; by default there
    /// are none.
    fn hide_secrets<'a>(&self, _component: &str, said: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(said)
    }

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
