//! Which responses are retried, and when.

use backon::{BackoffBuilder, ExponentialBuilder};
use host_adapters_event::ServiceStatus;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use std::time::{Duration, SystemTime};

/// Attempts of a call, including the first.
pub const ATTEMPTS: usize = 3;
/// The wait before the first retry is up to this, before the second up to twice this.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// If a service asks for a longer wait than this, the call fails and the source waits instead: it can wait without
/// holding an instance.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Whether a status is worth another attempt.
pub(super) fn is_retryable(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || ServiceStatus::of(status.as_u16()) == ServiceStatus::Down
}

/// The waits between attempts: exponential with full jitter, so that callers who failed together do not come back
/// together.
pub(super) fn waits() -> impl backon::Backoff {
    let ceilings = ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_max_times(ATTEMPTS - 1).build();
    ceilings.map(|ceiling| ceiling.mul_f64(rand::random::<f64>()))
}

/// How long to wait when our own jitter gives `ours` and the service asks for `theirs`; `None` to give up.
pub(super) fn wait(ours: Duration, theirs: Option<Duration>) -> Option<Duration> {
    Some(ours.max(theirs.unwrap_or_default())).filter(|wait| *wait <= LONGEST_WAIT)
}

/// How long the service asks to wait: `Retry-After` in seconds or as a date. A date that has passed is now.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn only_transient_failures_are_retried() {
        let retryable: Vec<u16> =
            (100..600).filter(|code| is_retryable(StatusCode::from_u16(*code).unwrap())).collect();
        assert_eq!(retryable, [429, 502, 503, 504]);
    }

    #[test]
    fn waits_are_two_jittered_and_bounded() {
        let all: Vec<Vec<Duration>> = (0..100).map(|_| waits().collect()).collect();
        assert!(all.iter().all(|waits| matches!(waits[..], [a, b] if a <= FIRST_WAIT && b <= FIRST_WAIT * 2)));
        assert!(all.windows(2).any(|pair| matches!(pair, [a, b] if a != b)));
        assert!(all.iter().any(|waits| waits.first().is_some_and(|wait| *wait < FIRST_WAIT / 2)), "full jitter");
    }

    #[test]
    fn the_longer_wait_wins_unless_it_is_too_long() {
        let ms = Duration::from_millis;
        assert_eq!(wait(ms(50), None), Some(ms(50)));
        assert_eq!(wait(ms(50), Some(ms(0))), Some(ms(50)));
        assert_eq!(wait(ms(50), Some(ms(10_000))), Some(ms(10_000)));
        assert_eq!(wait(ms(50), Some(ms(11_000))), None);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        // 1994-11-06T08:49:37Z, the date of the standard's own example.
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let cases = [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ];
        for (text, seconds) in cases {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
