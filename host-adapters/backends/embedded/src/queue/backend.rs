//! Queues over the embedded store.

use super::Queue;
use super::receive::{Take, Taken};
use super::rows::{self, Receipt};
use crate::Embedded;
use host_adapters_platform::clock::millis;
use host_adapters_platform::fifo::Stopped;
use host_adapters_platform::limits::message::check_visibility;
use host_adapters_platform::{Depth, QueueBackend, Received, Result, expired};
use host_adapters_records::Error;
use host_adapters_records::queue::Message;
use rusqlite::Connection;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Most messages that one job of the writer stores, so that a batch of thousands does not delay other jobs.
const MESSAGES_PER_JOB: usize = 256;

impl Embedded {
    async fn take(&self, queue: &Arc<Queue>, max: usize, visibility: Duration) -> Result<Vec<Received>> {
        let dead_letters = self.names.dead_letters_of(queue);
        let (clock, source, target) = (self.clock.clone(), Arc::clone(queue), dead_letters.clone());
        let take = move |conn: &Connection| {
            let now_ms = clock.now_ms();
            // At least one millisecond, so that one receive never returns a message twice.
            let until_ms = now_ms.saturating_add(millis(visibility).max(1));
            let mark = rand::random::<i64>() & i64::MAX;
            let dead_letters = target.as_deref();
            Take { queue: &source, dead_letters, max, now_ms, until_ms, mark }.run(conn)
        };
        let (source, clock) = (Arc::clone(queue), self.clock.clone());
        let after = move |taken: &Taken| {
            source.due.set(taken.due_ms);
            expired(&source.name, taken.expired);
            if let (true, Some(dead_letters)) = (taken.redriven, &dead_letters) {
                dead_letters.due.expect_at(clock.now_ms());
            }
        };
        self.store.write(take, after).await.map(|taken| taken.messages)
    }

    async fn send_job(&self, queue: &Arc<Queue>, job: Vec<Result<Message>>) -> Result<Vec<Result<String>>> {
        let (clock, target, source) = (self.clock.clone(), Arc::clone(queue), Arc::clone(queue));
        let insert = move |conn: &Connection| {
            let now_ms = clock.now_ms();
            let mut due_ms = i64::MAX;
            let mut answers = Vec::with_capacity(job.len());
            for message in job {
                answers.push(match message {
                    Ok(message) => {
                        due_ms = due_ms.min(now_ms + i64::from(message.delay_secs) * 1000);
                        Ok(rows::insert(conn, &target, &message, now_ms)?)
                    }
                    Err(error) => Err(error),
                });
            }
            Ok((answers, due_ms))
        };
        let sent = self.store.write(insert, move |(_, due_ms)| source.due.expect_at(*due_ms)).await?;
        Ok(sent.0)
    }
}

#[async_trait::async_trait]
impl QueueBackend for Embedded {
    async fn send_batch(&self, queue: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        let queue = self.names.queue(queue)?;
        let mut answers = Vec::with_capacity(messages.len());
        let mut stopped = Stopped::new(&queue.name);
        let mut checked = messages.into_iter().map(|message| stopped.check(message)).peekable();
        while checked.peek().is_some() {
            let job = checked.by_ref().take(MESSAGES_PER_JOB).collect();
            answers.extend(self.send_job(&queue, job).await?);
        }
        Ok(answers)
    }

    async fn receive(&self, queue: &str, max: usize, wait: Duration, visibility: Duration) -> Result<Vec<Received>> {
        let queue = self.names.queue(queue)?;
        check_visibility(visibility)?;
        let deadline = Instant::now() + wait;
        loop {
            // Registered before the queue is read, so that a message sent after that ends the wait.
            let nearer = queue.due.nearer();
            if queue.due.is_over(self.clock.now_ms()) {
                let messages = self.take(&queue, max, visibility).await?;
                if !messages.is_empty() || max == 0 {
                    return Ok(messages);
                }
            }
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
            queue.due.wait(nearer, &self.clock, deadline).await;
        }
    }

    async fn delete_batch(&self, queue: &str, receipts: &[String]) -> Result<Vec<Option<Error>>> {
        let queue = self.names.queue(queue)?;
        let receipts: Vec<_> = receipts.iter().map(|text| Receipt::parse(text)).collect();
        let (source, clock) = (Arc::clone(&queue), self.clock.clone());
        let delete = move |conn: &Connection| {
            let one = |receipt: Result<Receipt>| match receipt {
                Ok(receipt) => rows::delete(conn, &source, receipt).map(|()| None),
                Err(error) => Ok(Some(error)),
            };
            receipts.into_iter().map(one).collect()
        };
        // Messages of the same group may be next.
        let after = move |_: &Vec<_>| {
            if queue.is_fifo {
                queue.due.expect_at(clock.now_ms());
            }
        };
        self.store.write(delete, after).await
    }

    async fn change_visibility_batch(&self, queue: &str, changes: &[(String, Duration)]) -> Result<Vec<Option<Error>>> {
        let queue = self.names.queue(queue)?;
        let parse = |(text, by): &(String, Duration)| {
            Receipt::parse(text).and_then(|r| check_visibility(*by).map(|()| (r, *by)))
        };
        let changes: Vec<_> = changes.iter().map(parse).collect();
        let nearest = changes.iter().flatten().map(|(_, by)| *by).min();
        let (clock, source) = (self.clock.clone(), Arc::clone(&queue));
        let change = move |conn: &Connection| {
            let now_ms = clock.now_ms();
            let one = |change: Result<(Receipt, Duration)>| match change {
                Ok((receipt, by)) => rows::change_visibility(conn, &source, receipt, now_ms, now_ms + millis(by)),
                Err(error) => Ok(Some(error)),
            };
            changes.into_iter().map(one).collect()
        };
        let clock = self.clock.clone();
        let after = move |_: &Vec<_>| {
            if let Some(by) = nearest {
                queue.due.expect_at(clock.now_ms() + millis(by));
            }
        };
        self.store.write(change, after).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth> {
        let (queue, now_ms) = (self.names.queue(queue)?, self.clock.now_ms());
        self.store.read(move |conn| rows::depth(conn, &queue, now_ms)).await
    }

    async fn oldest(&self, queue: &str) -> Result<Option<u64>> {
        let queue = self.names.queue(queue)?;
        self.store.read(move |conn| rows::oldest(conn, &queue)).await
    }

    async fn peek(&self, queue: &str, max: usize) -> Result<Vec<Received>> {
        let queue = self.names.queue(queue)?;
        self.store.read(move |conn| rows::peek(conn, &queue, max)).await
    }
}
