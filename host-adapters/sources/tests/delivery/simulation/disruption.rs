//! The kinds of disruption that a schedule may have.

/// Something that can go wrong.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Disruption {
    /// The host dies: at a moment, or at the n-th step from a moment on.
    Crashes,
    /// The host is drained and started again.
    Drains,
    /// Another version of the worker is loaded.
    Swaps,
    /// A dependency of the worker is down.
    Outages,
    /// Calls of queues and streams fail.
    Errors,
    /// Calls of queues and streams succeed, but the response is lost.
    LostResponses,
    /// Queues and streams are slow.
    Latency,
    /// The worker is slow.
    Slowness,
    /// The worker traps, or returns too few or too many dispositions, whatever the records are.
    Hiccups,
    /// Records that make every call they are part of trap, time out or fail permanently.
    Poison,
    /// Records that are retried for a while or forever, or rejected.
    Unruliness,
    /// A service refuses everything that a worker asks of it.
    Refusals,
}

pub const DISRUPTIONS: [Disruption; 12] = [
    Disruption::Crashes,
    Disruption::Drains,
    Disruption::Swaps,
    Disruption::Outages,
    Disruption::Errors,
    Disruption::LostResponses,
    Disruption::Latency,
    Disruption::Slowness,
    Disruption::Hiccups,
    Disruption::Poison,
    Disruption::Unruliness,
    Disruption::Refusals,
];
