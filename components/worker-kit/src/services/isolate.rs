//! The rule of all workers for a request that a service refuses, or a call that is wrong for the platform: it is halved
//! until the part that is refused stands alone, so that no record fails because of another.

use super::{MAX_PER_REQUEST, ServiceError};
use crate::platform;
use futures::{StreamExt, stream};

/// An error of a request about several parts.
pub trait Refusal {
    /// Whether a part may be at fault, so that the others succeed without it.
    fn is_refusal(&self) -> bool;
}

impl Refusal for ServiceError {
    fn is_refusal(&self) -> bool {
        Self::is_refusal(self)
    }
}

impl Refusal for platform::Error {
    fn is_refusal(&self) -> bool {
        self.is_wrong()
    }
}

/// Sends `parts`, at most [`MAX_PER_REQUEST`] in a request and `at_once` requests at a time. Returns the parts of each
/// request with its outcome; a refusal is the outcome of one part alone.
pub async fn isolate<T, R>(
    parts: Vec<T>,
    at_once: usize,
    send: impl AsyncFn(&[T]) -> Result<R, ServiceError>,
) -> Vec<(Vec<T>, Result<R, ServiceError>)> {
    isolate_by(MAX_PER_REQUEST, parts, at_once, send).await
}

/// The same with another number of parts in a request, to a service or the platform.
pub async fn isolate_by<T, R, E: Refusal>(
    per_request: usize,
    parts: Vec<T>,
    at_once: usize,
    send: impl AsyncFn(&[T]) -> Result<R, E>,
) -> Vec<(Vec<T>, Result<R, E>)> {
    let mut requests = vec![];
    let mut parts = parts.into_iter().peekable();
    while parts.peek().is_some() {
        requests.push(parts.by_ref().take(per_request).collect());
    }
    let send = &send;
    let outcomes = stream::iter(requests).map(|request| halved(request, send)).buffered(at_once);
    outcomes.collect::<Vec<_>>().await.into_iter().flatten().collect()
}

async fn halved<T, R, E: Refusal>(
    request: Vec<T>,
    send: &impl AsyncFn(&[T]) -> Result<R, E>,
) -> Vec<(Vec<T>, Result<R, E>)> {
    let (mut waiting, mut outcomes) = (vec![request], vec![]);
    while let Some(mut parts) = waiting.pop() {
        match send(&parts).await {
            Err(error) if error.is_refusal() && parts.len() > 1 => {
                let more = parts.split_off(parts.len() / 2);
                waiting.extend([more, parts]);
            }
            outcome => outcomes.push((parts, outcome)),
        }
    }
    outcomes
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::services::ResponseSummary;
    use futures::executor::block_on;
    use std::cell::RefCell;

    fn refusal(status: u16) -> ServiceError {
        ServiceError::from_answer(ResponseSummary::new("entry", status, "not mine"), None)
    }

    /// Sends the parts to a service that answers a request with `status` if it has one of `bad` in it. Returns the parts
    /// that failed, and the sizes of all requests.
    fn run(count: u32, bad: &[u32], status: u16) -> (Vec<u32>, Vec<usize>) {
        let requests = RefCell::new(Vec::new());
        let outcomes = block_on(isolate((0..count).collect(), 4, async |parts: &[u32]| {
            requests.borrow_mut().push(parts.len());
            let spoiled = parts.iter().any(|part| bad.contains(part));
            if spoiled { Err(refusal(status)) } else { Ok(()) }
        }));
        let sent: Vec<_> = outcomes.iter().flat_map(|(parts, _)| parts.clone()).collect();
        assert_eq!(sent, (0..count).collect::<Vec<_>>(), "each part has one outcome");
        let failed = outcomes.into_iter().filter(|(_, outcome)| outcome.is_err()).flat_map(|(parts, _)| parts);
        (failed.collect(), requests.into_inner())
    }

    #[test]
    fn requests_are_full_and_in_order() {
        assert_eq!(run(60, &[], 400), (vec![], vec![25, 25, 10]));
        assert_eq!(run(0, &[], 400), (vec![], vec![]));
    }

    #[test]
    fn point_2_what_a_service_refuses_for_good_stands_alone_at_last() {
        for status in [400, 401, 403, 404, 409, 413, 422, 500] {
            let (failed, requests) = run(25, &[13], status);
            assert_eq!(failed, [13], "{status}");
            assert!(requests.len() < 12, "halved, not sent one by one: {requests:?}");
        }
        assert_eq!(run(25, &[3, 24], 400).0, [3, 24]);
        assert_eq!(run(1, &[0], 400), (vec![0], vec![1]));
    }

    /// A failure that speaks of the service, or of its address, is not the fault of a part.
    #[test]
    fn point_2_a_service_that_is_down_is_not_asked_again_in_halves() {
        for status in [302, 405, 408, 415, 429, 502, 503, 504] {
            assert_eq!(run(25, &[13], status), ((0..25).collect(), vec![25]), "{status}");
        }
    }
}
