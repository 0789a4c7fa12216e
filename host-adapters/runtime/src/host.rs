//! What the runtime needs from outside: the platform, the cache, variables, the open web, logs.

use bytes::Bytes;
use host_adapters_records::Platform;
use host_adapters_records::cache::CacheBackend;
use std::borrow::Cow;
use std::sync::Arc;

/// The world outside the sandbox, as one object. A component is named by its id and the digest of the version that
/// asks.
#[async_trait::async_trait]
pub trait Host: Send + Sync + 'static {
    /// Tables, queues, documents, identity, services; it checks grants by itself.
    fn platform(&self) -> &Arc<dyn Platform>;

    /// The cache at `address`; `None` if the component may not open it, or there is none (the host logs which).
    async fn open_cache(&self, component: &str, digest: &str, address: &str) -> Option<Arc<dyn CacheBackend>>;

    /// The value of a variable of a component; `None` if it declares none of that name.
    fn variable(&self, component: &str, name: &str) -> Option<String>;

    /// Sends an HTTP request of a component to the open web, if it may.
    async fn send_http(
        &self,
        component: &str,
        digest: &str,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, SendError>;

    /// A component's reason or message, without the secrets that it was given; by default there are none.
    fn hide_secrets<'a>(&self, _component: &str, said: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(said)
    }

    /// Takes one line that a component wrote to standard output or standard error.
    fn log(&self, component: &str, digest: &str, line: &str);
}

/// Why an outbound request has no answer.
#[derive(Debug)]
pub struct SendError {
    /// What kind of failure the guest sees.
    pub kind: SendErrorKind,
    /// For the host's log; a guest does not see it.
    pub message: String,
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
