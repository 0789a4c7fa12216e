//! Single messages. SQS shows a message only by receiving it, so looking for one receives all before it too, and
//! returns them to the queue. Messages that are in flight elsewhere or delayed cannot be seen.

use super::{BATCH, Sqs};
use backend_aws::CONCURRENT;
use host_adapters_platform::limits::invalid;
use host_adapters_platform::limits::message::check_visibility;
use host_adapters_platform::{Page, QueueBrowser, Received, Result};
use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Duration;

/// How long messages that are only shown stay invisible if the host ends before it returns them.
const HIDDEN: Duration = Duration::from_secs(30);
/// How long to wait for messages. Without waiting, SQS asks only some of its servers and may report an empty queue.
const WAIT: Duration = Duration::from_secs(1);
/// The start of any page but the first. The messages before it are hidden, so nothing else is needed to find it.
const NEXT: &str = "next";

#[async_trait::async_trait]
impl QueueBrowser for Sqs {
    /// Returns a page. Its messages stay hidden until the last page, so that the next page shows others.
    async fn browse(&self, queue: &str, from: Option<&str>, max: usize) -> Result<Page> {
        match from {
            None => self.unhide(queue).await?,
            Some(NEXT) => {}
            Some(_) => return Err(invalid("that is not a place in a queue; pass the `next` of a page")),
        }
        let mut messages = self.gather(queue, max).await?;
        self.hide(queue, messages.iter_mut().map(looked_at).collect());
        let next = (messages.len() == max).then(|| NEXT.to_owned());
        if next.is_none() {
            self.unhide(queue).await?;
        }
        Ok(Page { messages, next })
    }

    async fn find(&self, queue: &str, id: &str) -> Result<Option<Received>> {
        let mut found = self.receive_these(queue, &HashSet::from([id])).await?;
        self.give_back(queue, found.iter_mut().map(looked_at).collect()).await?;
        Ok(found.pop())
    }

    async fn take(&self, queue: &str, ids: &[String], visibility: Duration) -> Result<Vec<Received>> {
        check_visibility(visibility)?;
        let found = self.receive_these(queue, &ids.iter().map(String::as_str).collect()).await?;
        let changes: Vec<_> = found.iter().map(|message| (message.receipt.clone(), visibility)).collect();
        let refused = self.change_visibility_all(queue, &changes).await?;
        Ok(found
            .into_iter()
            .zip(refused)
            .filter(|(_, refused)| refused.is_none())
            .map(|(message, _)| message)
            .collect())
    }
}

impl Sqs {
    /// The oldest messages, as they were before this call.
    pub(super) async fn look(&self, queue: &str, max: usize) -> Result<Vec<Received>> {
        let mut messages = self.gather(queue, max).await?;
        self.give_back(queue, messages.iter_mut().map(looked_at).collect()).await?;
        Ok(messages)
    }

    /// Receives until there are this many messages, or no more messages: one receive may return fewer than there are.
    async fn gather(&self, queue: &str, max: usize) -> Result<Vec<Received>> {
        let mut messages: Vec<Received> = Vec::new();
        while messages.len() < max {
            let found = match self.receive_some(queue, max - messages.len(), WAIT, HIDDEN).await {
                Ok(found) if found.is_empty() => break,
                Ok(found) => found,
                Err(error) => {
                    self.give_back(queue, messages.into_iter().map(|message| message.receipt).collect()).await?;
                    return Err(error);
                }
            };
            messages.extend(found);
        }
        Ok(messages)
    }

    /// Receives until all the messages are found, or there are no more. Other messages are returned.
    async fn receive_these(&self, queue: &str, ids: &HashSet<&str>) -> Result<Vec<Received>> {
        self.unhide(queue).await?;
        let (mut found, mut others, mut met) = (Vec::new(), Vec::new(), HashSet::new());
        while found.len() < ids.len() {
            let messages = match self.receive_some(queue, BATCH * CONCURRENT, WAIT, HIDDEN).await {
                Ok(messages) => messages,
                Err(error) => {
                    others.extend(found.into_iter().map(|message: Received| message.receipt));
                    self.give_back(queue, others).await?;
                    return Err(error);
                }
            };
            // A message that is received again shows that the first ones have become visible: all messages have been
            // seen.
            let more = messages.iter().any(|message| met.insert(message.id.clone()));
            for message in messages {
                if ids.contains(message.id.as_str()) && found.iter().all(|it: &Received| it.id != message.id) {
                    found.push(message);
                } else {
                    others.push(message.receipt);
                }
            }
            if !more {
                break;
            }
        }
        self.give_back(queue, others).await?;
        Ok(found)
    }

    /// Makes messages visible again. Those for which that fails become visible at their timeout.
    async fn give_back(&self, queue: &str, receipts: Vec<String>) -> Result<()> {
        let back: Vec<_> = receipts.into_iter().map(|receipt| (receipt, Duration::ZERO)).collect();
        self.change_visibility_all(queue, &back).await.map(drop)
    }

    fn hide(&self, queue: &str, receipts: Vec<String>) {
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        hidden.entry(queue.to_owned()).or_default().extend(receipts);
    }

    /// Makes visible what pages have shown.
    async fn unhide(&self, queue: &str) -> Result<()> {
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner).remove(queue);
        self.give_back(queue, hidden.unwrap_or_default()).await
    }
}

/// Resets a message to what it was before this receive; returns the receipt.
fn looked_at(message: &mut Received) -> String {
    message.receive_count = message.receive_count.saturating_sub(1);
    std::mem::take(&mut message.receipt)
}
