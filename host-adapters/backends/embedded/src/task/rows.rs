//! Rows of executions.

use host_adapters_platform::task::{Execution, ExecutionState, FAILED, TaskAttempt, TaskError, measure_attempt};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::value::RawValue;
use std::time::Duration;
use uuid::Uuid;

/// Most attempts of an execution that may end with their hosts, or their leases. It ends executions that kill their host
/// each time.
const MOST_LOST: u32 = 200;

/// A running one is due when its lease has expired: the running attempt is lost.
const TAKE: &str = "UPDATE executions
    SET lost = lost + (state = 'running'), state = 'running', attempts = attempts + 1, due_ms = ?3, token = ?4
    WHERE id = (SELECT id FROM executions WHERE worker = ?1 AND ended_ms IS NULL AND due_ms <= ?2 ORDER BY due_ms, id LIMIT 1)
    RETURNING id, lost, uuid, name, attempts, failures, input, correlation_id, traceparent, started_ms";

/// Names one attempt of one execution: `<row>-<mark of the attempt>`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Token {
    row: i64,
    mark: i64,
}

impl Token {
    pub(super) fn of(attempt: &TaskAttempt) -> Option<Self> {
        let (row, mark) = attempt.token.split_once('-')?;
        Some(Self { row: row.parse().ok()?, mark: mark.parse().ok()? })
    }
}

/// The columns of an execution as it is shown, in the order of [`execution`].
const SHOWN: &str =
    "worker, name, uuid, state, attempts, failures, error, cause, started_ms, due_ms, ended_ms, input, output";
/// The same without input and output.
const LISTED: &str =
    "worker, name, uuid, state, attempts, failures, error, cause, started_ms, due_ms, ended_ms, NULL, NULL";

/// Begins the attempt that is due first.
pub(super) fn take(
    conn: &Connection,
    worker: &str,
    now_ms: i64,
    until_ms: i64,
) -> rusqlite::Result<Option<TaskAttempt>> {
    loop {
        let mark = rand::random::<i64>() & i64::MAX;
        let taken = conn.prepare_cached(TAKE)?.query_row(params![worker, now_ms, until_ms, mark], |row| {
            let (id, lost): (i64, u32) = (row.get(0)?, row.get(1)?);
            let attempt = TaskAttempt {
                worker: worker.to_owned(),
                task_id: uuid(row, 2)?.to_string(),
                name: row.get(3)?,
                number: row.get(4)?,
                failures: row.get(5)?,
                input: row.get(6)?,
                token: format!("{id}-{mark}"),
                correlation_id: row.get(7)?,
                traceparent: row.get(8)?,
                started_ms: row.get::<_, i64>(9)?.try_into().ok(),
            };
            Ok((id, lost, attempt))
        });
        match taken.optional()? {
            Some((id, MOST_LOST.., attempt)) => exhaust(conn, id, &attempt, now_ms)?,
            taken => return Ok(taken.map(|(.., attempt)| attempt)),
        }
    }
}

/// Ends an execution with too many lost attempts, before the next one begins.
fn exhaust(conn: &Connection, id: i64, attempt: &TaskAttempt, now_ms: i64) -> rusqlite::Result<()> {
    let TaskAttempt { worker, name: execution, task_id: task, .. } = attempt;
    let error = TaskError::AttemptsExhausted.name();
    let cause = format!("{MOST_LOST} attempts ended with their hosts, or without heartbeats");
    tracing::error!(worker, execution, task, error, cause, "execution failed");
    measure_attempt(worker, FAILED, Duration::ZERO);
    let sql = "UPDATE executions SET state = 'failed', attempts = attempts - 1, error = ?2, cause = ?3, ended_ms = ?4
               WHERE id = ?1";
    conn.prepare_cached(sql)?.execute((id, error, cause, now_ms)).map(drop)
}

/// When the next execution of a worker can be taken.
pub(super) fn next_due(conn: &Connection, worker: &str) -> rusqlite::Result<i64> {
    let sql = "SELECT min(due_ms) FROM executions WHERE worker = ?1 AND ended_ms IS NULL";
    let due: Option<i64> = conn.prepare_cached(sql)?.query_row([worker], |row| row.get(0))?;
    Ok(due.unwrap_or(i64::MAX))
}

