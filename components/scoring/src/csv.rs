//! Rows of a CSV file that arrives in ranges of bytes.
//!
//! A row crosses ranges, and a quoted cell may have line breaks in it. The reader keeps the bytes of the row that it is
//! in, at most [`MAX_QUOTED_BYTES`] of them beside the latest range, and knows where it is ([`Reader::place`]): another
//! reader continues there.
//!
//! If a row is invalid (it is too long, it has too many or too few cells), all its lines are invalid, including those
//! inside its quotes: a fan's text in a cell must not become a row. But an unclosed quotation mark would hide all rows
//! behind it. So if the quotes of the row are themselves invalid ([`quotes`]), only its first line is given up, and the
//! next line is a row again. Up to the place where the quotes are known to be invalid, no row spans lines; otherwise
//! the same bytes would be scanned again, in a malicious file at each of its lines.
//!
//! A writer that doubles the quotation marks in a cell makes quotes that are right. Lines inside the quotes of its cells
//! become rows in two cases only: the row is longer than [`MAX_QUOTED_BYTES`], more than an item or a message holds; or the
//! file is cut off within the cell.

mod quotes;

use crate::column::Fault;
use csv_core::ReadRecordResult;
use memchr::{memchr2, memrchr2};
use quotes::{Quotes, has_text_behind_quotes};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest row, in bytes, with its line break.
pub const MAX_ROW_BYTES: usize = 64 * 1024;
/// How far the quotes of an invalid row are followed, in bytes. A fan's text comes through a table (400 KB an item) or a
/// queue (1 MiB a message), so none is longer.
pub const MAX_QUOTED_BYTES: usize = 1024 * 1024;
/// The most cells of a row.
pub const MAX_CELLS: usize = 1_024;

/// The mark that some programs put before the first row.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A place in a file, behind all that a reader has returned.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Bytes from the beginning.
    pub offset: u64,
    /// The line, from 1.
    pub line: u64,
    /// Whether the line that was returned as invalid continues.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skips_line: bool,
    /// Where the row ends that was returned as invalid: lines before this offset are inside its quotes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub invalid_until: u64,
    /// Rows that begin before this offset end with their line, since quotes that nobody closes were followed so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unclosed_until: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Place {
    /// The beginning of a file.
    pub const BEGINNING: Self = Self { offset: 0, line: 1, skips_line: false, invalid_until: 0, unclosed_until: 0 };
}

/// Reads the rows of a file.
pub struct Reader {
    core: csv_core::Reader,
    /// Bytes of the file; those before `start` are behind the reader.
    buffer: Vec<u8>,
    start: usize,
    is_whole: bool,
    place: Place,
    width: Option<usize>,
    cells: Vec<u8>,
    ends: Vec<usize>,
}

/// What comes next in a file.
#[derive(Debug)]
pub enum Next<'a> {
    /// The next range of bytes is needed, or [`Reader::finish`].
    More,
    /// A row.
    Row(Row<'a>),
    /// A line that is not a row.
    Invalid {
        /// The line, from 1.
        line: u64,
        /// Why.
        fault: Fault,
    },
    /// The file has ended.
    End,
}

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The line in which it begins, from 1.
    pub line: u64,
    text: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Row<'a> {
    /// Its cells, without quotes.
    pub fn cells(self) -> impl Iterator<Item = &'a [u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(self.ends).map(move |(start, end)| self.text.get(start..*end).unwrap_or_default())
    }
}

/// The continuation of the bytes before the reader.
enum Found {
    Row { bytes: usize, cells: usize },
    Fault(Fault),
    More,
}

impl Reader {
    /// A reader that continues at a place.
    pub fn at(place: Place) -> Self {
        Self {
            core: csv_core::Reader::new(),
            buffer: Vec::new(),
            start: 0,
            is_whole: false,
            place,
            width: None,
            // One more than is ever filled: the core takes a full buffer for one that is too short.
            cells: vec![0; MAX_ROW_BYTES + 1],
            ends: vec![0; MAX_CELLS + 1],
        }
    }

    /// From here on, rows have this number of cells.
    pub fn expect_width(&mut self, cells: usize) {
        self.width = Some(cells);
    }

    /// Where the reader is: behind what it has returned, with its line break.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Takes the next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Says that the file ends here.
    pub fn finish(&mut self) {
        self.is_whole = true;
    }

