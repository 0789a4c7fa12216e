//! MongoDB's order of values of different types, as far as JSON has them, and the keys that documents are sorted by.

use super::{Place, sort_key};
use crate::Result;
use crate::limits::document::{MAX_SORT_PATHS, parse_path};
use crate::limits::invalid;
use host_adapters_json::{Decimal, order_values};
use host_adapters_records::documents::SortPath;
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// The values of a sort's paths in a document, in the order of the paths.
pub type SortKey = Vec<Value>;

/// The paths to sort by, the first before the others.
#[derive(Debug)]
pub struct Sort(Vec<Path>);

#[derive(Debug)]
struct Path {
    segments: Vec<String>,
    descending: bool,
}

impl Sort {
    /// Reads paths, each named once.
    pub(super) fn parse(paths: &[SortPath]) -> Result<Self> {
        if paths.len() > MAX_SORT_PATHS {
            return Err(invalid(format!("a sort by {} paths; the most is {MAX_SORT_PATHS}", paths.len())));
        }
        let mut sort = Self(Vec::with_capacity(paths.len()));
        for path in paths {
            let segments = parse_path(&path.path)?;
            if sort.0.iter().any(|other| other.segments == segments) {
                return Err(invalid(format!("the sort names `{}` twice", path.path)));
            }
            sort.0.push(Path { segments, descending: path.descending });
        }
        Ok(sort)
    }

    /// Whether only the ids give the order.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each path, dotted, and whether the greatest comes first.
    pub fn paths(&self) -> impl Iterator<Item = (String, bool)> {
        self.0.iter().map(|path| (path.segments.join("."), path.descending))
    }

    /// As in a token: `-` stands before a descending path.
    pub(super) fn words(&self) -> Vec<String> {
        self.paths()
            .map(|(path, descending)| if descending { format!("-{path}") } else { format!("+{path}") })
            .collect()
    }

    /// The key of a document: of a list the element that comes first, null where nothing is.
    ///
    /// # Errors
    /// When two paths lead through different lists of it.
    pub fn key(&self, document: &Value) -> Result<SortKey> {
        let keys = sort_key::all(document, self.0.iter().map(|path| path.segments.as_slice()))?;
        Ok(keys.into_iter().min_by(|a, b| self.order_keys(a, b)).unwrap_or_default())
    }

    /// Which of two places comes first.
    pub fn order(&self, a: &Place, b: &Place) -> Ordering {
        self.order_keys(&a.key, &b.key).then_with(|| order(&a.id, &b.id))
    }

    fn order_keys(&self, a: &SortKey, b: &SortKey) -> Ordering {
        let by_path = self.0.iter().zip(a.iter().zip(b)).map(|(path, (a, b))| path.directed(order(a, b)));
        by_path.fold(Ordering::Equal, Ordering::then)
    }
}

impl Path {
    fn directed(&self, ordering: Ordering) -> Ordering {
        if self.descending { ordering.reverse() } else { ordering }
    }
}

/// The order of any two values: an empty list, null, numbers, strings, objects, lists, ids, booleans, dates. MongoDB's
/// ids, dates and long decimals are objects of one member here, `$oid`, `$date` and `$numberDecimal`, which documents
/// cannot have.
pub fn order(a: &Value, b: &Value) -> Ordering {
    let by_value = || match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            let elements = a.iter().zip(b).map(|(a, b)| order(a, b)).find(|ordering| ordering.is_ne());
            elements.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Object(a_fields), Value::Object(b_fields)) if rank(a) != NUMBER => order_objects(a_fields, b_fields),
        (Value::Object(_), _) | (_, Value::Object(_)) => decimal(a).cmp(&decimal(b)),
        _ => order_values(a, b).unwrap_or(Ordering::Equal),
    };
    rank(a).cmp(&rank(b)).then_with(by_value)
}

/// Member by member: the type of its value, its name, its value.
fn order_objects(a: &Map<String, Value>, b: &Map<String, Value>) -> Ordering {
    let member = |((a_name, a), (b_name, b)): ((&String, &Value), (&String, &Value))| {
        rank(a).cmp(&rank(b)).then_with(|| a_name.cmp(b_name)).then_with(|| order(a, b))
    };
    let members = a.iter().zip(b).map(member).find(|ordering| ordering.is_ne());
    members.unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// A number, or a decimal that a number would not hold to the last digit.
fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => Decimal::parse(&number.to_string()),
        Value::Object(fields) => Decimal::parse(fields.get("$numberDecimal")?.as_str()?),
        _ => None,
    }
}

/// The rank of numbers.
const NUMBER: u8 = 2;

