//! Batch workers over HTTP.

use super::{auth, body, header, send};
use crate::lambda::{
    self, Context, Incoming, LeftOut,
    batch_response::{BatchResponse, ItemIdentifier, Rejection, State},
};
use crate::{BatchWorker, Call, Disposition, Event, Failure, Response, variables, worker::call_batch};
use host_adapters_event::UNANSWERED;
use http_body_util::BodyExt;
use serde_json::json;
use spin_sdk::http::{FromRequest, Request};
use spin_sdk::wasip3::http::types;
use std::collections::BTreeMap;
use std::fmt::Display;

/// Answers one HTTP request to a batch worker.
#[doc(hidden)]
pub async fn handle<W: BatchWorker>(request: types::Request) -> Result<types::Response, types::ErrorCode> {
    let request = Request::from_request(request)?;
    let worker_token = variables::optional("worker_token").await;
    send(answer::<W, _>(request, worker_token.as_deref()).await.unwrap_or_else(|refusal| refusal))
}

/// The answer to a request that need not have come through WASI; `Err` if the worker was not called or failed.
#[doc(hidden)]
pub async fn answer<W: BatchWorker, B: BodyExt<Error: Display>>(
    request: Request<B>,
    worker_token: Option<&str>,
) -> Result<Response, Response> {
    auth::check(header(request.headers(), "authorization"), worker_token)?;
    let correlation_id = header(request.headers(), "x-correlation-id").map(str::to_owned);
    let traceparent = header(request.headers(), "traceparent").map(str::to_owned);
    let body = body(request).await?;
    let context = Context { correlation_id: correlation_id.as_deref(), traceparent: traceparent.as_deref() };
    let call = Call::new(W::NAME, correlation_id.clone().unwrap_or_default(), traceparent.clone());
    let lambda::Call { incoming, has_window } =
        lambda::parse_call(&body, &context, &mut |left_out| log_left_out(&call, &left_out))
            .map_err(|error| Response::error(400, "MALFORMED_EVENT", &error.to_string()))?;
    let events = incoming.iter().flat_map(Incoming::events).cloned().collect::<Vec<_>>();
    let dispositions = halved::<W>(events).await?;
    let mut answer = BatchResponse::new(&incoming, dispositions)
        .map_err(|error| Response::error(500, "WORKER_FAILED", &error.to_string()))?;
    answer.state = has_window.then(State::default);
    log_rejections(&call, &incoming, &answer);
    // Where Lambda is called without waiting for an answer, it calls again only after an error.
    let is_lost = !answer.batch_item_failures.is_empty() && lambda::fails_as_a_whole(&body);
    Ok(Response { status: if is_lost { 500 } else { 200 }, body: json!(answer).to_string() })
}

/// Calls the worker. After a permanent failure the halves are called instead, until the record that causes it is alone:
/// that one is a batch item failure, and the others get their own dispositions.
async fn halved<W: BatchWorker>(events: Vec<Event>) -> Result<Vec<Disposition>, Response> {
    let (all, mut dispositions, mut waiting) = (events.len(), Vec::with_capacity(events.len()), vec![events]);
    while let Some(mut events) = waiting.pop().filter(|events| !events.is_empty()) {
        match call_batch::<W>(events.clone()).await {
            Err(failure) if !failure.retryable && events.len() > 1 => {
                let second = events.split_off(events.len().div_ceil(2));
                waiting.extend([second, events]);
            }
            Err(failure) if failure.retryable && events.len() == all => return Err(failure.into()),
            called => dispositions.extend(one_each(called, events.len())?),
        }
    }
    Ok(dispositions)
}

/// One disposition for each record of a call.
fn one_each(called: Result<Vec<Disposition>, Failure>, records: usize) -> Result<Vec<Disposition>, Response> {
    let (mut dispositions, reason) = match called {
        Ok(dispositions) => (dispositions, UNANSWERED.to_owned()),
        Err(failure) => (Vec::new(), failure.message),
    };
    if dispositions.len() > records {
        let message = format!("the worker answered {} dispositions for {records} records", dispositions.len());
        return Err(Response::error(500, "WORKER_FAILED", &message));
    }
    dispositions.resize(records, Disposition::retry(reason));
    Ok(dispositions)
}

fn log_left_out(call: &Call, LeftOut { source, id, attribute }: &LeftOut) {
    call.warn(
        "Attribute left out: it cannot be read",
        json!({"source": source, "recordId": id, "attribute": attribute}),
    );
}