    /// What comes next.
    pub fn read(&mut self) -> Next<'_> {
        if !self.skip() {
            return if self.is_whole { Next::End } else { Next::More };
        }
        let line = self.place.line;
        if self.place.offset < self.place.invalid_until {
            self.give_up_line();
            return Next::Invalid { line, fault: Fault::of_row("is inside the quotes of an invalid row") };
        }
        match self.find() {
            Found::More => Next::More,
            Found::Row { bytes, cells } => {
                self.consume(bytes);
                let ends = self.ends.get(..cells).unwrap_or_default();
                Next::Row(Row { line, text: &self.cells, ends })
            }
            Found::Fault(fault) => {
                if !self.ends_with_line() && !self.follow_quotes() {
                    return Next::More;
                }
                self.give_up_line();
                Next::Invalid { line, fault }
            }
        }
    }

    fn give_up_line(&mut self) {
        self.place.skips_line = true;
        self.skip();
    }

    /// Whether the row that begins here is known to end with its line.
    fn ends_with_line(&self) -> bool {
        self.place.offset < self.place.unclosed_until
    }

    /// Notes how far the quotes of the invalid row that begins here go; `false` if more bytes are needed.
    fn follow_quotes(&mut self) -> bool {
        match self.quotes() {
            Quotes::Unknown => return false,
            Quotes::Right { end } => self.place.invalid_until = self.place.offset + end as u64,
            Quotes::Wrong { at } => {
                // The row that begins in the line of that place may be right.
                let followed = self.rest().get(..at).unwrap_or_default();
                let line = memrchr2(b'\r', b'\n', followed).map_or(0, |at| at + 1);
                self.place.unclosed_until = self.place.offset + line as u64;
            }
        }
        true
    }

    /// The quotes of the row that begins here.
    fn quotes(&self) -> Quotes {
        let rest = self.rest();
        match rest.get(..MAX_QUOTED_BYTES) {
            Some(bytes) => quotes::follow(bytes, quotes::End::Limit),
            None if self.is_whole => quotes::follow(rest, quotes::End::File),
            None => quotes::follow(rest, quotes::End::Range),
        }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Goes to the beginning of the next row; `false` if it is not there yet, or there is none.
    fn skip(&mut self) -> bool {
        loop {
            if self.place.offset == 0 && self.starts_with_mark() {
                self.consume(BYTE_ORDER_MARK.len());
            }
            let rest = self.rest();
            let may_be_mark = self.place.offset == 0 && rest.len() < BYTE_ORDER_MARK.len() && !self.is_whole;
            match self.line_break(rest) {
                _ if may_be_mark || rest.is_empty() => return false,
                Some((0, end)) => {
                    self.place.skips_line = false;
                    self.consume(end);
                }
                Some((_, end)) if self.place.skips_line => {
                    self.place.skips_line = false;
                    self.consume(end);
                }
                // The first half of what may be a line break of two bytes waits for the other one.
                None if self.place.skips_line => {
                    let waits = usize::from(rest.last() == Some(&b'\r') && !self.is_whole);
                    self.consume(rest.len() - waits);
                    return false;
                }
                None if rest.first() == Some(&b'\r') => return false,
                _ => return true,
            }
        }
    }

    fn starts_with_mark(&self) -> bool {
        self.rest().starts_with(BYTE_ORDER_MARK)
    }

    /// The first line break: where it begins and ends. `None` if there is none, or if it cannot be told yet whether it is
    /// one of two bytes.
    fn line_break(&self, bytes: &[u8]) -> Option<(usize, usize)> {
        let at = memchr2(b'\r', b'\n', bytes)?;
        Some((at, self.break_end(bytes, at)?))
    }

    /// The end of the line break whose first byte is at a place.
    fn break_end(&self, bytes: &[u8], at: usize) -> Option<usize> {
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'\r'), Some(b'\n')) => Some(at + 2),
            (Some(b'\r'), None) if !self.is_whole => None,
            _ => Some(at + 1),
        }
    }

    /// Moves on by a number of bytes, and by the lines that end in them.
    fn consume(&mut self, bytes: usize) {
        let passed = self.buffer.get(self.start..self.start + bytes).unwrap_or_default();
        let breaks = memchr::memchr2_iter(b'\r', b'\n', passed);
        let is_first_half = |at: &usize| passed.get(*at) == Some(&b'\r') && passed.get(at + 1) == Some(&b'\n');
        self.place.line += breaks.filter(|at| !is_first_half(at)).count() as u64;
        self.place.offset += bytes as u64;
        for until in [&mut self.place.invalid_until, &mut self.place.unclosed_until] {
            if *until <= self.place.offset {
                *until = 0;
            }
        }
        self.start += bytes;
    }

    /// Parses the row that begins here.
    fn find(&mut self) -> Found {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let line = if self.ends_with_line() { self.line_break(rest) } else { None };
        let is_whole = self.is_whole || line.is_some();
        let row = line.and_then(|(_, end)| rest.get(..end)).unwrap_or(rest);
        let row = row.get(..MAX_ROW_BYTES).unwrap_or(row);
        self.core.reset();
        // At its own beginning the core leaves out a byte order mark, but not behind a line break.
        self.core.read_record(b"\n", &mut self.cells, &mut self.ends);
        let (result, bytes, written, mut cells) = self.core.read_record(row, &mut self.cells, &mut self.ends);
        let is_cut = row.len() < MAX_ROW_BYTES && result == ReadRecordResult::InputEmpty;
        let end = match result {
            ReadRecordResult::Record => self.break_end(rest, bytes.saturating_sub(1)),
            _ if is_cut && is_whole => Some(bytes),
            _ if is_cut => None,
            _ => return Found::Fault(too_long(cells)),
        };
        let Some(bytes) = end else { return Found::More };
        if cells <= MAX_CELLS && is_cut {
            match self.end_record(written, cells) {
                Some(more) => cells += more,
                None => return Found::Fault(Fault::of_row("the quotes are not closed")),
            }
        }
        match self.width {
            _ if cells > MAX_CELLS => Found::Fault(too_long(cells)),
            Some(width) if width != cells => {
                Found::Fault(Fault::of_row(format!("has {cells} cells; the header has {width}")))
            }
            _ if has_text_behind_quotes(self.rest().get(..bytes).unwrap_or_default()) => {
                Found::Fault(Fault::of_row("has text behind closing quotes"))
            }
            _ => Found::Row { bytes, cells },
        }
    }

    /// Ends the last row, behind which there is no line break. Returns how many cells that adds; `None` in open quotes.
    fn end_record(&mut self, written: usize, cells: usize) -> Option<usize> {
        let (text, ends) = (self.cells.get_mut(written..)?, self.ends.get_mut(cells..)?);
        let (result, _, _, cells) = self.core.read_record(b"\n", text, ends);
        (result == ReadRecordResult::Record).then_some(cells)
    }
}

fn too_long(cells: usize) -> Fault {
    match cells > MAX_CELLS {
        true => Fault::of_row(format!("has more than {MAX_CELLS} cells")),
        false => Fault::of_row(format!("is longer than {MAX_ROW_BYTES} bytes")),
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("place", &self.place).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
