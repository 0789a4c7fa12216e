//! Executions of tasks: `POST /tasks/<worker>/<name>` starts one with the body as its input, `GET` shows and `DELETE` stops
//! it; `GET /tasks/<worker>` lists them. Each answers an execution, or an error in the form of the API's.

use super::Gateway;
use super::callers::Caller;
use crate::manifest::decoded;
use crate::server::error;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_platform::names::unknown;
use host_adapters_platform::task::{Execution, ExecutionState, ExecutionTable, MAX_TASK_BYTES, NewExecution, Started};
use host_adapters_records::{Error, ErrorKind};
use host_adapters_sources::camel_case_name;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The input of an execution that is started without one, as in Step Functions.
const NO_INPUT: &str = "{}";
/// Most executions of a page.
pub(crate) const PAGE: usize = 100;

/// What the gateway needs for tasks.
#[derive(Clone)]
pub struct Tasks {
    /// The executions; `None` where another program starts them.
    pub executions: Option<Arc<dyn ExecutionTable>>,
    /// Ids of the workers that do tasks.
    pub workers: Arc<BTreeSet<String>>,
}

pub(super) fn routes(tasks: Tasks) -> Router<Gateway> {
    Router::new()
        .route("/tasks/{worker}", get(list))
        .route("/tasks/{worker}/{name}", post(start).get(show).delete(stop))
        // A body that is a little too large is answered with the limit of inputs.
        .layer(DefaultBodyLimit::max(2 * MAX_TASK_BYTES))
        .layer(Extension(tasks))
}

impl Tasks {
    /// The executions and the worker of a request, named by its id or its name in the documents, if the caller may start
    /// its tasks.
    fn of(&self, gateway: &Gateway, caller: &str, name: &str) -> Result<(&dyn ExecutionTable, &str), Refused> {
        let known = self.workers.iter().find(|id| *id == name || camel_case_name(id) == name);
        let worker = known.ok_or_else(|| unknown("worker with tasks", name, self.workers.iter()))?;
        gateway.platform.check_start_tasks(caller, worker)?;
        let elsewhere = "the executions of this host are started elsewhere: its runtime configuration has [tasks]";
        let executions = self.executions.as_deref().ok_or_else(|| Error::new(ErrorKind::NotFound, elsewhere))?;
        Ok((executions, worker))
    }
}

