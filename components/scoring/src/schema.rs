//! A row's JSON Schema as a check of cells.
//!
//! The schema in `schemas/domain/` is the one place that says what a row is. It is read once, when a component is built
//! ([`warm_up`]). The crate `jsonschema` takes all of JSON Schema and adds 3.5 MB of code and data to a component; this whole
//! crate adds 0.2 MB, since a row is flat and needs few words. A word that is not known here is an error, so no rule of the
//! schema is overlooked; a test compares the verdicts of both on generated rows (`tests/schemas.rs`). They differ where
//! `jsonschema` sees a number that a double has rounded: here a number is judged by its digits, so that `1e-400` is not the
//! integer 0.

use crate::column::{Cells, Column, Fault};
use host_adapters_json::{Decimal, number};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static SCRUBBED: LazyLock<Result<RowSchema, String>> =
    LazyLock::new(|| RowSchema::new(include_str!("../../../schemas/domain/scrubbed-row.json")));
static FANLIST: LazyLock<Result<RowSchema, String>> =
    LazyLock::new(|| RowSchema::new(include_str!("../../../schemas/domain/fanlist-row.json")));

/// The two kinds of scored files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `scrubbed/`: named by memberId, else globalUserId.
    Scrubbed,
    /// `fanlist/scored/`: named by memberId, else e-mail.
    Fanlist,
}

impl Kind {
    /// The schema of its rows.
    ///
    /// # Errors
    /// When the schema is wrong; a test checks that it is not.
    pub fn schema(self) -> Result<&'static RowSchema, &'static str> {
        let schema = match self {
            Self::Scrubbed => &*SCRUBBED,
            Self::Fanlist => &*FANLIST,
        };
        schema.as_ref().map_err(String::as_str)
    }
}

/// Reads both schemas. Workers call it in `wizer-initialize`, whose memory is frozen into the component.
pub fn warm_up() {
    LazyLock::force(&SCRUBBED);
    LazyLock::force(&FANLIST);
}

/// A schema of rows. All its words are asserted; those that only describe are left out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RowSchema {
    #[serde(rename = "$schema")]
    _schema: Dialect,
    #[serde(rename = "$id")]
    _id: String,
    #[serde(rename = "title")]
    _title: String,
    #[serde(rename = "description", default)]
    _description: String,
    #[serde(rename = "type")]
    _type: Object,
    #[serde(default)]
    required: Vec<Column>,
    #[serde(default)]
    any_of: Vec<Alternative>,
    /// By column, in the order of [`Column::ALL`].
    #[serde(deserialize_with = "by_column")]
    properties: [Option<Property>; Column::ALL.len()],
}

fn by_column<'de, D: Deserializer<'de>>(from: D) -> Result<[Option<Property>; Column::ALL.len()], D::Error> {
    let mut properties = BTreeMap::<Column, Property>::deserialize(from)?;
    Ok(Column::ALL.map(|column| properties.remove(&column)))
}

/// The dialect of which the words are known.
#[derive(Debug, Deserialize)]
enum Dialect {
    #[serde(rename = "https://json-schema.org/draft/2020-12/schema")]
    Draft2020,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Object {
    Object,
}

/// One of `anyOf`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Alternative {
    required: Vec<Column>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Property {
    #[serde(rename = "type")]
    kind: Type,
    #[serde(rename = "description", default)]
    _description: String,
    min_length: Option<usize>,
    max_length: Option<usize>,
    minimum: Option<Limit>,
    maximum: Option<Limit>,
    #[serde(rename = "enum")]
    options: Option<Vec<String>>,
}

/// A whole number to compare cells with: most cells are whole numbers too.
#[derive(Debug)]
struct Limit {
    whole: i32,
    exact: Decimal,
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let whole = i32::deserialize(from)?;
        let exact = Decimal::parse(&whole.to_string()).ok_or_else(|| D::Error::custom("not a number"))?;
        Ok(Self { whole, exact })
    }
}

/// What a cell is read as.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Type {
    String,
    Integer,
    Number,
    Boolean,
}

impl RowSchema {
    /// Reads a schema.
    ///
    /// # Errors
    /// When a word or a column in it is not known.
    pub fn new(schema: &str) -> Result<Self, String> {
        serde_json::from_str(schema).map_err(|problem| problem.to_string())
    }

