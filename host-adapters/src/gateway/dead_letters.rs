//! Operator requests about dead letters: list, show, redrive, drop.

use super::Gateway;
use super::callers::Caller;
use super::refusal::Arguments;
use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json, Router};
use host_adapters_delivery::dead_letter::{DeadLetter, Summary};
use host_adapters_delivery::redrive::{Outcome, Redriver};
use host_adapters_platform::PlatformService;
use host_adapters_records::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::{Value, json};

/// Most dead letters in one response. With the largest bodies the host reads 100 MB for it.
const PAGE: usize = 100;

pub(super) fn routes(redriver: Redriver) -> Router<Gateway> {
    Router::new()
        .route("/operator/dead-letters/list", post(list))
        .route("/operator/dead-letters/show", post(show))
        .route("/operator/dead-letters/redrive", post(redrive))
        .route("/operator/dead-letters/drop", post(discard))
        .layer(Extension(redriver))
}

/// Which page: of one queue, after an earlier page, or the first of all queues.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    queue: Option<String>,
    from: Option<Place>,
}

/// Where a page begins: a queue and a position in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    queue: String,
    after: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Show {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    queue: String,
    ids: Vec<String>,
}

async fn list(
    State(gateway): State<Gateway>,
    Caller(caller): Caller,
    Extension(redriver): Extension<Redriver>,
    Arguments(list): Arguments<List>,
) -> Json<Result<Value, Error>> {
    Json(page(&gateway.platform, &redriver, &caller, list).await)
}

/// `{"dead_letters": […], "next": null or the start of the next page}`.
async fn page(platform: &PlatformService, redriver: &Redriver, caller: &str, list: List) -> Result<Value, Error> {
    let queues = match list.queue {
        Some(queue) => platform.check_peek(caller, &queue).map(|()| vec![queue])?,
        None => queues(platform, redriver, caller)?,
    };
    let Some(first) = queues.first() else { return Ok(json!({"dead_letters": [], "next": null})) };
    let from = list.from.unwrap_or_else(|| Place { queue: first.clone(), after: None });
    let at = queues.iter().position(|queue| *queue == from.queue);
    let at = at.ok_or_else(|| Error::new(ErrorKind::Invalid, "pass `from` as an earlier page gave it in `next`"))?;
    let (dead_letters, after) = redriver.list(&from.queue, from.after.as_deref(), PAGE).await?;
    let dead_letters: Vec<Summary> = dead_letters.into_iter().map(|dead_letter| dead_letter.summary).collect();
    let next = match after {
        Some(after) => json!({"queue": from.queue, "after": after}),
        None => queues.get(at + 1).map_or(Value::Null, |queue| json!({ "queue": queue })),
    };
    Ok(json!({"dead_letters": dead_letters, "next": next}))
}

async fn show(
    State(gateway): State<Gateway>,
    Caller(caller): Caller,
    Extension(redriver): Extension<Redriver>,
    Arguments(show): Arguments<Show>,
) -> Json<Result<Value, Error>> {
    Json(
        dead_letter(&gateway.platform, &redriver, &caller, &show.id)
            .await
            .map(|dead_letter| json!({ "dead_letter": dead_letter })),
    )
}

async fn dead_letter(
    platform: &PlatformService,
    redriver: &Redriver,
    caller: &str,
    id: &str,
) -> Result<DeadLetter, Error> {
    for queue in queues(platform, redriver, caller)? {
        if let Some(dead_letter) = redriver.find(&queue, id).await? {
            return Ok(dead_letter);
        }
    }
    Err(Error::new(ErrorKind::NotFound, format!("there is no dead letter `{id}`; `dead-letters list` shows examples")))
}

async fn redrive(
    State(gateway): State<Gateway>,
    Caller(caller): Caller,
    Extension(redriver): Extension<Redriver>,
    Arguments(selection): Arguments<Selection>,
) -> Json<Result<Value, Error>> {
    work(&gateway.platform, &caller, selection, async move |queue, ids| redriver.redrive(&queue, &ids).await).await
}

async fn discard(
    State(gateway): State<Gateway>,
    Caller(caller): Caller,
    Extension(redriver): Extension<Redriver>,
    Arguments(selection): Arguments<Selection>,
) -> Json<Result<Value, Error>> {
    work(&gateway.platform, &caller, selection, async move |queue, ids| redriver.discard(&queue, &ids).await).await
}

/// Works on dead letters to the end, even if the operator stops waiting.
async fn work<F>(
    platform: &PlatformService,
    caller: &str,
    Selection { queue, ids }: Selection,
    work: impl FnOnce(String, Vec<String>) -> F,
) -> Json<Result<Value, Error>>
where
    F: Future<Output = Result<Vec<Outcome>, Error>> + Send + 'static,
{
    if let Err(denied) = platform.check_redrive(caller, &queue) {
        return Json(Err(denied));
    }
    let worked = tokio::spawn(work(queue.clone(), ids.clone())).await;
    let ended = |_| Err(Error::new(ErrorKind::Unavailable, "the work on dead letters ended early; the log says why"));
    let outcomes = worked.unwrap_or_else(ended);
    Json(outcomes.map(|outcomes| told(caller, &queue, &ids, &outcomes)))
}

/// `{"outcomes": [{"id", "outcome", "why"?}]}`. Each outcome is also logged, because a dead letter that is gone leaves
/// no other record.
fn told(caller: &str, queue: &str, ids: &[String], outcomes: &[Outcome]) -> Value {
    let one = |(id, outcome): (&String, &Outcome)| {
        let (name, why) = match outcome {
            Outcome::Redriven => ("redriven", None),
            Outcome::Dropped => ("dropped", None),
            Outcome::Missing => ("missing", None),
            Outcome::Kept(why) => ("kept", Some(why)),
        };
        tracing::info!(caller, queue, dead_letter = id, outcome = name, why, "dead letter worked on");
        json!({"id": id, "outcome": name, "why": why})
    };
    json!({"outcomes": ids.iter().zip(outcomes).map(one).collect::<Vec<_>>()})
}

/// The dead letter queues that a caller may read; an error if there is none.
fn queues(platform: &PlatformService, redriver: &Redriver, caller: &str) -> Result<Vec<String>, Error> {
    let checked = redriver.origins.keys().map(|queue| (queue, platform.check_peek(caller, queue)));
    let (granted, refused): (Vec<_>, Vec<_>) = checked.partition(|(_, checked)| checked.is_ok());
    match refused.into_iter().find_map(|(_, checked)| checked.err()).filter(|_| granted.is_empty()) {
        Some(denied) => Err(denied),
        None => Ok(granted.into_iter().map(|(queue, _)| queue.clone()).collect()),
    }
}
