//! The records of a scored file, and its invalid rows.

use crate::column::{Cells, Column, Fault};
use crate::csv::{Next, Place, Reader, Row};
use crate::file::{File, Origin};
use crate::record::ScoreRecord;
use crate::schema::Kind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// If more than one row in this many is invalid, a warning names the file: 5 %.
const ROWS_PER_INVALID_ONE: u64 = 20;

/// Reads a file's rows. The state that is to be stored is [`Rows::position`].
#[derive(Debug)]
pub struct Rows {
    kind: Kind,
    origin: Origin,
    reader: Reader,
    header: Option<Header>,
    counts: Counts,
}

/// Where the reading of a file stands, behind all that was returned.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// The place in the file.
    pub place: Place,
    /// The header, once it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// The rows before that place.
    #[serde(default)]
    pub counts: Counts,
}

impl Position {
    /// The beginning of a file.
    pub const BEGINNING: Self = Self { place: Place::BEGINNING, header: None, counts: Counts { rows: 0, invalid: 0 } };
}

/// Rows of a file, without its header.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counts {
    /// All of them.
    pub rows: u64,
    /// Those that are invalid.
    pub invalid: u64,
}

impl Counts {
    /// The warning about a file with more than 5 % invalid rows.
    pub fn warning(&self, file: &File) -> Option<String> {
        let Self { rows, invalid } = self;
        let warns = invalid.saturating_mul(ROWS_PER_INVALID_ONE) > *rows;
        warns.then(|| format!("{}: {invalid} of {rows} rows are invalid, more than 5 %", file.name()))
    }
}

/// Which column each cell of a row has: `None` for one that is left out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Header(Vec<Option<Column>>);

/// What comes next in a file.
#[derive(Debug)]
pub enum Outcome {
    /// The next range of bytes is needed, or [`Rows::finish`].
    More,
    /// A valid row.
    Record(Box<ValidRow>),
    /// An invalid row, to be logged. It does not block the others.
    Invalid(InvalidRow),
    /// Nothing in the file can be read.
    Unreadable(&'static str),
    /// The file has ended.
    End,
}

/// A valid row with its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ValidRow {
    /// The line in which it begins, from 1.
    pub line: u64,
    /// What it says.
    pub record: ScoreRecord,
}

/// A row that is left out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidRow {
    /// The line in which it begins, from 1.
    pub line: u64,
    /// What is wrong, and in which column.
    pub fault: Fault,
}

impl fmt::Display for InvalidRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, fault } = self;
        match fault.column {
            Some(column) => write!(f, "line {line}, column {}: {fault}", column.name()),
            None => write!(f, "line {line}: {fault}"),
        }
    }
}

impl Rows {
    /// Reads a file from where it stands.
    pub fn new(kind: Kind, file: &File, position: Position) -> Self {
        let Position { place, header, counts } = position;
        let mut reader = Reader::at(place);
        if let Some(Header(columns)) = &header {
            reader.expect_width(columns.len());
        }
        Self { kind, origin: Origin::of(file), reader, header, counts }
    }

    /// Takes the bytes that follow.
    pub fn push(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
    }

    /// Says that the file ends here.
    pub fn finish(&mut self) {
        self.reader.finish();
    }

    /// The place behind all that was returned.
    pub fn place(&self) -> Place {
        self.reader.place()
    }

    /// The rows that were returned.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Where the reading stands.
    pub fn position(&self) -> Position {
        Position { place: self.reader.place(), header: self.header.clone(), counts: self.counts }
    }

