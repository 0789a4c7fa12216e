//! Conversion between the records of `delivery` and those of `runtime`, two crates that do not know each other.

use host_adapters_delivery::dispatch::{CallError, Dispatched};
use host_adapters_delivery::event::{Disposition, Event, Payload};
use host_adapters_runtime as runtime;
use std::time::Duration;

pub(super) fn event(event: Event) -> runtime::Event {
    runtime::Event {
        id: event.id,
        source: event.source,
        ordering_key: event.ordering_key,
        payload: match event.payload {
            Payload::Json(text) => runtime::Payload::Json(text),
            Payload::Bytes(bytes) => runtime::Payload::Bytes(bytes),
        },
        attributes: event.attributes,
        attempt: event.attempt,
        time_ms: event.time_ms,
        correlation_id: event.correlation_id,
        traceparent: event.traceparent,
    }
}

/// A list longer than the batch fails the call, because it is unknown which record an extra disposition is for.
pub(super) fn dispatched(called: runtime::Called<Vec<runtime::Disposition>>, size: usize) -> Dispatched {
    let result = match called.result {
        Ok(dispositions) if dispositions.len() > size => Err(CallError::TooMany(dispositions.len(), size)),
        Ok(dispositions) => Ok(dispositions.into_iter().map(disposition).collect()),
        Err(error) => Err(call_error(error)),
    };
    Dispatched { result, digest: called.digest.to_string(), outages: called.outages }
}

fn disposition(disposition: runtime::Disposition) -> Disposition {
    match disposition {
        runtime::Disposition::Ack => Disposition::Ack,
        runtime::Disposition::Retry(after) => Disposition::Retry { after: after.map(Duration::from_millis) },
        runtime::Disposition::Reject(reason) => Disposition::Reject { reason },
    }
}

fn call_error(error: runtime::CallError) -> CallError {
    match error {
        runtime::CallError::Failed(message) => CallError::Failed(message),
        runtime::CallError::Permanent(message) => CallError::Permanent(message),
        runtime::CallError::Trapped(message) => CallError::Trapped(message),
        runtime::CallError::TimedOut(after) => CallError::TimedOut(after),
        runtime::CallError::NotCallable(message) => CallError::NotCallable(message),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn called(
        result: Result<Vec<runtime::Disposition>, runtime::CallError>,
    ) -> runtime::Called<Vec<runtime::Disposition>> {
        runtime::Called { result, digest: "d".into(), outages: vec![] }
    }

    #[test]
    fn more_dispositions_than_records_fail_the_call() {
        let result = dispatched(called(Ok(vec![runtime::Disposition::Ack; 2])), 1).result;
        assert_eq!(result, Err(CallError::TooMany(2, 1)));
    }

    #[test]
    fn fewer_dispositions_are_passed_on() {
        let result = dispatched(called(Ok(vec![runtime::Disposition::Retry(Some(1500))])), 2).result;
        assert_eq!(result.unwrap(), vec![Disposition::Retry { after: Some(Duration::from_millis(1500)) }]);
    }
}