/// Logs each rejection and each skipped record once. Rejections of records that the host read itself are the host's to log.
fn log_rejections(call: &Call, incoming: &[Incoming], answer: &BatchResponse) {
    if answer.rejected.is_empty() {
        return;
    }
    let named = |event| (ItemIdentifier::of(event).to_string(), event);
    let events: BTreeMap<_, _> = incoming.iter().flat_map(Incoming::events).map(named).collect();
    for Rejection { item_identifier: id, reason, skipped } in &answer.rejected {
        let call = events.get(id).map_or_else(|| call.clone(), |event| call.of(event));
        let data = json!({"recordId": id, "reason": reason});
        match skipped {
            true => call.warn("Record skipped", data),
            false => call.error("Record rejected", data),
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    non_snake_case,
    reason = "tests, named after lines of docs/delivery.md"
)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures::executor::block_on;
    use http_body_util::Full;
    use serde_json::Value;

    /// Has every object wait.
    struct Waits;

    impl BatchWorker for Waits {
        const NAME: &'static str = "waits";

        async fn handle(batch: Vec<Event>, _: &Call) -> Result<Vec<Disposition>, Failure> {
            Ok(batch.iter().map(|_| Disposition::retry_after(Some(5), "not now")).collect())
        }
    }

    fn answered(event: &Value) -> (u16, Value) {
        let request = Request::builder().method("POST").header("authorization", "Bearer t");
        let request = request.body(Full::new(Bytes::from(event.to_string()))).unwrap();
        let response = block_on(answer::<Waits, _>(request, Some("t"))).unwrap_or_else(|refused| refused);
        (response.status, serde_json::from_str(&response.body).unwrap())
    }

    #[test]
    fn d15_9__whoever_waits_for_no_answer_learns_of_retries_by_the_status() {
        let object = json!({"key": "a", "size": 3, "eTag": "e1"});
        let s3 = json!({"bucket": {"name": "scoring"}, "object": object});
        let ids = json!({"x-amz-request-id": "r1"});
        let record =
            json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "responseElements": ids, "s3": s3});
        let direct = json!({ "Records": [record] });
        let (status, answer) = answered(&direct);
        let failures = json!([{"itemIdentifier": "r1", "reason": "not now", "afterMs": 5}]);
        assert_eq!((status, &answer["batchItemFailures"]), (500, &failures));
        let sns = json!({"Records": [{"Sns": {"MessageId": "n1", "Message": direct.to_string()}}]});
        assert_eq!(answered(&sns).0, 500);
        let sqs = json!({"Records": [{"messageId": "m1", "body": direct.to_string()}]});
        let (status, answer) = answered(&sqs);
        let failures = json!([{"itemIdentifier": "m1", "reason": "not now", "afterMs": 5}]);
        assert_eq!((status, &answer["batchItemFailures"]), (200, &failures));
        let removed = json!({"Records": [{"eventName": "ObjectRemoved:Delete", "s3": {}}]});
        assert_eq!(answered(&removed).0, 200);
    }

    #[test]
    fn d16_13__a_record_of_kafka_is_named_by_its_partition_and_offset() {
        let record = |topic: &str, partition: u32, offset: u64| {
            json!({"topic": topic, "partition": partition, "offset": offset, "timestampType": "CREATE_TIME",
                "timestamp": 5, "key": "YQ==", "value": "e30=", "headers": []})
        };
        let mut bad = record("t", 1, 7);
        bad["value"] = "%".into();
        let event = json!({"eventSource": "aws:kafka", "records": {
            "t-0": [record("t", 0, 17), record("t", 0, 18)], "t-1": [bad], "u-0": [record("u", 0, 17)],
        }});
        let (status, answer) = answered(&event);
        let failed = |partition: &str, offset: u64| json!({"itemIdentifier": {"partition": partition, "offset": offset}, "reason": "not now", "afterMs": 5});
        assert_eq!(
            (status, &answer["batchItemFailures"]),
            (200, &json!([failed("t-0", 17), failed("t-0", 18), failed("u-0", 17)]))
        );
        assert_eq!(answer["count"], json!({"received": 4, "processed": 0, "failed": 3, "rejected": 1}));
        let reason = answer["rejected"][0]["reason"].as_str().unwrap();
        assert!(reason.starts_with("malformed: value is not base64"), "{reason}");
        let empty = json!({"eventSource": "SelfManagedKafka", "records": {}});
        assert_eq!(answered(&empty).1["count"]["received"], 0);
        assert_eq!(answered(&json!({"records": 7})).0, 400);
    }
}