/// What happens to the running attempt.
pub(super) enum Change<'a> {
    /// It continues until this time.
    Extend(i64),
    /// The execution has this output.
    Succeed(&'a str),
    /// It has failed with this error and cause; the next one may begin at this time, if there is one.
    Fail(&'a str, &'a str, Option<i64>),
    /// It has ended without an outcome.
    Release,
    /// As [`Change::Release`]; the execution waits for something, and the next attempt may begin at this time.
    Postpone(&'a str, i64),
}

/// Changes an attempt, if it is still the running one. Returns whether it was.
pub(super) fn change(conn: &Connection, token: Token, change: &Change<'_>, now_ms: i64) -> rusqlite::Result<bool> {
    let Token { row, mark } = token;
    let run = |set: &str, params: &[&dyn rusqlite::ToSql]| {
        let sql = format!("UPDATE executions SET {set} WHERE id = ?1 AND token = ?2 AND state = 'running'");
        conn.prepare_cached(&sql)?.execute(params).map(|changed| changed > 0)
    };
    match change {
        Change::Extend(until_ms) => run("due_ms = ?3", params![row, mark, until_ms]),
        Change::Succeed(output) => run(
            "state = 'succeeded', output = ?3, error = NULL, cause = NULL, ended_ms = ?4",
            params![row, mark, output, now_ms],
        ),
        Change::Fail(error, cause, Some(due_ms)) => run(
            "state = 'scheduled', failures = failures + 1, error = ?3, cause = ?4, due_ms = ?5",
            params![row, mark, error, cause, due_ms],
        ),
        Change::Fail(error, cause, None) => run(
            "state = 'failed', failures = failures + 1, error = ?3, cause = ?4, ended_ms = ?5",
            params![row, mark, error, cause, now_ms],
        ),
        Change::Release => run("state = 'scheduled', due_ms = ?3", params![row, mark, now_ms]),
        Change::Postpone(cause, due_ms) => {
            run("state = 'scheduled', error = NULL, cause = ?3, due_ms = ?4", params![row, mark, cause, due_ms])
        }
    }
}

/// Counts another attempt in place of the running one, if that is still this one. Returns its number.
pub(super) fn repeat(conn: &Connection, Token { row, mark }: Token) -> rusqlite::Result<Option<u32>> {
    let sql = "UPDATE executions SET attempts = attempts + 1 WHERE id = ?1 AND token = ?2 AND state = 'running'
               RETURNING attempts";
    conn.prepare_cached(sql)?.query_row((row, mark), |row| row.get(0)).optional()
}

/// Stops an execution that has not ended.
pub(super) fn stop(conn: &Connection, worker: &str, name: &str, cause: &str, now_ms: i64) -> rusqlite::Result<()> {
    let sql = "UPDATE executions SET state = 'stopped', error = NULL, cause = ?3, ended_ms = ?4
               WHERE worker = ?1 AND name = ?2 AND ended_ms IS NULL";
    conn.prepare_cached(sql)?.execute((worker, name, cause, now_ms)).map(drop)
}

/// The execution with a name.
pub(super) fn find(conn: &Connection, worker: &str, name: &str) -> rusqlite::Result<Option<Execution>> {
    let sql = format!("SELECT {SHOWN} FROM executions WHERE worker = ?1 AND name = ?2");
    conn.prepare_cached(&sql)?.query_row((worker, name), execution).optional()
}

/// The execution with a name; without one, the execution with this id.
pub(super) fn find_named(conn: &Connection, worker: &str, name: &str) -> rusqlite::Result<Option<Execution>> {
    if let Some(found) = find(conn, worker, name)? {
        return Ok(Some(found));
    }
    let Ok(id) = Uuid::parse_str(name) else { return Ok(None) };
    let sql = format!("SELECT {SHOWN} FROM executions WHERE worker = ?1 AND uuid = ?2");
    conn.prepare_cached(&sql)?.query_row((worker, id.as_bytes()), execution).optional()
}

/// Executions that were started before the row `before`, the latest first, each with its row.
pub(super) fn list(
    conn: &Connection,
    worker: &str,
    state: Option<ExecutionState>,
    before: i64,
    max: usize,
) -> rusqlite::Result<Vec<(i64, Execution)>> {
    let sql = format!(
        "SELECT {LISTED}, id FROM executions WHERE worker = ?1 AND id < ?2 AND (?3 IS NULL OR state = ?3)
         ORDER BY id DESC LIMIT ?4"
    );
    let mut select = conn.prepare_cached(&sql)?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = select.query_map((worker, before, state.map(ExecutionState::name), limit), |row| {
        Ok((row.get(13)?, execution(row)?))
    })?;
    rows.collect()
}

/// How many executions are in a state.
pub(super) fn count(conn: &Connection, worker: &str, state: ExecutionState) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM executions WHERE worker = ?1 AND state = ?2 AND ended_ms IS NULL";
    let count: i64 = conn.prepare_cached(sql)?.query_row((worker, state.name()), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

fn execution(row: &Row<'_>) -> rusqlite::Result<Execution> {
    let state: String = row.get(3)?;
    let state = ExecutionState::of(&state).ok_or(rusqlite::Error::InvalidColumnType(3, state, Type::Text))?;
    let ms = |column| row.get::<_, Option<i64>>(column).map(|ms| ms.and_then(|ms| u64::try_from(ms).ok()));
    Ok(Execution {
        worker: row.get(0)?,
        name: row.get(1)?,
        id: uuid(row, 2)?.to_string(),
        state,
        attempts: row.get(4)?,
        failures: row.get(5)?,
        error: row.get(6)?,
        cause: row.get(7)?,
        started_ms: ms(8)?.unwrap_or_default(),
        due_ms: ms(9)?.filter(|_| state == ExecutionState::Scheduled),
        ended_ms: ms(10)?,
        input: json(row, 11)?,
        output: json(row, 12)?,
        paused: None,
    })
}

fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Box<RawValue>>> {
    let text: Option<String> = row.get(column)?;
    let text = text.map(RawValue::from_string).transpose();
    text.map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    Ok(Uuid::from_slice(row.get_ref(column)?.as_blob()?).unwrap_or_default())
}
