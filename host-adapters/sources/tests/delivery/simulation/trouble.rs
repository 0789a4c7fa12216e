//! The kinds of trouble that a schedule may have.

/// What can go wrong.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Trouble {
    /// The host dies: at a moment, or at the n-th step from a moment on.
    Crashes,
    /// The host is drained and started again.
    Drains,
    /// Another version of the worker is loaded.
    Swaps,
    /// What the worker needs is down.
    Outages,
    /// Calls of queues and streams fail.
    Errors,
    /// They succeed, but the host does not hear of it.
    LostAnswers,
    /// Queues and streams take their time.
    Latency,
    /// The worker takes its time.
    Slowness,
    /// The worker traps, or answers too little or too much, whoever its records are.
    Hiccups,
    /// Records that trap every call they are part of, or let it time out.
    Poison,
    /// Records that are retried for a while, for ever, or rejected.
    Unruliness,
}

pub const TROUBLES: [Trouble; 11] = [
    Trouble::Crashes,
    Trouble::Drains,
    Trouble::Swaps,
    Trouble::Outages,
    Trouble::Errors,
    Trouble::LostAnswers,
    Trouble::Latency,
    Trouble::Slowness,
    Trouble::Hiccups,
    Trouble::Poison,
    Trouble::Unruliness,
];
