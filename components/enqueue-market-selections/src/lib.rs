//! enqueueMarketSelections: selects the winners of a market, reserves their codes, and queues a message for each fan.
//!
//! - [`input`]: the input of a task; [`failed`]: why it fails, and whether another attempt helps.
//! - [`lock`]: one task of a market at a time, and the list of the market's plans.
//! - [`fans`]: who is eligible, best first, and how many win; [`codes`]: which codes they get; [`plan`]: both, as stored.
//! - [`messages`]: what is queued. [`select`]: the steps, over [`ports`].
//!
//! The plan is the point of no return. A task that fails before it has selected nobody, and leaves only reserved codes,
//! which the next task of the market uses. (It may already have queued the messages of an earlier task whose attempts
//! were used up before that.) A task that fails after it, for whatever reason, is repeated from the plan up to its last
//! attempt; then the market's next task queues the winners' messages.

mod codes;
mod failed;
mod fans;
pub mod input;
mod lock;
mod messages;
mod plan;
pub mod ports;
mod select;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use failed::Failed;
use input::{Malformed, Selection};
use ports::{Live, Ports};
use serde_json::json;
use worker_kit::services::entry::Stats;
use worker_kit::{Call, Failure, Request, RequestWorker, Response};

/// The input is not that of a task.
const MALFORMED_INPUT: &str = "MALFORMED_INPUT";

/// The worker.
#[derive(Debug)]
pub struct EnqueueMarketSelections;

impl RequestWorker for EnqueueMarketSelections {
    const NAME: &'static str = "enqueue-market-selections";
    const DOES_TASKS: bool = true;

    async fn handle(request: Request, call: &Call) -> Result<Response, Failure> {
        match Selection::new(&request) {
            Ok(selection) => {
                let call = call.about(&selection.campaign_id);
                let _span = call.span("enqueueSelections");
                handle(&Live::new(&call), &selection).await
            }
            Err(Malformed { problem, selection }) => {
                call.error("Task refused", json!({"problem": problem}));
                let Some(selection) = selection else { return Ok(Response::error(400, MALFORMED_INPUT, &problem)) };
                let call = call.about(&selection.campaign_id);
                refuse(&Live::new(&call), &selection, problem).await
            }
        }
    }
}

worker_kit::request_worker!(EnqueueMarketSelections);

/// Does a task, through the given ports.
pub async fn handle(ports: &impl Ports, selection: &Selection) -> Result<Response, Failure> {
    let (stats, result) = select::select(ports, selection).await;
    answer(&stats, result)
}

/// Refuses a task whose input is malformed but for its campaign and market, and reports that.
pub async fn refuse(ports: &impl Ports, selection: &Selection, problem: String) -> Result<Response, Failure> {
    let stats = select::refuse(ports, selection).await;
    answer(&stats, Err(Failed::fatal(400, MALFORMED_INPUT, problem)))
}

/// The answer in the documents' form (data flow, "Returns: { stats, errors }").
fn answer(stats: &Stats, result: Result<(), Failed>) -> Result<Response, Failure> {
    match result {
        Ok(()) => Response::json(200, &json!({"stats": stats, "errors": []})),
        Err(Failed::Final { status, code, message }) => {
            Response::json(status, &json!({"error": {"code": code, "message": message}, "stats": stats}))
        }
        Err(Failed::Later(message) | Failed::Busy(message)) => Err(Failure::retryable(message)),
    }
}
