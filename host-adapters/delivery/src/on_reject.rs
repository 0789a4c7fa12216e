//! The policy for rejected records.

use host_adapters_settings::Words;

/// Whether a rejected record is dropped or becomes a dead letter.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnReject {
    /// It is logged, counted and settled: its payload is lost.
    Drop,
    /// It is also stored as a dead letter.
    #[default]
    DeadLetter,
}

impl OnReject {
    /// The queue that takes the dead letters of rejected records, if `queue` does.
    pub fn queue(self, queue: &str) -> Option<&str> {
        (self == Self::DeadLetter).then_some(queue)
    }
}

impl Words for OnReject {
    const WORDS: &'static [(&'static str, Self)] = &[("dead-letter", Self::DeadLetter), ("drop", Self::Drop)];
}
