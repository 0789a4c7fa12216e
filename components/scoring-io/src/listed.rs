//! Lines about single rows of a file: a call lists the first ones and counts the others. Its lost rows are in a metric.

use crate::ports::Ports;
use scoring::file::File;
use scoring::rows::InvalidRow;
use serde_json::{Value, json};
use std::cell::Cell;

/// Most lines about rows in a call. The host takes 1,000 lines of a call.
const MAX_LINES: u64 = 100;

/// How many rows a call has had something to say of.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    rows: Cell<u64>,
    /// Rows that are valid and lost, since they were counted last.
    lost: Cell<u64>,
}

impl Listed {
    fn has_room(&self) -> bool {
        self.rows.set(self.rows.get() + 1);
        self.rows.get() <= MAX_LINES
    }

    /// Logs an invalid row with its line and column.
    pub(crate) fn invalid(&self, ports: &impl Ports, file: &File, row: &InvalidRow) {
        if self.has_room() {
            let data = json!({"file": file.name(), "line": row.line, "row": row.to_string()});
            ports.info("Row invalid", data);
        }
    }

    /// Logs a row that is valid and lost.
    pub(crate) fn error(&self, ports: &impl Ports, message: &str, data: Value) {
        if self.has_room() {
            ports.error(message, data);
        }
    }

    /// Notes rows that are valid and lost.
    pub(crate) fn add_lost(&self, rows: usize) {
        self.lost.set(self.lost.get() + rows as u64);
    }

    /// The rows that were lost since the last time.
    pub(crate) fn take_lost(&self) -> u64 {
        self.lost.take()
    }

    /// Logs at a call's end how many rows are not listed.
    pub(crate) fn end(&self, ports: &impl Ports, file: &File) {
        let unlisted = self.rows.get().saturating_sub(MAX_LINES);
        if unlisted > 0 {
            ports.info("More rows invalid or lost", json!({"file": file.name(), "unlisted": unlisted}));
        }
    }
}