/// Starts an execution: 201 if it is new, 200 if it was started before with the same input.
async fn start(
    State(gateway): State<Gateway>,
    Caller(caller): Caller,
    Extension(tasks): Extension<Tasks>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refused> {
    let Path((worker, name)) = path?;
    let (executions, worker) = tasks.of(&gateway, &caller, &worker)?;
    let input = decoded(body?.into()).map_err(|wrong| invalid(format!("cannot read the input: {wrong}")))?;
    let input = if input.trim().is_empty() { NO_INPUT.to_owned() } else { input };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (correlation_id, traceparent) = (header("x-correlation-id"), header("traceparent"));
    let new = NewExecution { name, input, correlation_id, traceparent };
    let started = executions.start(worker, &new).await?;
    failpoint::reached(Step::SideEffect);
    let (status, execution) = match started {
        Started::New(execution) => {
            let Execution { name, id, .. } = &execution;
            tracing::info!(caller, worker, execution = name, task = id, "execution started");
            (StatusCode::CREATED, execution)
        }
        Started::Before(execution) => (StatusCode::OK, execution),
        Started::Differs(other) => return Err(Refused::Exists(other.into())),
    };
    Ok((status, Json(shown(&gateway, execution))).into_response())
}

async fn show(
    State(gateway): State<Gateway>,
    Caller(caller): Caller,
    Extension(tasks): Extension<Tasks>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Execution>, Refused> {
    let Path((worker, name)) = path?;
    let (executions, worker) = tasks.of(&gateway, &caller, &worker)?;
    found(&gateway, worker, &name, executions.find(worker, &name).await?)
}

async fn stop(
    State(gateway): State<Gateway>,
    Caller(caller): Caller,
    Extension(tasks): Extension<Tasks>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Execution>, Refused> {
    let Path((worker, name)) = path?;
    let (executions, worker) = tasks.of(&gateway, &caller, &worker)?;
    let stopped = executions.stop(worker, &name, &format!("stopped by {caller}")).await?;
    let stopped = found(&gateway, worker, &name, stopped)?;
    tracing::info!(
        caller,
        worker,
        execution = stopped.name,
        task = stopped.id,
        state = stopped.state.name(),
        "execution stopped"
    );
    Ok(stopped)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    state: Option<ExecutionState>,
    from: Option<String>,
    limit: Option<usize>,
}

/// `{"executions": […], "next": null or where the next page begins}`.
async fn list(
    State(gateway): State<Gateway>,
    Caller(caller): Caller,
    Extension(tasks): Extension<Tasks>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Selection>, QueryRejection>,
) -> Result<Response, Refused> {
    let Path(worker) = path?;
    let (executions, worker) = tasks.of(&gateway, &caller, &worker)?;
    let Query(Selection { state, from, limit }) = query?;
    let max = limit.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&max) {
        let problem = format!("limit must be 1 to {PAGE}; the next page begins where `next` says (`from`)");
        return Err(invalid(problem).into());
    }
    let page = executions.list(worker, state, from.as_deref(), max).await?;
    let listed: Vec<_> = page.executions.into_iter().map(|execution| shown(&gateway, execution)).collect();
    Ok(Json(json!({"executions": listed, "next": page.next})).into_response())
}

fn found(
    gateway: &Gateway,
    worker: &str,
    name: &str,
    execution: Option<Execution>,
) -> Result<Json<Execution>, Refused> {
    let missing = || Refused::Missing(format!("`{worker}` has no execution `{name}`"));
    Ok(Json(shown(gateway, execution.ok_or_else(missing)?)))
}

/// Adds why the execution waits, if its worker's source is paused.
fn shown(gateway: &Gateway, execution: Execution) -> Execution {
    let paused = if execution.state.has_ended() { None } else { gateway.health.paused(&execution.worker) };
    Execution { paused, ..execution }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

/// Why a request failed.
enum Refused {
    Failed(Error),
    /// The worker has no such execution.
    Missing(String),
    /// Another execution has the name.
    Exists(Box<Execution>),
    /// The request cannot be read.
    Unread(StatusCode, String),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

macro_rules! unread {
    ($($rejection:ty),*) => {
        $(impl From<$rejection> for Refused {
            fn from(rejection: $rejection) -> Self {
                Self::Unread(rejection.status(), rejection.body_text())
            }
        })*
    };
}

unread!(PathRejection, QueryRejection, BytesRejection);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Failed(Error { kind, message, .. }) => {
                let (status, code) = match kind {
                    ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
                    ErrorKind::Throttled => (StatusCode::TOO_MANY_REQUESTS, "THROTTLED"),
                    ErrorKind::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND"),
                    ErrorKind::ConditionFailed | ErrorKind::Changed => (StatusCode::CONFLICT, "CONFLICT"),
                    ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE"),
                    ErrorKind::Invalid => (StatusCode::BAD_REQUEST, "INVALID_ARGUMENTS"),
                    ErrorKind::Denied => (StatusCode::FORBIDDEN, "FORBIDDEN"),
                };
                error(status, code, &message)
            }
            Self::Missing(message) => error(StatusCode::NOT_FOUND, "EXECUTION_NOT_FOUND", &message),
            Self::Exists(other) => {
                let Execution { worker, name, .. } = *other;
                let message = format!(
                    "`{worker}` has an execution `{name}` with another input; start this one under another name"
                );
                error(StatusCode::CONFLICT, "EXECUTION_ALREADY_EXISTS", &message)
            }
            Self::Unread(StatusCode::PAYLOAD_TOO_LARGE, _) => {
                let message = format!("the input is too large: at most {MAX_TASK_BYTES} bytes are taken");
                error(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", &message)
            }
            Self::Unread(status, message) => error(status, "BAD_REQUEST", &message),
        }
    }
}