    /// Checks a row.
    ///
    /// # Errors
    /// The first fault, in the order of the columns.
    pub fn check(&self, cells: &Cells<'_>) -> Result<(), Fault> {
        for (column, property) in Column::ALL.into_iter().zip(&self.properties) {
            match (cells.get(column), property) {
                (Some(cell), Some(property)) => property.check(column, cell)?,
                (None, _) if self.required.contains(&column) => return Err(Fault::of(column, "is missing or empty")),
                _ => {}
            }
        }
        let has = |column: &Column| cells.get(*column).is_some();
        if self.any_of.is_empty() || self.any_of.iter().any(|it| it.required.iter().all(has)) {
            return Ok(());
        }
        let names = |it: &Alternative| it.required.iter().map(|column| column.name()).collect::<Vec<_>>().join(" and ");
        let names = self.any_of.iter().map(names).collect::<Vec<_>>().join(" or ");
        Err(Fault::of_row(format!("has no {names}")))
    }
}

impl Property {
    fn check(&self, column: Column, cell: &str) -> Result<(), Fault> {
        let wrong = |problem: String| Err(Fault::of(column, problem));
        match self.kind {
            Type::String => self.check_text(column, cell),
            Type::Boolean if boolean(cell).is_none() => wrong("is neither true nor false".to_owned()),
            Type::Boolean => Ok(()),
            Type::Integer | Type::Number if let Ok(whole) = cell.parse::<i32>() => {
                self.check_range(column, |limit| whole.cmp(&limit.whole))
            }
            Type::Number if self.minimum.is_none() && self.maximum.is_none() => match number(cell) {
                Some(_) => Ok(()),
                None => wrong("is not a number".to_owned()),
            },
            Type::Integer | Type::Number => match read_number(cell) {
                None => wrong("is not a number".to_owned()),
                Some(number) if self.kind == Type::Integer && !is_whole(&number) => wrong("has a fraction".to_owned()),
                Some(number) => self.check_range(column, |limit| number.cmp(&limit.exact)),
            },
        }
    }

    fn check_text(&self, column: Column, cell: &str) -> Result<(), Fault> {
        let wrong = |problem: String| Err(Fault::of(column, problem));
        // A character has at least one byte, so most texts are short enough without counting.
        let chars = || cell.chars().count();
        match (self.min_length, self.max_length, &self.options) {
            (Some(least), _, _) if cell.len() < 4 * least && chars() < least => {
                wrong(format!("is shorter than {least}"))
            }
            (_, Some(most), _) if cell.len() > most && chars() > most => wrong(format!("is longer than {most}")),
            (_, _, Some(options)) if options.iter().all(|option| option != cell) => {
                wrong(format!("is none of {}", options.join(", ")))
            }
            _ => Ok(()),
        }
    }

    fn check_range(&self, column: Column, compare: impl Fn(&Limit) -> Ordering) -> Result<(), Fault> {
        match (&self.minimum, &self.maximum) {
            (Some(least), _) if compare(least).is_lt() => {
                Err(Fault::of(column, format!("is less than {}", least.whole)))
            }
            (_, Some(most)) if compare(most).is_gt() => Err(Fault::of(column, format!("is more than {}", most.whole))),
            _ => Ok(()),
        }
    }
}

/// A cell as a number, however a program spells it.
fn read_number(cell: &str) -> Option<Decimal> {
    number(cell)?;
    Decimal::parse(cell)
}

/// As JSON Schema has it, an integer is a number without a fraction.
fn is_whole(number: &Decimal) -> bool {
    number
        .magnitude()
        .is_none_or(|first| i64::try_from(number.significant_digits()).is_ok_and(|digits| digits <= first + 1))
}

/// A cell as an integer.
pub(crate) fn integer(cell: &str) -> Option<u32> {
    if let Ok(whole) = cell.parse() {
        return Some(whole);
    }
    let number = read_number(cell)?;
    let most = Decimal::parse("4294967295")?;
    let is_exact = is_whole(&number) && Decimal::parse("0")? <= number && number <= most;
    // A double has all integers of 32 bits.
    cell.parse::<f64>().ok().filter(|_| is_exact).map(|number| number as u32)
}

