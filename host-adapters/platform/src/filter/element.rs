//! What `$pull` removes from a list.

use super::condition::Condition;
use super::operator::Operator;
use crate::Result;
use crate::limits::document::check_value;
use host_adapters_json::same_values;
use serde_json::Value;

/// A condition on the elements of a list.
#[derive(Debug)]
pub enum ElementFilter {
    /// The element is this value.
    Equals(Value),
    /// All operators hold for the element.
    Operators(Vec<Operator>),
    /// The element is an object that the filter finds.
    Fields(Condition),
}

impl ElementFilter {
    /// A value; or an object, of operators or of fields.
    pub(crate) fn parse(value: Value) -> Result<Self> {
        match value {
            Value::Object(operators) if operators.keys().any(|name| name.starts_with('$')) => {
                let parse = |(name, value): (String, Value)| Operator::parse(&name, value);
                operators.into_iter().map(parse).collect::<Result<_>>().map(Self::Operators)
            }
            Value::Object(fields) => Condition::parse(fields).map(Self::Fields),
            value => {
                check_value(&value, 0)?;
                Ok(Self::Equals(value))
            }
        }
    }

    /// Whether it finds this element.
    pub(crate) fn matches(&self, element: &Value) -> bool {
        match self {
            Self::Equals(value) => same_values(element, value),
            Self::Operators(operators) => operators.iter().all(|operator| operator.matches(&[element])),
            Self::Fields(filter) => element.is_object() && filter.matches(element),
        }
    }
}
