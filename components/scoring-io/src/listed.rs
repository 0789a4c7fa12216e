//! Log lines about single rows of a file: a call logs the first ones and counts the others. Its lost rows are in a
//! metric.

use crate::ports::Ports;
use scoring::file::File;
use scoring::rows::InvalidRow;
use serde_json::{Value, json};
use std::cell::Cell;

/// Most lines about invalid rows in a call, and about lost ones. The host takes 1,000 lines of a call.
const MAX_LINES: u64 = 100;

/// How many rows a call has had something to say of. Each kind has its own lines: a file of many invalid rows still names
/// the lost ones.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    invalid: Cell<u64>,
    lost: Cell<u64>,
    /// Lost rows that are not in the metric yet.
    uncounted: Cell<u64>,
}

fn has_room(count: &Cell<u64>) -> bool {
    count.set(count.get() + 1);
    count.get() <= MAX_LINES
}

impl Listed {
    /// Logs an invalid row with its line and column.
    pub(crate) fn invalid(&self, ports: &impl Ports, file: &File, row: &InvalidRow) {
        if has_room(&self.invalid) {
            let data = json!({"file": file.name(), "line": row.line, "row": row.to_string()});
            ports.info("Row invalid", data);
        }
    }

    /// Logs a row that is valid and lost.
    pub(crate) fn lost(&self, ports: &impl Ports, message: &str, data: Value) {
        self.uncounted.set(self.uncounted.get() + 1);
        if has_room(&self.lost) {
            ports.error(message, data);
        }
    }

    /// The rows that were lost since the last time.
    pub(crate) fn take_lost(&self) -> u64 {
        self.uncounted.take()
    }

    /// Logs at a call's end how many rows are not listed.
    pub(crate) fn end(&self, ports: &impl Ports, file: &File) {
        let unlisted = |count: &Cell<u64>| Some(count.get().saturating_sub(MAX_LINES)).filter(|count| *count > 0);
        let data = |unlisted: u64| json!({"file": file.name(), "unlisted": unlisted});
        unlisted(&self.invalid).into_iter().for_each(|count| ports.info("More rows invalid", data(count)));
        unlisted(&self.lost).into_iter().for_each(|count| ports.error("More rows lost", data(count)));
    }
}
