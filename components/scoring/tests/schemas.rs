//! The schemas of rows: they are JSON Schemas, and the check of cells says the same as the crate `jsonschema`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use host_adapters_json::Decimal;
use jsonschema::Validator;
use proptest::prelude::*;
use scoring::column::{Cells, Column};
use scoring::schema::Kind;
use serde_json::{Map, Value};

const KINDS: [(Kind, &str); 2] = [
    (Kind::Scrubbed, include_str!("../../../schemas/domain/scrubbed-row.json")),
    (Kind::Fanlist, include_str!("../../../schemas/domain/fanlist-row.json")),
];

fn validator(schema: &str) -> Validator {
    let schema = serde_json::from_str(schema).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    jsonschema::draft202012::new(&schema).unwrap()
}

/// A cell as the schema's description says that it is read.
fn value(column: Column, cell: &str) -> Value {
    let text = || Value::from(cell);
    match column {
        Column::Rank | Column::Score => {
            let number = host_adapters_json::number(cell).and_then(|number| serde_json::from_str(&number).ok());
            number.unwrap_or_else(text)
        }
        Column::Selected if cell.eq_ignore_ascii_case("true") => true.into(),
        Column::Selected if cell.eq_ignore_ascii_case("false") => false.into(),
        _ => text(),
    }
}

/// Numbers whose fraction is gone in a double.
const ROUNDED: [&str; 5] =
    ["1e-400", "-1e-400", "0.99999999999999999999", "3.00000000000000000001", "1000000.0000000000000000001"];

/// Whether `jsonschema` sees an integer where the cell has a fraction. Beyond 2^53, no rank is right anyhow.
fn is_rounded_to_an_integer(cell: &str) -> bool {
    let double = cell.parse::<f64>().unwrap_or(f64::NAN);
    let is_integer = double.fract() == 0.0 && double.abs() < 9e15;
    is_integer && Decimal::parse(cell).is_some_and(|exact| Decimal::parse(&format!("{double:.0}")) != Some(exact))
}

/// The one difference on purpose: such a rank is an integer for `jsonschema`, and a fraction here.
#[test]
fn a_rank_with_a_fraction_that_a_double_does_not_hold_is_refused_here_alone() {
    let right = ["c", "m", "g", "a@b.org", "k", "v", "", "850.25", "verified", "false"];
    for rank in ROUNDED {
        assert!(is_rounded_to_an_integer(rank), "{rank}");
        let (mut cells, mut object) = (Cells::default(), Map::new());
        for (column, text) in Column::ALL.into_iter().zip(right) {
            let text = if column == Column::Rank { rank } else { text };
            cells.set(column, text);
            object.insert(column.name().to_owned(), value(column, text));
        }
        for (kind, schema) in KINDS {
            assert!(validator(schema).is_valid(&Value::from(object.clone())), "{rank}");
            let fault = kind.schema().unwrap().check(&cells).unwrap_err();
            assert_eq!((fault.column, fault.to_string()), (Some(Column::Rank), "has a fraction".to_owned()), "{rank}");
        }
    }
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(String::new()),
        4 => "[a-z0-9é@.]{1,8}",
        2 => prop::sample::select(vec!["verified", "rejected", "Verified", "true", "FALSE", "null", "[]"]).prop_map(str::to_owned),
        4 => "[-+]?[0-9]{0,9}(\\.[0-9]{0,3})?([eE][-+]?[0-9]{1,3})?",
        2 => prop::sample::select(vec!["0", "1", "2.0", "1e6", "1000000", "1000000.5", "1000001", "-0", "-1", "1e400"]).prop_map(str::to_owned),
        2 => prop::sample::select(ROUNDED.to_vec()).prop_map(str::to_owned),
        1 => "[aé]{126,130}",
    ]
}

/// A cell that is right in its column, most of the time.
fn cells() -> impl Strategy<Value = Vec<String>> {
    let right = ["c", "m", "g", "a@b.org", "k", "v", "0", "850.25", "verified", "false"];
    right.map(|text| prop_oneof![3 => Just(text.to_owned()), 1 => cell()]).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn req_004_the_check_of_cells_says_what_jsonschema_says(texts in cells()) {
        let (mut cells, mut object) = (Cells::default(), Map::new());
        for (column, text) in Column::ALL.into_iter().zip(&texts) {
            cells.set(column, text);
            if let Some(cell) = cells.get(column) {
                object.insert(column.name().to_owned(), value(column, cell));
            }
        }
        let object = Value::from(object);
        let is_rounded = cells.get(Column::Rank).is_some_and(is_rounded_to_an_integer);
        for (kind, schema) in KINDS {
            let validator = validator(schema);
            let errors: Vec<_> = validator.iter_errors(&object).map(|error| (error.instance_path().to_string(), error.to_string())).collect();
            match kind.schema().unwrap().check(&cells) {
                Ok(()) => prop_assert!(errors.is_empty() && !is_rounded, "{object}: {errors:?}"),
                Err(fault) if is_rounded && fault.column == Some(Column::Rank) => {
                    prop_assert_eq!(fault.to_string(), "has a fraction");
                }
                Err(fault) => {
                    let column = fault.column.map(Column::name);
                    let is_it = |(path, message): &(String, String)| match column {
                        None => path.is_empty(),
                        Some(name) => *path == format!("/{name}") || path.is_empty() && message.contains(name),
                    };
                    prop_assert!(errors.iter().any(is_it), "{object}: {fault} in {column:?}, but {errors:?}");
                }
            }
        }
    }
}
