//! Starting, showing and stopping executions in the embedded store.

use super::rows;
use crate::Embedded;
use host_adapters_json::same;
use host_adapters_platform::Result;
use host_adapters_platform::limits::invalid;
use host_adapters_platform::task::{
    Execution, ExecutionCounts, ExecutionPage, ExecutionState, ExecutionTable, NewExecution, Started, check_name,
};
use rusqlite::{Connection, params};
use uuid::Uuid;

#[async_trait::async_trait]
impl ExecutionTable for Embedded {
    async fn start(&self, worker: &str, new: &NewExecution) -> Result<Started> {
        let due = self.names.tasks(worker)?;
        new.check()?;
        let (worker, new, clock) = (worker.to_owned(), new.clone(), self.clock.clone());
        let start = move |conn: &Connection| started(conn, &worker, &new, clock.now_ms());
        let clock = self.clock.clone();
        let after = move |started: &Started| {
            if let Started::New(_) = started {
                due.expect_at(clock.now_ms());
            }
        };
        self.store.write(start, after).await
    }

    async fn find(&self, worker: &str, name: &str) -> Result<Option<Execution>> {
        self.names.tasks(worker)?;
        check_name(name)?;
        let (worker, name) = (worker.to_owned(), name.to_owned());
        self.store.read(move |conn| rows::find_named(conn, &worker, &name)).await
    }

    async fn list(
        &self,
        worker: &str,
        state: Option<ExecutionState>,
        from: Option<&str>,
        max: usize,
    ) -> Result<ExecutionPage> {
        self.names.tasks(worker)?;
        let before = match from {
            None => i64::MAX,
            Some(from) => from.parse().map_err(|_| invalid("pass `from` as an earlier page gave it in `next`"))?,
        };
        let worker = worker.to_owned();
        let list = move |conn: &Connection| rows::list(conn, &worker, state, before, max.saturating_add(1));
        let mut listed = self.store.read(list).await?;
        let is_last = listed.len() <= max;
        listed.truncate(max);
        let next = listed.last().filter(|_| !is_last).map(|(row, _)| row.to_string());
        Ok(ExecutionPage { executions: listed.into_iter().map(|(_, execution)| execution).collect(), next })
    }

    async fn stop(&self, worker: &str, name: &str, cause: &str) -> Result<Option<Execution>> {
        self.names.tasks(worker)?;
        check_name(name)?;
        let (worker, name, cause, clock) = (worker.to_owned(), name.to_owned(), cause.to_owned(), self.clock.clone());
        let stop = move |conn: &Connection| {
            let Some(execution) = rows::find_named(conn, &worker, &name)? else { return Ok(None) };
            rows::stop(conn, &worker, &execution.name, &cause, clock.now_ms())?;
            rows::find(conn, &worker, &execution.name)
        };
        self.store.write(stop, |_: &Option<Execution>| {}).await
    }

    async fn counts(&self, worker: &str) -> Result<ExecutionCounts> {
        self.names.tasks(worker)?;
        let worker = worker.to_owned();
        let counts = move |conn: &Connection| {
            let of = |state| rows::count(conn, &worker, state);
            Ok(ExecutionCounts { scheduled: of(ExecutionState::Scheduled)?, running: of(ExecutionState::Running)? })
        };
        self.store.read(counts).await
    }
}

/// Adds the execution, unless there is one with its name.
fn started(conn: &Connection, worker: &str, new: &NewExecution, now_ms: i64) -> rusqlite::Result<Started> {
    if let Some(before) = rows::find(conn, worker, &new.name)? {
        let is_same = before.input.as_ref().is_some_and(|input| same(input.get(), &new.input));
        return Ok(if is_same { Started::Before(before) } else { Started::Differs(before) });
    }
    let sql = "INSERT INTO executions (worker, name, uuid, state, due_ms, attempts, failures, token, input,
                                       correlation_id, traceparent, started_ms)
               VALUES (?1, ?2, ?3, 'scheduled', ?4, 0, 0, 0, ?5, ?6, ?7, ?4)";
    let NewExecution { name, input, correlation_id, traceparent } = new;
    let uuid = Uuid::new_v4();
    conn.prepare_cached(sql)?.execute(params![
        worker,
        name,
        uuid.as_bytes(),
        now_ms,
        input,
        correlation_id,
        traceparent
    ])?;
    // It was inserted above, in the same transaction.
    rows::find(conn, worker, name)?.map(Started::New).ok_or(rusqlite::Error::QueryReturnedNoRows)
}