    /// What comes next.
    pub fn read(&mut self) -> Outcome {
        let invalid = |line, fault| Outcome::Invalid(InvalidRow { line, fault });
        loop {
            let outcome = match (self.reader.read(), &self.header) {
                (Next::More, _) => return Outcome::More,
                (Next::End, _) => return Outcome::End,
                (Next::Invalid { .. }, None) => return Outcome::Unreadable("the first line is not a header"),
                (Next::Invalid { line, fault }, Some(_)) => invalid(line, fault),
                (Next::Row(row), Some(header)) => match header.record(self.kind, row, &self.origin) {
                    Ok(record) => Outcome::Record(Box::new(ValidRow { line: row.line, record })),
                    Err(fault) => invalid(row.line, fault),
                },
                (Next::Row(row), None) => match Header::new(row) {
                    Ok(header) => {
                        self.reader.expect_width(header.0.len());
                        self.header = Some(header);
                        continue;
                    }
                    Err(problem) => return Outcome::Unreadable(problem),
                },
            };
            self.counts.rows += 1;
            self.counts.invalid += u64::from(matches!(outcome, Outcome::Invalid(_)));
            return outcome;
        }
    }
}

impl Header {
    fn new(row: Row<'_>) -> Result<Self, &'static str> {
        let mut columns = Vec::new();
        for (index, cell) in row.cells().enumerate() {
            if index == 0 && (cell.starts_with(b"\xff\xfe") || cell.starts_with(b"\xfe\xff")) {
                return Err("the file is UTF-16; write it as UTF-8");
            }
            let column = std::str::from_utf8(cell).ok().and_then(|name| Column::named(name.trim()));
            if column.is_some() && columns.contains(&column) {
                return Err("the header names a column twice");
            }
            columns.push(column);
        }
        Ok(Self(columns))
    }

    /// Columns that are left out may have any bytes, such as those of Latin-1; so may an address, which is left out then.
    fn record(&self, kind: Kind, row: Row<'_>, origin: &Origin) -> Result<ScoreRecord, Fault> {
        let mut cells = Cells::default();
        for (column, cell) in self.0.iter().zip(row.cells()) {
            match (column, std::str::from_utf8(cell)) {
                (Some(column), Ok(text)) => cells.set(*column, text),
                (Some(Column::Email) | None, _) => {}
                (Some(column), Err(_)) => return Err(Fault::of(*column, "is not UTF-8")),
            }
        }
        ScoreRecord::read(kind, cells, origin)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::file;
    use proptest::prelude::*;

    const HEADER: &str = "campaignId,memberId,globalUserId,email,rank,score,verdict\n";

    /// Reads what arrives in these ranges, to the end.
    fn drain<'a>(rows: &mut Rows, ranges: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut found = Vec::new();
        let mut ranges = ranges.into_iter();
        loop {
            match rows.read() {
                Outcome::More => match ranges.next() {
                    Some(range) => rows.push(range),
                    None => rows.finish(),
                },
                Outcome::Record(row) => {
                    let ScoreRecord { member_id, score, .. } = row.record;
                    found.push(format!("{} {}", member_id.unwrap_or_default(), score.as_json()));
                }
                Outcome::Invalid(row) => found.push(row.to_string()),
                Outcome::Unreadable(problem) => found.push(problem.to_owned()),
                Outcome::End => return found,
            }
            if found.last().is_some_and(|last| last.starts_with("the ")) {
                return found;
            }
        }
    }

    fn scrubbed() -> Rows {
        Rows::new(Kind::Scrubbed, &file("1"), Position::BEGINNING)
    }

    #[track_caller]
    fn check(text: impl AsRef<[u8]>, expected: &[&str]) -> Counts {
        let mut rows = scrubbed();
        assert_eq!(drain(&mut rows, [text.as_ref()]), expected);
        rows.position().counts
    }

    #[test]
    fn req_008_an_invalid_row_is_named_by_line_and_column_and_blocks_no_other() {
        let text =
            format!("{HEADER}c,m1,,,0,1,verified\nc,m2,,,x,2,verified\nc,,,,0,3,verified\nc,m4\nc,m5,,,0,5,rejected\n");
        let counts = check(
            text,
            &[
                "m1 1",
                "line 3, column rank: is not a number",
                "line 4: has no memberId or globalUserId",
                "line 5: has 2 cells; the header has 7",
                "m5 5",
            ],
        );
        assert_eq!(counts, Counts { rows: 5, invalid: 3 });
    }

    #[test]
    fn columns_may_be_in_any_order_unknown_ones_are_left_out_and_optional_ones_may_be_missing() {
        check("note,verdict,score, rank ,memberId,campaignId\n\"a, \nb\",verified,7,0,m,c\n", &["m 7"]);
        check("campaignId,memberId,score,verdict\nc,m,7,verified\n", &["line 2, column rank: is missing or empty"]);
    }

    #[test]
    fn a_header_that_names_a_column_twice_is_not_guessed_at() {
        check("campaignId,score,score\nc,1,2\n", &["the header names a column twice"]);
        check("campaignId,note,note,memberId,rank,score,verdict\nc,a,b,m,0,1,verified\n", &["m 1"]);
    }

    #[test]
    fn a_byte_order_mark_and_crlf_change_nothing() {
        let text = format!("\u{feff}{HEADER}c,m,,,0,1,verified\n").replace('\n', "\r\n");
        check(text, &["m 1"]);
    }

    #[test]
    fn latin_1_costs_a_row_only_where_it_names_the_fan() {
        let mut text = b"campaignId,memberId,name,email,rank,score,verdict\n".to_vec();
        text.extend_from_slice(b"c,m1,Zo\xe9,zo\xe9@example.com,0,1,verified\nc,m\xe9,,,0,2,verified\n");
        check(text, &["m1 1", "line 3, column memberId: is not UTF-8"]);
    }

    #[test]
    fn case_22_utf_16_is_named() {
        for mark in [b"\xff\xfe", b"\xfe\xff"] {
            check([mark.as_slice(), b"c\0a\0\n\0"].concat(), &["the file is UTF-16; write it as UTF-8"]);
        }
    }

    #[test]
    fn a_header_only_and_an_empty_file_have_no_rows_and_no_warning() {
        for text in ["", "\u{feff}", HEADER, HEADER.trim()] {
            let counts = check(text, &[]);
            assert_eq!(counts, Counts::default());
            assert_eq!(counts.warning(&file("1")), None);
        }
    }

    #[test]
    fn above_5_percent_invalid_a_warning_names_the_file() {
        let warning = |rows, invalid| Counts { rows, invalid }.warning(&file("1"));
        assert_eq!(warning(100, 5), None);
        let expected = "scoringBucket/scrubbed/1.csv: 6 of 100 rows are invalid, more than 5 %";
        assert_eq!(warning(100, 6).as_deref(), Some(expected));
        assert!(warning(1, 1).is_some());
    }

    proptest! {
        /// After a crash the rest is read from the stored position, as JSON: nothing is left out, and no count is twice.
        #[test]
        fn reading_goes_on_where_it_stood(
            lines in prop::collection::vec(prop_oneof![
                Just("c,m,,,0,1,verified\n"), Just("c,m,,,0,\"2\"\n"), Just("c,m,,,0,x,verified\r\n"), Just("\n"),
                Just("c,m,,\"a\n\nb\",1,3,rejected\n"), Just("c,m,\",,0,4,verified\n"),
            ], 0..12),
            size in 1_usize..40,
            crash in 0_usize..12,
        ) {
            let text = format!("{HEADER}{}", lines.concat());
            let mut whole = scrubbed();
            let expected = drain(&mut whole, [text.as_bytes()]);

            let mut rows = scrubbed();
            let mut found = Vec::new();
            for range in text.as_bytes().chunks(size) {
                rows.push(range);
                while found.len() < crash {
                    match rows.read() {
                        Outcome::Record(row) => found.push(format!("m {}", row.record.score.as_json())),
                        Outcome::Invalid(row) => found.push(row.to_string()),
                        _ => break,
                    }
                }
            }
            let stored = serde_json::to_string(&rows.position()).unwrap();
            let position: Position = serde_json::from_str(&stored).unwrap();
            let offset = position.place.offset as usize;
            let mut rows = Rows::new(Kind::Scrubbed, &file("1"), position);
            found.extend(drain(&mut rows, text.as_bytes()[offset..].chunks(size)));
            prop_assert_eq!(found, expected);
            prop_assert_eq!(rows.position().counts, whole.position().counts);
        }
    }
}
