//! Scoring, between the registrations and the selection: two scored files arrive, and their result is checked.
//!
//! [`plan`] says what the files tell of whom, [`file`] writes them, [`due`] recounts, [`run`] puts the files and waits,
//! [`found`] is what is read afterwards, [`check`] and [`slack`] compare, [`spoil`] spoils the outcome for `--inject`, and
//! [`scored`] is the part of the summary.

mod check;
mod due;
mod file;
mod found;
mod plan;
mod read;
mod run;
mod scored;
mod slack;
mod spoil;

pub use found::Found;
pub use read::read;
pub use run::{Ran, Scoring};
pub use scored::{Course, Scored, Scores};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests;
