//! The scored files as a pipeline writes them: CSV with a header, columns in any order, and one that nobody asks for.

use super::plan::{Fault, Line, Row};
use std::fmt::Write;

/// The part of the rows with a remark of several lines.
const ROWS_PER_REMARK: usize = 40;
const REMARK: &str = "\"says \"\"see you there\"\",\r\ncampaign,7,0,verified\r\n\"";
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A scored file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// Its key in the bucket.
    pub key: &'static str,
    /// What it contains.
    pub text: String,
    /// Its rows, without the header.
    pub rows: u64,
    /// The lines in which invalid rows begin, from 1.
    pub invalid: Vec<u64>,
}

impl File {
    /// The file in `scrubbed/`, as a spreadsheet writes it: with a byte order mark, and two bytes for a line break.
    pub fn scrubbed(lines: &[Line<'_>]) -> Self {
        let columns =
            ["campaignId", "score", "verdict", "rank", "memberId", "globalUserId", "email", "eventId", "remark"];
        let row = |row: &Row<'_>, number: usize| {
            let rank = row.rank.unwrap_or_default();
            vec![
                row.campaign.to_owned(),
                row.score.to_string(),
                verdict(row).to_owned(),
                rank.to_string(),
                row.member().to_owned(),
                row.user().to_owned(),
                row.email(number),
                format!("{}-event-{rank}", row.campaign),
                if number.is_multiple_of(ROWS_PER_REMARK) { REMARK.to_owned() } else { String::new() },
            ]
        };
        Self::new("scrubbed/demo.csv", &BYTE_ORDER_MARK.to_string(), "\r\n", &columns, lines, row)
    }

    /// The file in `fanlist/scored/`.
    pub fn fanlist(lines: &[Line<'_>]) -> Self {
        let columns = ["email", "memberId", "globalUserId", "campaignId", "verdict", "score", "selected"];
        let row = |row: &Row<'_>, number: usize| {
            let selected = if number.is_multiple_of(2) { "TRUE" } else { "false" };
            vec![
                row.email(number),
                row.member().to_owned(),
                row.user().to_owned(),
                row.campaign.to_owned(),
                verdict(row).to_owned(),
                row.score.to_string(),
                selected.to_owned(),
            ]
        };
        Self::new("fanlist/scored/demo.csv", "", "\n", &columns, lines, row)
    }

    fn new(
        key: &'static str,
        mark: &str,
        line_break: &str,
        columns: &[&str],
        lines: &[Line<'_>],
        cells: impl Fn(&Row<'_>, usize) -> Vec<String>,
    ) -> Self {
        let mut file = Self { key, text: format!("{mark}{}", columns.join(",")), rows: 0, invalid: Vec::new() };
        let mut line_number = 2;
        for (number, line) in lines.iter().enumerate() {
            let cells = match line {
                Line::Row(row) => cells(row, number),
                Line::Invalid(row, fault) => {
                    file.invalid.push(line_number);
                    spoilt(columns, cells(row, number), *fault)
                }
            };
            let row = cells.join(",");
            line_number += 1 + row.matches('\n').count() as u64;
            file.rows += 1;
            // Writing to a text does not fail. The last line has no break behind it.
            let _ = write!(file.text, "{line_break}{row}");
        }
        file
    }
}

/// The cells with a fault.
fn spoilt(columns: &[&str], mut cells: Vec<String>, fault: Fault) -> Vec<String> {
    let mut put = |column: &str, text: &str| {
        let place = columns.iter().position(|it| *it == column);
        place.and_then(|place| cells.get_mut(place)).into_iter().for_each(|cell| text.clone_into(cell));
    };
    match fault {
        Fault::Nameless => {
            put("memberId", " ");
            // `scrubbed/` needs an id, the fan list a memberId or an address.
            let (id, address) = if columns.contains(&"rank") { ("", "fan@example.com") } else { ("fan-000000", "") };
            put("globalUserId", id);
            put("email", address);
        }
        Fault::NoCampaign => put("campaignId", ""),
        Fault::WordScore => put("score", "high"),
        Fault::NegativeRank => put("rank", "-1"),
        Fault::OtherVerdict => put("verdict", "maybe"),
        Fault::CellMissing => {
            cells.pop();
        }
    }
    cells
}

fn verdict(row: &Row<'_>) -> &'static str {
    if row.rejected { "rejected" } else { "verified" }
}

impl<'a> Row<'a> {
    /// The memberId, if the row has it.
    pub fn member(&self) -> &'a str {
        let id = self.fan.member_id.as_deref().filter(|_| self.named.member);
        id.unwrap_or_default()
    }

    /// The globalUserId, if the row has it.
    pub fn user(&self) -> &'a str {
        if self.named.user { &self.fan.global_user_id } else { "" }
    }

    /// The address, if the row has it, as it is normalised.
    pub fn address(&self) -> &'a str {
        if self.named.email { &self.fan.email } else { "" }
    }

    /// The address, if the row has it, now and then as a fan writes it.
    fn email(&self, number: usize) -> String {
        match (self.address(), number.is_multiple_of(3)) {
            (address, true) if !address.is_empty() => format!(" {} ", address.to_uppercase()),
            (address, _) => address.to_owned(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::super::plan::{Plan, draw};
    use super::*;
    use crate::generate::generate;
    use scoring::file::{File as ScoredFile, Sequencer};
    use scoring::record::{ScoreRecord, Verification};
    use scoring::rows::{Outcome, Position, Rows};
    use scoring::schema::Kind;

    /// The records and the invalid lines, as the rules of scoring read them.
    fn read(kind: Kind, file: &File) -> (Vec<ScoreRecord>, Vec<u64>, u64) {
        let named = ScoredFile {
            bucket: "scoring-bucket".to_owned(),
            key: file.key.to_owned(),
            etag: "e".to_owned(),
            sequencer: Sequencer::new("1"),
        };
        let mut rows = Rows::new(kind, &named, Position::BEGINNING);
        rows.push(file.text.as_bytes());
        rows.finish();
        let (mut records, mut invalid) = (vec![], vec![]);
        loop {
            match rows.read() {
                Outcome::Record(row) => records.push(row.record),
                Outcome::Invalid(row) => invalid.push(row.line),
                Outcome::End => return (records, invalid, rows.position().counts.rows),
                outcome => panic!("{outcome:?}"),
            }
        }
    }

    #[test]
    fn the_rules_of_scoring_read_what_is_planned() {
        let world = generate(5_000, 1);
        let Plan { scrubbed, fanlist } = draw(&world, 1);
        for (kind, lines, file) in
            [(Kind::Scrubbed, &scrubbed, File::scrubbed(&scrubbed)), (Kind::Fanlist, &fanlist, File::fanlist(&fanlist))]
        {
            let (records, invalid, rows) = read(kind, &file);
            assert_eq!((invalid, rows), (file.invalid.clone(), file.rows));
            assert!(file.invalid.len() > 3);
            let planned: Vec<_> = lines.iter().filter_map(Line::valid).collect();
            assert_eq!(records.len(), planned.len());
            for (record, row) in records.iter().zip(planned) {
                let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
                assert_eq!((&record.member_id, &record.global_user_id), (&text(row.member()), &text(row.user())));
                assert_eq!(record.email, text(row.address()));
                assert_eq!((record.campaign_id.as_str(), record.rank), (row.campaign, row.rank));
                assert_eq!(record.score.as_json().get().parse::<f64>().unwrap().to_bits(), row.score.to_bits());
                assert_eq!(record.verification == Verification::Rejected, row.rejected);
            }
        }
    }
}
