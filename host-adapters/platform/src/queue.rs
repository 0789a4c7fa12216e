//! `registration:platform/queue`, and what else clients of the gateway may ask: the depth of a queue and its
//! messages.

use crate::grants::Need;
use crate::outage::whole;
use crate::{Depth, PlatformService, Received, Result, took_effect};
use host_adapters_records::Caller;
use host_adapters_records::queue::SendBatch;

pub(crate) async fn queue_send_batch(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: SendBatch,
) -> Result<Vec<Result<String>>> {
    platform.check(caller, Need::SendTo(&args.queue))?;
    took_effect(whole(platform.queues.send_batch(&args.queue, args.messages).await?, |sent| sent.as_ref().err()))
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
