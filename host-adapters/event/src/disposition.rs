//! What a worker answers to a batch.

use std::cmp::Ordering;
use std::time::Duration;
#[cfg(feature = "component")]
use wasmtime::component::{ComponentType, Lift};

/// The reason of a record for which the worker answered no disposition.
pub const UNANSWERED: &str = "the worker answered no disposition for the record";

/// A worker's decision on one record.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "component", derive(ComponentType, Lift), component(variant))]
pub enum Disposition {
    /// Done.
    #[cfg_attr(feature = "component", component(name = "ack"))]
    Ack,
    /// Deliver again. Without a time it is an attempt, and after the last one the DLQ; with a time the record only waits.
    #[cfg_attr(feature = "component", component(name = "retry"))]
    Retry(Retry),
    /// Can never succeed; the reason is for the log, the metric and the dead letter.
    #[cfg_attr(feature = "component", component(name = "reject"))]
    Reject(String),
    /// Done without effect: what the record asks for has been overtaken. Logged and counted as skipped; nothing is lost, so
    /// it never becomes a dead letter.
    #[cfg_attr(feature = "component", component(name = "skip"))]
    Skip(String),
    /// Given up at once: a store or a queue can never accept what the record asks for. It becomes a dead letter with
    /// this reason, whatever the source does with rejected records.
    #[cfg_attr(feature = "component", component(name = "give-up"))]
    GiveUp(String),
}

/// Why a record is to be delivered again, and when.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "component", derive(ComponentType, Lift), component(record))]
pub struct Retry {
    /// The least delay before redelivery, milliseconds. The record only waits for capacity: this uses no attempt. A
    /// stream, which waits with all that follows, waits a second at least.
    #[cfg_attr(feature = "component", component(name = "after-ms"))]
    pub after_ms: Option<u64>,
    /// The cause, for people: the last one becomes the reason of the dead letter.
    pub reason: String,
}

impl Disposition {
    /// Another delivery, when the source sees fit.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::retry_after(None, reason)
    }

    /// Another delivery: after this many milliseconds and without using an attempt, if a time is given.
    pub fn retry_after(after_ms: Option<u64>, reason: impl Into<String>) -> Self {
        Self::Retry(Retry { after_ms, reason: reason.into() })
    }

    /// How long the record only waits, without using an attempt; `None` if it is anything but such a retry.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Retry(Retry { after_ms, .. }) => after_ms.map(Duration::from_millis),
            _ => None,
        }
    }
}

/// The disposition of a record that holds several events and is settled as one. It is delivered again if one of them is
/// to be. If one has failed, the record has; if one waits, all do. Without events it is done.
pub fn gravest(dispositions: impl IntoIterator<Item = Disposition>) -> Disposition {
    let grave = |disposition: &Disposition| match disposition {
        Disposition::Ack => 0,
        Disposition::Skip(_) => 1,
        Disposition::Reject(_) => 2,
        Disposition::GiveUp(_) => 3,
        // The longest wait counts. A retry without a time goes before it.
        Disposition::Retry(Retry { after_ms: Some(_), .. }) => 4,
        Disposition::Retry(Retry { after_ms: None, .. }) => 5,
    };
    let graver = |one: Disposition, other: Disposition| {
        let is_longer = matches!(grave(&other), 4) && other.wait() > one.wait();
        match grave(&other).cmp(&grave(&one)) {
            Ordering::Greater => other,
            Ordering::Equal if is_longer => other,
            _ => one,
        }
    };
    dispositions.into_iter().fold(Disposition::Ack, graver)
}

/// The whole call failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[cfg_attr(feature = "component", derive(ComponentType, Lift), component(record))]
#[error("{message}")]
pub struct Failure {
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// What happened.
    pub message: String,
}

impl Failure {
    /// A failure that may pass, for example because an operator corrects the worker's configuration.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self { retryable: true, message: message.into() }
    }

    /// A failure that lies in the records themselves: they are given up.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { retryable: false, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_disposition_is_that_of_all() {
        let wait = |ms| Disposition::retry_after(Some(ms), "busy");
        let (skip, reject) = (Disposition::Skip("late".into()), Disposition::Reject("no".into()));
        let (give_up, retry) = (Disposition::GiveUp("wrong".into()), Disposition::retry("failed"));
        for (all, expected) in [
            (vec![], Disposition::Ack),
            (vec![Disposition::Ack, Disposition::Ack], Disposition::Ack),
            (vec![skip.clone(), Disposition::Ack], skip.clone()),
            (vec![skip, reject.clone(), Disposition::Ack], reject.clone()),
            (vec![give_up.clone(), reject], give_up.clone()),
            (vec![give_up, wait(5)], wait(5)),
            (vec![wait(5), Disposition::Ack, wait(9), wait(7)], wait(9)),
            (vec![wait(9), retry.clone(), Disposition::retry("later")], retry),
        ] {
            assert_eq!(gravest(all.clone()), expected, "{all:?}");
        }
    }
}
