//! The policy for rejected records.

use serde::{Deserialize, Serialize};

/// Whether a rejected record is dropped or becomes a dead letter.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnReject {
    /// It is logged, counted and settled.
    #[default]
    Drop,
    /// It is kept as a dead letter as well.
    DeadLetter,
}
