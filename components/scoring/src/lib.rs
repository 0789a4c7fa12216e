//! The rules of scoring: from a row of a scored file to a fan's score item, the counts of a campaign, and the report to
//! Slack.
//!
//! Pure, like `registration`: no I/O, no clock, no WIT. A rule takes what was read and says what is to be written
//! ([`table::Change`]), so every rule is tested natively.
//!
//! - [`csv`]: rows of bytes that arrive in ranges; [`rows`]: the records and invalid rows of a file.
//! - [`schema`]: a row's JSON Schema (`schemas/domain/scrubbed-row.json`, `fanlist-row.json`) as a check of cells.
//! - [`record`]: a valid row, with its [`score`] and the [`file`](crate::file) that it comes from.
//! - [`fan`]: who a record is about; [`save`]: what to write, so that a fan has one score item with the right content.
//! - [`counts`]: verified, rejected and selected fans of a campaign, from changes of items.
//! - [`report`]: what Slack is told, and when.
//! - [`progress`]: how far a file has been read; [`due`]: what is to be reported then; [`tail`]: the records that are put
//!   last.

pub mod column;
pub mod counts;
pub mod csv;
pub mod due;
pub mod fan;
pub mod fans;
pub mod file;
pub mod progress;
pub mod record;
pub mod report;
pub mod rows;
pub mod save;
pub mod schema;
pub mod score;
pub mod table;
pub mod tail;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
