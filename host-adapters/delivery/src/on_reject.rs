//! The policy for rejected records.

use host_adapters_settings::Words;

/// Whether a rejected record is dropped or becomes a dead letter.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnReject {
    /// It is logged, counted and settled.
    #[default]
    Drop,
    /// It is also stored as a dead letter.
    DeadLetter,
}

impl Words for OnReject {
    const WORDS: &'static [(&'static str, Self)] = &[("drop", Self::Drop), ("dead-letter", Self::DeadLetter)];
}
