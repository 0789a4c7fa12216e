//! Log lines about single rows of a file. Every lost row is named. Of invalid rows a call logs the first ones and counts
//! the others: the file still has them, and the first lines are enough for its author to find the others.

use crate::ports::Ports;
use scoring::file::File;
use scoring::rows::InvalidRow;
use serde_json::{Value, json};
use std::cell::Cell;

/// Most lines about invalid rows in a call, and about lost ones that have a line each. The host takes 1,000 lines of a call.
const MAX_LINES: u64 = 100;
/// Lost rows in one line, behind those that have a line each. The host takes 64 KB of a line.
const ROWS_PER_LINE: usize = 25;
/// Most characters of a reason in such a line.
const MAX_REASON_CHARS: usize = 200;
/// Lines about lost rows with which a call ends early: the two batches under way by then, 5,000 rows, need some 200 more.
const LINES_PER_CALL: u64 = 500;

/// How many rows a call has had something to say of. Each kind has its own lines: a file of many invalid rows still names
/// the lost ones.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    invalid: Cell<u64>,
    /// Lines about lost rows.
    lost: Cell<u64>,
    /// Lost rows that are not in the metric yet.
    uncounted: Cell<u64>,
}

/// A row that is valid and lost.
#[derive(Clone, Debug)]
pub(crate) struct LostRow {
    /// What was not done, as its line says it.
    pub(crate) message: &'static str,
    /// The line in which it begins, from 1.
    pub(crate) line: u64,
    /// The fan's strongest name.
    pub(crate) fan: String,
    /// Why.
    pub(crate) reason: String,
}

impl LostRow {
    fn brief(&self) -> Value {
        let Self { message, line, fan, reason } = self;
        let reason: String = reason.chars().take(MAX_REASON_CHARS).collect();
        json!({"line": line, "fan": fan, "what": message, "reason": reason})
    }
}

impl Listed {
    /// Logs an invalid row with its line and column.
    pub(crate) fn invalid(&self, ports: &impl Ports, file: &File, row: &InvalidRow) {
        self.invalid.set(self.invalid.get() + 1);
        if self.invalid.get() <= MAX_LINES {
            let data = json!({"file": file.name(), "line": row.line, "row": row.to_string()});
            ports.info("Row invalid", data);
        }
    }

    /// Logs rows that are valid and lost: the first ones of a call with a line each, the others together.
    pub(crate) fn lost(&self, ports: &impl Ports, file: &File, rows: &[LostRow]) {
        self.uncounted.set(self.uncounted.get() + rows.len() as u64);
        let mut rows = rows;
        while let Some((LostRow { message, line, fan, reason }, others)) = rows.split_first() {
            if self.lost.get() >= MAX_LINES {
                break;
            }
            ports.error(message, json!({"file": file.name(), "line": line, "fan": fan, "reason": reason}));
            self.lost.set(self.lost.get() + 1);
            rows = others;
        }
        for rows in rows.chunks(ROWS_PER_LINE) {
            let rows: Vec<_> = rows.iter().map(LostRow::brief).collect();
            ports.error("More rows lost", json!({"file": file.name(), "rows": rows}));
            self.lost.set(self.lost.get() + 1);
        }
    }

    /// Whether the call has said so much of lost rows that another one is to go on, for which the host takes more lines.
    pub(crate) fn is_full(&self) -> bool {
        self.lost.get() >= LINES_PER_CALL
    }

    /// The rows that were lost since the last time.
    pub(crate) fn take_lost(&self) -> u64 {
        self.uncounted.take()
    }

    /// Logs at a call's end how many invalid rows are not listed.
    pub(crate) fn end(&self, ports: &impl Ports, file: &File) {
        let unlisted = self.invalid.get().saturating_sub(MAX_LINES);
        if unlisted > 0 {
            ports.info("More rows invalid", json!({"file": file.name(), "unlisted": unlisted}));
        }
    }
}
