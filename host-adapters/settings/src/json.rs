//! JSON that is written as TOML.

use crate::{Fields, Setting, Spanned};
use serde_json::{Map, Number, Value as Json, json};
use toml_edit::{Item, TableLike, Value};

/// A JSON object, written as a table or as its text, with its place; `None` if it is not there. The text is not checked. Only
/// a text can hold `null`, which TOML does not have.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct JsonText(pub Option<Spanned<String>>);

/// JSON that is in no text.
impl From<String> for JsonText {
    fn from(value: String) -> Self {
        Self(Some(Spanned { value, span: 0..0 }))
    }
}

impl JsonText {
    /// The JSON without its place.
    pub fn text(&self) -> Option<&str> {
        self.0.as_ref().map(|json| json.value.as_str())
    }
}

impl Setting for JsonText {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        let (item, span) = fields.item(key)?;
        let text = match (item.as_str(), item.as_table_like()) {
            (Some(text), _) => Ok(text.to_owned()),
            (None, Some(table)) => of_table(table).map(|json| json.to_string()),
            (None, None) => Err("a table, or JSON in a string"),
        };
        match text {
            Ok(value) => Some(Self(Some(Spanned { value, span }))),
            Err(write) => {
                fields.diagnostic(&span, format!("{key} is not JSON; write {write}"));
                None
            }
        }
    }

    fn schema(_default: Self, (): &()) -> Json {
        json!({"type": ["object", "string"]})
    }
}

/// The same in JSON, or what to write instead.
fn of_table(table: &dyn TableLike) -> Result<Json, &'static str> {
    let member = |(name, item): (&str, &Item)| Ok((name.to_owned(), of_item(item)?));
    table.iter().map(member).collect::<Result<Map<_, _>, _>>().map(Json::Object)
}

fn of_item(item: &Item) -> Result<Json, &'static str> {
    match item {
        Item::None => Ok(Json::Null),
        Item::Value(value) => of_value(value),
        Item::Table(table) => of_table(table),
        Item::ArrayOfTables(tables) => {
            tables.iter().map(|table| of_table(table)).collect::<Result<_, _>>().map(Json::Array)
        }
    }
}

fn of_value(value: &Value) -> Result<Json, &'static str> {
    match value {
        Value::String(text) => Ok(Json::from(text.value().as_str())),
        Value::Integer(number) => Ok(Json::from(*number.value())),
        Value::Float(number) => {
            Number::from_f64(*number.value()).map(Json::Number).ok_or("numbers that are not infinite")
        }
        Value::Boolean(flag) => Ok(Json::from(*flag.value())),
        Value::Datetime(_) => Err("times in strings"),
        Value::Array(array) => array.iter().map(of_value).collect::<Result<_, _>>().map(Json::Array),
        Value::InlineTable(table) => of_table(table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Report;
    use std::path::Path;
    use toml_edit::Document;

    /// What is read of a text with the key `filter`, or the diagnostic.
    fn read(text: &str) -> Result<Option<String>, String> {
        let document = Document::parse(text).map_err(|error| error.to_string())?;
        let report = Report::new(text);
        let mut fields = Fields::new(&report, "topic", document.as_table(), 0..0);
        let read = JsonText::read(&mut fields, "filter", &());
        fields.finish();
        report.finish(Path::new("t")).map_err(|errors| errors.to_string())?;
        Ok(read.and_then(|json| json.0).map(|json| json.value))
    }

    #[test]
    fn a_table_is_read_as_json() {
        for (text, expected) in [
            (r#"filter = { type = ["A", 7, 1.5, true] }"#, r#"{"type":["A",7,1.5,true]}"#),
            (r#"filter = { price = [{ numeric = [">", 100] }] }"#, r#"{"price":[{"numeric":[">",100]}]}"#),
            ("[filter]\na.b = [\"x\"]\n[filter.c]\nd = [1]\n", r#"{"a":{"b":["x"]},"c":{"d":[1]}}"#),
            ("[[filter.\"$or\"]]\na = [1]\n[[filter.\"$or\"]]\nb = [2]\n", r#"{"$or":[{"a":[1]},{"b":[2]}]}"#),
            (r#"filter = '{"a": [null]}'"#, r#"{"a": [null]}"#),
        ] {
            assert_eq!(read(text), Ok(Some(expected.to_owned())), "{text}");
        }
        assert_eq!(read(""), Ok(None));
    }

    #[test]
    fn what_json_does_not_have_is_reported() {
        for (text, expected) in [
            ("filter = 7", "t:1:10: filter is not JSON; write a table, or JSON in a string, in topic"),
            ("filter = { a = [inf] }", "t:1:10: filter is not JSON; write numbers that are not infinite, in topic"),
            ("filter = { a = [1979-05-27] }", "t:1:10: filter is not JSON; write times in strings, in topic"),
        ] {
            assert_eq!(read(text), Err(expected.to_owned()), "{text}");
        }
    }
}