/// As a key, an empty list stands for "no element", which comes before null.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Array(elements) if elements.is_empty() => 0,
        Value::Null => 1,
        Value::Number(_) => NUMBER,
        Value::Object(fields) if fields.contains_key("$numberDecimal") => NUMBER,
        Value::String(_) => 3,
        Value::Object(fields) if fields.contains_key("$oid") => 6,
        Value::Object(fields) if fields.contains_key("$date") => 8,
        Value::Object(_) => 4,
        Value::Array(_) => 5,
        Value::Bool(_) => 7,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn sort(paths: &[(&str, bool)]) -> Sort {
        let path = |(path, descending): &(&str, bool)| SortPath { path: (*path).to_owned(), descending: *descending };
        Sort::parse(&paths.iter().map(path).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn case_01_orders_decimals_to_the_last_digit() {
        let decimal = |text: &str| json!({ "$numberDecimal": text });
        let ascending = [
            json!(null),
            json!(-1.5),
            decimal("0.12345678901234567890123"),
            decimal("0.12345678901234567890124"),
            json!(0.2),
            json!("text"),
            json!({"a": 1}),
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(order(a, b), i.cmp(&j), "{a} and {b}");
            }
        }
    }

    #[test]
    fn orders_types_and_values() {
        let ascending = [
            json!([]),
            json!(null),
            json!(-1.5),
            json!(2),
            json!(10),
            json!(""),
            json!("10"),
            json!("2"),
            json!({}),
            json!({"a": 1}),
            json!({"b": 1}),
            json!({"a": "x"}),
            json!([1]),
            json!([1, 0]),
            json!([2]),
            json!({"$oid": "00"}),
            json!({"$oid": "01"}),
            json!(false),
            json!(true),
            json!({"$date": -5}),
            json!({"$date": 7}),
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(order(a, b), i.cmp(&j), "{a} and {b}");
            }
        }
        assert_eq!(order(&json!(1), &json!(1.0)), Ordering::Equal);
    }

    #[test]
    fn a_list_sorts_by_the_element_that_comes_first() {
        let document = json!({"n": [3, 1, "x"], "deep": [{"m": 2}, {"m": 5}, {}, 7], "none": []});
        for (path, descending, key) in [
            ("n", false, json!(1)),
            ("n", true, json!("x")),
            ("n.0", false, json!(3)),
            ("deep.m", false, json!(null)),
            ("deep.m", true, json!(5)),
            ("deep.1.m", false, json!(5)),
            ("none", false, json!([])),
            ("none.x", false, json!(null)),
            ("missing", true, json!(null)),
            ("n.0.x", true, json!(null)),
        ] {
            assert_eq!(sort(&[(path, descending)]).key(&document).unwrap(), [key], "{path}");
        }
    }

    #[test]
    fn paths_through_one_list_take_the_same_element() {
        let document = json!({
            "gates": [{"type": "b", "n": 1}, {"type": "a", "n": 9}, {"type": "a", "n": 5}], "x": 3, "tags": [2, 1], "nested": [[2], [1, 0]],
            "none": [],
        });
        for (paths, key) in [
            (&[("gates.type", false), ("gates.n", false)][..], json!(["a", 5])),
            (&[("gates.type", false), ("gates.n", true)], json!(["a", 9])),
            (&[("gates.type", true), ("x", false), ("gates.n", true)], json!(["b", 3, 1])),
            (&[("gates.0.n", false), ("gates.n", true)], json!([1, 9])),
            (&[("tags", false), ("tags.x", false)], json!([1, null])),
            (&[("none", false), ("none.x", false)], json!([[], null])),
            (&[("nested", false)], json!([[1, 0]])),
            (&[("nested.1", false)], json!([[1, 0]])),
        ] {
            assert_eq!(json!(sort(paths).key(&document).unwrap()), key, "{paths:?}");
        }
        for paths in [
            [("gates.type", false), ("tags", false)],
            [("tags", false), ("none", true)],
            [("x", false), ("tags", true)],
        ] {
            let parallel = paths[0].0 != "x";
            assert_eq!(sort(&paths).key(&document).is_err(), parallel, "{paths:?}");
        }
    }

    #[test]
    fn later_paths_and_the_id_decide_among_equals() {
        let sort = sort(&[("a", false), ("b", true)]);
        let place = |a: i32, b: i32, id: i32| Place { key: vec![json!(a), json!(b)], id: json!(id) };
        let ordered = [place(1, 9, 7), place(1, 2, 3), place(1, 2, 4), place(2, 10, 0)];
        for pair in ordered.windows(2) {
            assert!(sort.order(&pair[0], &pair[1]).is_lt(), "{pair:?}");
        }
    }

    #[test]
    fn a_token_is_of_one_sort() {
        let by = sort(&[("a.b", false), ("c", true)]);
        let place = Place { key: vec![json!("x"), json!(null)], id: json!(7) };
        let token = place.clone().token(&by);
        assert_eq!(token, r#"{"id":7,"key":["x",null],"sort":["+a.b","-c"]}"#);
        assert_eq!(Place::parse(&token, &by).unwrap(), place);
        for other in [sort(&[]), sort(&[("a.b", true), ("c", true)]), sort(&[("c", true), ("a.b", false)])] {
            assert!(Place::parse(&token, &other).is_err());
        }
        for bad in ["", "7", "{}", r#"{"sort":["+a.b","-c"],"key":[1],"id":7}"#, r#"{"sort":[],"key":[],"id":1,"x":1}"#]
        {
            assert!(Place::parse(bad, &by).is_err(), "{bad}");
        }
    }
}
