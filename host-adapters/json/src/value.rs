//! How values that are read already compare: numbers by value (1 is 1.0), as MongoDB does, objects in any order of members.

use serde_json::{Number, Value};
use std::cmp::Ordering;

/// Whether two values are the same, as [`same`](crate::same) finds of texts.
pub fn same_values(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => order_numbers(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_values(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same_values(a, b)))
        }
        _ => a == b,
    }
}

/// The order of two values of one type that has an order: numbers, strings, booleans.
pub fn order_values(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => order_numbers(a, b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn order_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => Some(order_by_value(a, b.as_f64()?)),
        (None, Some(b)) => Some(order_by_value(b, a.as_f64()?).reverse()),
        (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// To the last digit: as doubles, 2^53 and 2^53 + 1 are the same.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "beyond what integers hold it saturates"
)]
fn order_by_value(integer: i128, double: f64) -> Ordering {
    let whole = double.trunc() as i128;
    integer.cmp(&whole).then_with(|| 0.0.partial_cmp(&double.fract()).unwrap_or(Ordering::Equal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn orders_integers_and_doubles_to_the_last_digit() {
        let ascending = [
            json!(-1e300),
            json!(i64::MIN),
            json!(-1.5),
            json!(-1),
            json!(-0.5),
            json!(0),
            json!(0.5),
            json!(1),
            json!(9_007_199_254_740_991_i64),
            json!(9_007_199_254_740_992.0),
            json!(9_007_199_254_740_993_i64),
            json!(u64::MAX),
            json!(1e300),
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(order_values(a, b), Some(i.cmp(&j)), "{a} and {b}");
            }
        }
    }

    #[test]
    fn compares_by_value() {
        for (a, b, equal) in [
            (json!(1), json!(1.0), true),
            (json!({"a": 1, "b": [1]}), json!({"b": [1.0], "a": 1}), true),
            (json!(u64::MAX), json!(u64::MAX - 1), false),
            (json!("1"), json!(1), false),
            (json!(null), json!(false), false),
            (json!([1, 2]), json!([2, 1]), false),
        ] {
            assert_eq!(same_values(&a, &b), equal, "{a} and {b}");
        }
    }

    #[test]
    fn orders_within_a_type_only() {
        assert_eq!(order_values(&json!(2), &json!(10)), Some(Ordering::Less));
        assert_eq!(order_values(&json!("2"), &json!("10")), Some(Ordering::Greater));
        assert_eq!(order_values(&json!(2), &json!("10")), None);
    }
}
