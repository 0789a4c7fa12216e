//! The schemas of rows: they are JSON Schemas, and the check of cells says the same as the crate `jsonschema`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

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

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(String::new()),
        4 => "[a-z0-9é@.]{1,8}",
        2 => prop::sample::select(vec!["verified", "rejected", "Verified", "true", "FALSE", "null", "[]"]).prop_map(str::to_owned),
        4 => "[-+]?[0-9]{0,9}(\\.[0-9]{0,3})?([eE][-+]?[0-9]{1,3})?",
        2 => prop::sample::select(vec!["0", "1", "2.0", "1e6", "1000000", "1000000.5", "1000001", "-0", "-1", "1e400"]).prop_map(str::to_owned),
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
        for (kind, schema) in KINDS {
            let validator = validator(schema);
            let errors: Vec<_> = validator.iter_errors(&object).map(|error| (error.instance_path().to_string(), error.to_string())).collect();
            match kind.schema().unwrap().check(&cells) {
                Ok(()) => prop_assert!(errors.is_empty(), "{object}: {errors:?}"),
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
