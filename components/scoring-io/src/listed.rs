//! Log lines about single rows of files. Every lost row is named. Of invalid rows a call logs the first ones and counts
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
/// Lines about a file itself, about: that it is read, warnings, and how many invalid rows have no line.
const LINES_PER_FILE: u64 = 4;

/// The lines of a call about rows, of all its files together. Each kind has its own: files of many invalid rows still name
/// the lost ones.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    invalid: Cell<u64>,
    lost: Cell<u64>,
    /// Files that have begun.
    files: Cell<u64>,
}

impl Lines {
    /// Whether the call has logged so many lost rows that another call must continue, for which the host takes more
    /// lines.
    pub(crate) fn is_full(&self) -> bool {
        self.lost.get() + self.files.get() * LINES_PER_FILE >= LINES_PER_CALL
    }
}

/// What a call says of the rows of one file.
#[derive(Debug)]
pub(crate) struct Listed<'c> {
    lines: &'c Lines,
    /// Invalid rows without a line.
    unlisted: Cell<u64>,
}

/// A row that is valid and lost.
#[derive(Clone, Debug)]
pub(crate) struct LostRow {
    /// The message of its log line: what was not done.
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

impl<'c> Listed<'c> {
    /// Begins the lines of a file.
    pub(crate) fn of(lines: &'c Lines) -> Self {
        add(&lines.files, 1);
        Self { lines, unlisted: Cell::default() }
    }

    /// Logs an invalid row with its line and column.
    pub(crate) fn invalid(&self, ports: &impl Ports, file: &File, row: &InvalidRow) {
        if self.lines.invalid.get() >= MAX_LINES {
            add(&self.unlisted, 1);
            return;
        }
        add(&self.lines.invalid, 1);
        let data = json!({"file": file.name(), "line": row.line, "row": row.to_string()});
        ports.info("Row invalid", data);
    }

    /// Logs rows that are valid and lost: the first ones of a call with a line each, the others together.
    pub(crate) fn lost(&self, ports: &impl Ports, file: &File, rows: &[LostRow]) {
        let mut rows = rows;
        while let Some((LostRow { message, line, fan, reason }, others)) = rows.split_first() {
            if self.lines.lost.get() >= MAX_LINES {
                break;
            }
            ports.error(message, json!({"file": file.name(), "line": line, "fan": fan, "reason": reason}));
            add(&self.lines.lost, 1);
            rows = others;
        }
        for rows in rows.chunks(ROWS_PER_LINE) {
            let rows: Vec<_> = rows.iter().map(LostRow::brief).collect();
            ports.error("More rows lost", json!({"file": file.name(), "rows": rows}));
            add(&self.lines.lost, 1);
        }
    }

    /// As [`Lines::is_full`].
    pub(crate) fn is_full(&self) -> bool {
        self.lines.is_full()
    }

    /// Logs when a call is done with the file how many invalid rows have no line.
    pub(crate) fn end(&self, ports: &impl Ports, file: &File) {
        let unlisted = self.unlisted.get();
        if unlisted > 0 {
            ports.info("More rows invalid", json!({"file": file.name(), "unlisted": unlisted}));
        }
    }
}

fn add(count: &Cell<u64>, more: u64) {
    count.set(count.get() + more);
}
