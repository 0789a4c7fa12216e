//! Reads a guest's response. A guest may send anything, so everything is limited here, before it is logged, counted or
//! forwarded.

use crate::call::{CallError, Disposition};
use bytes::Bytes;
use host_adapters_event::{Failure, Response, cut};
use http::header::{self, HeaderMap, HeaderName};
use http_body_util::{BodyExt, Limited};
use wasmtime_wasi_http::WasiBody;

/// The largest answer over HTTP, bytes: that of a Lambda function.
pub(crate) const MAX_RESPONSE_BYTES: usize = 6 << 20;
/// Reasons and messages are cut to this many bytes: they go to logs, metrics and attributes of dead letters.
const MAX_REASON_BYTES: usize = 4 << 10;

/// Headers that speak of the connection, which is the host's, and the length, which the host counts itself.
const NOT_THE_GUESTS: [HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The answer to a batch.
pub(crate) fn batch(answer: Result<Vec<Disposition>, Failure>) -> Result<Vec<Disposition>, CallError> {
    let mut dispositions = answer.map_err(|failure| refused(&failure))?;
    for disposition in &mut dispositions {
        if let Some(reason) = reason(disposition) {
            reason.truncate(bounded(reason).len());
        }
    }
    Ok(dispositions)
}

/// The answer to a request that did not come over HTTP.
pub(crate) fn request(answer: Result<Response, Failure>) -> Result<Response, CallError> {
    let response = answer.map_err(|failure| refused(&failure))?;
    match response.body.len() {
        ..=MAX_RESPONSE_BYTES => Ok(response),
        bytes => Err(failed(&format!("its answer has {bytes} bytes (at most {MAX_RESPONSE_BYTES})"))),
    }
}

/// The failure of a whole call.
fn refused(failure: &Failure) -> CallError {
    match failure.retryable {
        true => failed(&failure.message),
        false => CallError::Permanent(bounded(&failure.message).to_owned()),
    }
}

/// A guest's disposition of a record.
pub(crate) fn reason(disposition: &mut Disposition) -> Option<&mut String> {
    match disposition {
        Disposition::Ack => None,
        Disposition::Retry(retry) => Some(&mut retry.reason),
        Disposition::Reject(reason) | Disposition::Skip(reason) | Disposition::GiveUp(reason) => Some(reason),
    }
}

/// The failure that a worker reports itself.
pub(crate) fn failed(message: &str) -> CallError {
    CallError::Failed(bounded(message).to_owned())
}

/// The part of a guest's reason or message that is kept.
pub(crate) fn bounded(text: &str) -> &str {
    cut(text, MAX_REASON_BYTES)
}

/// The answer to a request, once all of it is there.
pub(crate) async fn http(response: http::Response<WasiBody>) -> Result<http::Response<Bytes>, CallError> {
    let (mut parts, body) = response.into_parts();
    // The host's own server sends those; a guest may not.
    if parts.status.is_informational() {
        return Err(failed(&format!("it answered with the status {}, which is not an answer", parts.status.as_u16())));
    }
    clean(&mut parts.headers);
    match Limited::new(body, MAX_RESPONSE_BYTES).collect().await {
        Ok(body) => Ok(http::Response::from_parts(parts, body.to_bytes())),
        Err(error) => Err(failed(&format!("its answer broke off (at most {MAX_RESPONSE_BYTES} bytes): {error}"))),
    }
}

fn clean(headers: &mut HeaderMap) {
    for name in NOT_THE_GUESTS {
        headers.remove(name);
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[test]
    fn reasons_are_cut_between_characters() {
        let long = "é".repeat(MAX_REASON_BYTES);
        let answer = vec![Disposition::Ack, Disposition::Reject(long.clone()), Disposition::retry_after(Some(7), long)];
        let answer = batch(Ok(answer)).unwrap();
        let [Disposition::Ack, Disposition::Reject(reason), Disposition::Retry(retry)] = &answer[..] else {
            panic!("{answer:?}");
        };
        assert_eq!((reason.len(), retry.reason.len(), retry.after_ms), (MAX_REASON_BYTES, MAX_REASON_BYTES, Some(7)));
        let failure = Failure { retryable: true, message: format!("x{}", "é".repeat(MAX_REASON_BYTES)) };
        let error = batch(Err(failure.clone())).unwrap_err();
        assert!(matches!(error, CallError::Failed(message) if message.len() == MAX_REASON_BYTES - 1));
        let error = batch(Err(Failure { retryable: false, ..failure })).unwrap_err();
        assert!(matches!(error, CallError::Permanent(message) if message.len() == MAX_REASON_BYTES - 1));
    }

    fn response(status: u16, bytes: usize) -> http::Response<WasiBody> {
        let body = Full::new(Bytes::from(vec![b'a'; bytes])).map_err(|never| match never {}).boxed_unsync();
        let answer = http::Response::builder().status(status).header("content-length", "1").header("x-own", "kept");
        answer.header("transfer-encoding", "chunked").body(body).unwrap()
    }

    #[test]
    fn the_answer_to_a_task_is_bounded() {
        let answer = |bytes| request(Ok(Response { status: 422, body: "a".repeat(bytes) }));
        assert_eq!(answer(MAX_RESPONSE_BYTES).unwrap().status, 422);
        assert!(answer(MAX_RESPONSE_BYTES + 1).unwrap_err().to_string().contains("at most 6291456"));
        let failure = |retryable| request(Err(Failure { retryable, message: "m".into() })).unwrap_err();
        assert_eq!(failure(true), CallError::Failed("m".into()));
        assert_eq!(failure(false), CallError::Permanent("m".into()));
    }

    #[tokio::test]
    async fn an_answer_says_nothing_of_the_connection() {
        let answer = http(response(200, 10)).await.unwrap();
        let names: Vec<_> = answer.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!((answer.body().len(), names), (10, vec!["x-own"]));
    }

    #[tokio::test]
    async fn what_is_not_a_response_fails() {
        for status in [100, 101, 103, 199] {
            assert!(matches!(http(response(status, 0)).await, Err(CallError::Failed(_))), "{status}");
        }
        assert!(http(response(599, MAX_RESPONSE_BYTES)).await.is_ok());
        let error = http(response(200, MAX_RESPONSE_BYTES + 1)).await.unwrap_err();
        assert!(error.to_string().contains("at most 6291456 bytes"), "{error}");
    }
}
