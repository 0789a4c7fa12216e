//! Attempts of executions over the embedded store.

use super::rows::{self, Change, Token};
use crate::Embedded;
use host_adapters_platform::Result;
use host_adapters_platform::clock::millis;
use host_adapters_platform::task::{NextAttempt, TaskAttempt, TaskBackend, TaskFailure};
use rusqlite::Connection;
use std::time::Duration;
use tokio::time::Instant;

#[async_trait::async_trait]
impl TaskBackend for Embedded {
    async fn take(&self, worker: &str, lease: Duration, wait: Duration) -> Result<Option<TaskAttempt>> {
        let due = self.names.tasks(worker)?;
        let deadline = Instant::now() + wait;
        loop {
            let nearer = due.nearer();
            if due.is_over(self.clock.now_ms()) {
                let (worker, clock) = (worker.to_owned(), self.clock.clone());
                let take = move |conn: &Connection| {
                    let now_ms = clock.now_ms();
                    let until_ms = now_ms.saturating_add(millis(lease).max(1));
                    let taken = rows::take(conn, &worker, now_ms, until_ms)?;
                    Ok((taken, rows::next_due(conn, &worker)?))
                };
                let looked = due.clone();
                let (taken, _) = self.store.write(take, move |(_, due_ms)| looked.set(*due_ms)).await?;
                if taken.is_some() {
                    return Ok(taken);
                }
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            due.wait(nearer, &self.clock, deadline).await;
        }
    }

    async fn heartbeat(&self, attempt: &TaskAttempt, lease: Duration) -> Result<bool> {
        let until_ms = self.clock.now_ms().saturating_add(millis(lease));
        self.change(attempt, None, move |conn, token, now_ms| {
            rows::change(conn, token, &Change::Extend(until_ms), now_ms)
        })
        .await
    }

    async fn succeed(&self, attempt: &TaskAttempt, output: &str) -> Result<bool> {
        let output = output.to_owned();
        self.change(attempt, None, move |conn, token, now_ms| {
            rows::change(conn, token, &Change::Succeed(&output), now_ms)
        })
        .await
    }

    async fn fail(&self, attempt: &TaskAttempt, failure: &TaskFailure, next: NextAttempt) -> Result<bool> {
        let due_ms = match next {
            NextAttempt::After(wait) => Some(self.clock.now_ms().saturating_add(millis(wait))),
            NextAttempt::Never => None,
        };
        let TaskFailure { error, cause } = failure.clone();
        self.change(attempt, due_ms, move |conn, token, now_ms| {
            rows::change(conn, token, &Change::Fail(error.name(), &cause, due_ms), now_ms)
        })
        .await
    }

    async fn release(&self, attempt: &TaskAttempt) -> Result<bool> {
        let due_ms = Some(self.clock.now_ms());
        self.change(attempt, due_ms, |conn, token, now_ms| rows::change(conn, token, &Change::Release, now_ms)).await
    }

    async fn postpone(&self, attempt: &TaskAttempt, cause: &str, wait: Duration) -> Result<bool> {
        let due_ms = self.clock.now_ms().saturating_add(millis(wait));
        let cause = cause.to_owned();
        self.change(attempt, Some(due_ms), move |conn, token, now_ms| {
            rows::change(conn, token, &Change::Postpone(&cause, due_ms), now_ms)
        })
        .await
    }

    async fn repeat(&self, attempt: &TaskAttempt) -> Result<Option<u32>> {
        let Some(token) = Token::of(attempt) else { return Ok(None) };
        self.store.write(move |conn| rows::repeat(conn, token), |_: &Option<u32>| {}).await
    }
}

impl Embedded {
    /// Changes an attempt; `due_ms` is when the next one of the execution may begin, if one may.
    async fn change(
        &self,
        attempt: &TaskAttempt,
        due_ms: Option<i64>,
        change: impl FnOnce(&Connection, Token, i64) -> rusqlite::Result<bool> + Send + 'static,
    ) -> Result<bool> {
        let due = self.names.tasks(&attempt.worker)?;
        let Some(token) = Token::of(attempt) else { return Ok(false) };
        let clock = self.clock.clone();
        let after = move |changed: &bool| {
            if let (true, Some(due_ms)) = (*changed, due_ms) {
                due.expect_at(due_ms);
            }
        };
        self.store.write(move |conn| change(conn, token, clock.now_ms()), after).await
    }
}
