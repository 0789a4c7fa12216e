//! The selection of winners, after the registrations: its markets are closed, their tasks run side by side, fans
//! continue changing their entries meanwhile, and the checks compare the results.
//!
//! [`rank`] says who should win, [`change`] what fans change, [`run`] prepares the services, starts the tasks and waits,
//! [`found`] is what is read afterwards, [`check`] compares, [`inject`] spoils the outcome for `--inject`, [`memory`]
//! measures the host, and [`selected`] is the part of the summary.

mod change;
mod check;
mod found;
mod inject;
mod memory;
mod rank;
mod read;
mod run;
mod selected;

pub use change::Change;
pub use found::{CodeState, EntryCode, Stats};
pub use inject::Spoils;
pub use rank::Contest;
pub use read::{read, sent};
pub use run::Selecting;
pub use selected::{Selected, Selection};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests;
