//! What the workers of scoring share around the pure rules of `scoring`: their requests to the platform, over ports.
//!
//! - [`table`]: a [`scoring::table::Change`] as an update of the platform, and the port of `demand-table`.
//! - [`save`]: saves the records of a batch, so that each fan has one score item.
//! - [`load`]: reads a file and queues its reports, over [`ports`]: all that load-scores and save-fanlist-scores do.

mod created;
mod listed;
pub mod load;
pub mod ports;
mod report;
pub mod save;
mod send;
pub mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