/// A cell as a boolean: `true` or `false`, in any case, as spreadsheets write them.
pub(crate) fn boolean(cell: &str) -> Option<bool> {
    let is = |word: &str| cell.eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn cells(cells: &[(Column, &'static str)]) -> Cells<'static> {
        let mut row = Cells::default();
        cells.iter().for_each(|(column, text)| row.set(*column, text));
        row
    }

    /// The faults of rows of `scrubbed/` that differ from a valid one in one cell.
    #[test]
    fn req_004_a_row_is_checked_against_its_schema_and_the_column_is_named() {
        let schema = Kind::Scrubbed.schema().unwrap();
        let long = "x".repeat(129).leak();
        for (column, cell, expected) in [
            (Column::CampaignId, "", "is missing or empty"),
            (Column::Rank, "", "is missing or empty"),
            (Column::Rank, "1.5", "has a fraction"),
            (Column::Rank, "-1", "is less than 0"),
            (Column::Rank, "1000001", "is more than 1000000"),
            (Column::Rank, "top", "is not a number"),
            (Column::Score, "850 points", "is not a number"),
            (Column::Score, "NaN", "is not a number"),
            (Column::Score, "1e999", "is not a number"),
            (Column::Verdict, "Verified", "is none of verified, rejected"),
            (Column::Selected, "1", "is neither true nor false"),
            (Column::EventId, long, "is longer than 128"),
        ] {
            let mut row = cells(&[
                (Column::CampaignId, "c"),
                (Column::MemberId, "m"),
                (Column::Rank, "0"),
                (Column::Score, "850"),
                (Column::Verdict, "verified"),
            ]);
            schema.check(&row).unwrap();
            row.set(column, cell);
            assert_eq!(schema.check(&row).unwrap_err(), Fault::of(column, expected), "{cell}");
        }
    }

    #[test]
    fn req_005_a_row_with_none_of_the_keys_is_invalid() {
        let row = [(Column::CampaignId, "c"), (Column::Rank, "0"), (Column::Score, "1"), (Column::Verdict, "verified")];
        let with = |column| cells(&[row.as_slice(), &[(column, "a@example.com")]].concat());
        for (kind, taken, left, names) in [
            (Kind::Scrubbed, Column::GlobalUserId, Column::Email, "memberId or globalUserId"),
            (Kind::Fanlist, Column::Email, Column::GlobalUserId, "memberId or email"),
        ] {
            let schema = kind.schema().unwrap();
            assert_eq!(schema.check(&with(taken)), Ok(()), "{kind:?}");
            assert_eq!(schema.check(&with(Column::MemberId)), Ok(()), "{kind:?}");
            assert_eq!(schema.check(&with(left)), Err(Fault::of_row(format!("has no {names}"))), "{kind:?}");
        }
    }

    #[test]
    fn numbers_and_booleans_are_read_however_programs_spell_them() {
        for (cell, expected) in
            [("2", Some(2)), ("2.0", Some(2)), ("20e-1", Some(2)), ("+2", Some(2)), ("2.5", None), ("-1", None)]
        {
            assert_eq!(integer(cell), expected, "{cell}");
        }
        for (cell, expected) in [("true", Some(true)), ("TRUE", Some(true)), ("False", Some(false)), ("yes", None)] {
            assert_eq!(boolean(cell), expected, "{cell}");
        }
    }

    /// `1e-400` as rank 0 would go to the Entry Service.
    #[test]
    fn req_006_an_integer_is_judged_by_its_digits_and_not_by_a_rounded_number() {
        for cell in ["1e-400", "-1e-400", "0.99999999999999999999", "1000000.0000000000000000001"] {
            assert_eq!(integer(cell), None, "{cell}");
            let rank = Kind::Scrubbed.schema().unwrap().properties.get(Column::Rank as usize);
            let property = rank.unwrap().as_ref().unwrap();
            assert_eq!(property.check(Column::Rank, cell), Err(Fault::of(Column::Rank, "has a fraction")), "{cell}");
        }
        for (cell, expected) in [
            ("-0", Some(0)),
            ("0e-400", Some(0)),
            ("1000000.00000000000000000000", Some(1_000_000)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
        ] {
            assert_eq!(integer(cell), expected, "{cell}");
        }
    }

    #[test]
    fn a_word_that_is_not_known_is_an_error() {
        let schema = |rest: &str| {
            RowSchema::new(&format!(
                r#"{{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "i", "title": "t",
                     "type": "object", "properties": {{"email": {{"type": "string"}}}} {rest}}}"#
            ))
        };
        schema("").unwrap();
        for (rest, word) in [
            (r#", "additionalProperties": false"#, "additionalProperties"),
            (r#", "anyOf": [{"required": [], "not": {}}]"#, "not"),
            (r#", "required": ["name"]"#, "name"),
        ] {
            let error = schema(rest).unwrap_err();
            assert!(error.contains(&format!("`{word}`")), "{error}");
        }
    }
}
