//! A pattern and the events that it matches.

use crate::alternatives::{Condition, all_hold};
use crate::event::{EventError, Values};
use crate::limits::PolicyLimits;
use crate::pattern::Pattern;
use crate::policy::{Policy, PolicyError};

/// A compiled event pattern. Comparing an event allocates for the fields that the pattern names, and not for others.
#[derive(Clone, Debug)]
pub struct Filter {
    pub(crate) policy: Policy,
}

impl Filter {
    /// Compiles an event pattern as EventBridge and the ruler have it, without limits to its size.
    ///
    /// # Errors
    /// When the text is not a pattern.
    pub fn compile(pattern: &str) -> Result<Self, PolicyError> {
        Self::within(pattern, &PolicyLimits::NONE)
    }

    pub(crate) fn within(pattern: &str, limits: &PolicyLimits) -> Result<Self, PolicyError> {
        Policy::parse(pattern, limits).map(|policy| Self { policy })
    }

    /// Whether an event matches, which is the text of a JSON object.
    ///
    /// # Errors
    /// When the text is not JSON, not an object, or has something that cannot be compared.
    pub fn matches(&self, event: &str) -> Result<bool, EventError> {
        let mut values = self.no_values();
        values.add_object(&self.policy.tree, event, None)?;
        Ok(self.matches_values(&values, |_| true))
    }

    pub(crate) fn no_values<'a>(&self) -> Values<'a> {
        Values::none(self.policy.tree.fields())
    }

    /// Whether one of the alternatives that may be used holds.
    pub(crate) fn matches_values(&self, values: &Values<'_>, may_use: impl Fn(&[&Condition]) -> bool) -> bool {
        let of_alternative = |indexes: &Vec<usize>| {
            indexes.iter().filter_map(|index| self.policy.conditions.get(*index)).collect::<Vec<_>>()
        };
        self.policy.alternatives.iter().map(of_alternative).any(|conditions| {
            let holds = || match values.has_places() {
                true => all_hold(&conditions, values),
                false => conditions.iter().all(|condition| holds_alone(condition, values)),
            };
            may_use(&conditions) && holds()
        })
    }
}

/// Whether a condition holds for values that are in no element of a list.
fn holds_alone(condition: &Condition, values: &Values<'_>) -> bool {
    let Some(of_field) = values.of.get(condition.field) else { return false };
    let is_absent = |pattern: &Pattern| matches!(pattern, Pattern::Absent) && of_field.is_empty();
    let is_matched = |pattern: &Pattern| of_field.iter().any(|value| pattern.matches(&value.scalar));
    condition.patterns.iter().any(|pattern| is_absent(pattern) || is_matched(pattern))
}
