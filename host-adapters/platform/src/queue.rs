//! `registration:platform/queue`, and what else clients of the gateway may ask: the depth of a queue and its
//! messages.

use crate::grants::Need;
use crate::outage::whole;
use crate::{Depth, PlatformService, Received, Result, took_effect};
use host_adapters_records::queue::{Message, SendBatch};
use host_adapters_records::{Caller, Error};
use std::time::Duration;

/// Queues with SQS's semantics (visibility, receive counts, redrive), as the platform and the source `sqs` need them.
#[async_trait::async_trait]
pub trait QueueBackend: Send + Sync + 'static {
    /// Sends any number of messages; the answer holds for each its id or its error.
    async fn send_batch(&self, queue: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>>;
    /// Receives up to `max` messages (any number: the backend makes as many calls as it takes), waiting up to `wait`
    /// for the first; they stay invisible for `visibility`. A message whose receive count would exceed the queue's
    /// `max_receive_count` goes to its DLQ instead (SQS redrive).
    async fn receive(&self, queue: &str, max: usize, wait: Duration, visibility: Duration) -> Result<Vec<Received>>;
    /// Deletes by receipt. A stale receipt is not an error and deletes nothing.
    async fn delete_batch(&self, queue: &str, receipts: &[String]) -> Result<Vec<Option<Error>>>;
    /// Makes each message invisible for so long from now; zero returns it at once.
    async fn change_visibility_batch(&self, queue: &str, changes: &[(String, Duration)]) -> Result<Vec<Option<Error>>>;
    /// How many messages there are.
    async fn depth(&self, queue: &str) -> Result<Depth>;
    /// When the oldest message was sent, milliseconds since 1970 (UTC). `None` where there is no message, or the server
    /// does not say: SQS tells CloudWatch alone.
    async fn oldest(&self, _queue: &str) -> Result<Option<u64>> {
        Ok(None)
    }
    /// The oldest messages. On SQS looking counts as a receive.
    async fn peek(&self, queue: &str, max: usize) -> Result<Vec<Received>>;
}

pub(crate) async fn queue_send_batch(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: SendBatch,
) -> Result<Vec<Result<String>>> {
    platform.check(caller, Need::SendTo(&args.queue))?;
    took_effect(
        caller,
        whole(platform.queues.send_batch(&args.queue, args.messages).await?, |sent| sent.as_ref().err()),
    )
}

impl PlatformService {
    /// How many messages a queue holds; needs the grant `peek`.
    pub async fn queue_depth(&self, caller: &str, queue: &str) -> Result<Depth> {
        self.check(Caller::client(caller), Need::PeekAt(queue))?;
        self.queues.depth(queue).await
    }

    /// Up to `max` of a queue's messages, the first due first, without receiving them; needs the grant `peek`.
    pub async fn queue_peek(&self, caller: &str, queue: &str, max: usize) -> Result<Vec<Received>> {
        self.check(Caller::client(caller), Need::PeekAt(queue))?;
        self.queues.peek(queue, max).await
    }

    /// Refuses a caller that may not look at a queue's dead letters.
    ///
    /// # Errors
    /// When neither `peek` nor `redrive` is granted.
    pub fn check_peek(&self, caller: &str, queue: &str) -> Result<()> {
        self.check(Caller::client(caller), Need::PeekAt(queue))
    }

    /// Refuses a caller that may not send a queue's dead letters back, nor drop them.
    ///
    /// # Errors
    /// When `redrive` is not granted.
    pub fn check_redrive(&self, caller: &str, queue: &str) -> Result<()> {
        self.check(Caller::client(caller), Need::Redrive(queue))
    }
}
