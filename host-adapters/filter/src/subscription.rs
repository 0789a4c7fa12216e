//! The filter policy of a topic's subscription (SNS developer guide, "Subscription filter policies").

use crate::event::{EventError, scalar, text};
use crate::limits::PolicyLimits;
use crate::matching::Filter;
use crate::number::Number;
use crate::pattern::Scalar;
use crate::policy::PolicyError;
use crate::read;
use serde_json::value::RawValue;

/// What a filter policy is compared with (`FilterPolicyScope`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Scope {
    /// The message's attributes.
    #[default]
    MessageAttributes,
    /// The message's body, which must be a JSON object.
    MessageBody,
}

/// An attribute of a message. One of the type `Binary` is not compared: leave it out.
#[derive(Clone, Copy, Debug)]
pub enum Attribute<'a> {
    /// Type `String`.
    Text(&'a str),
    /// Type `Number`, as it is spelled.
    Number(&'a str),
    /// Type `String.Array`: a JSON list of strings, numbers, true, false and null, each of which is a value.
    List(&'a str),
}

/// A compiled filter policy.
#[derive(Clone, Debug)]
pub struct SubscriptionFilter {
    filter: Filter,
    scope: Scope,
}

impl SubscriptionFilter {
    /// Compiles a filter policy, within the limits of SNS: 256 KB, 5 fields, 150 combinations of values, 3 wildcards in
    /// one value, and no nested fields for attributes.
    ///
    /// # Errors
    /// When the text is not a policy, or exceeds a limit.
    pub fn compile(policy: &str, scope: Scope) -> Result<Self, PolicyError> {
        let limits = PolicyLimits { may_nest: scope == Scope::MessageBody, ..PolicyLimits::SUBSCRIPTION };
        Filter::within(policy, &limits).map(|filter| Self { filter, scope })
    }

    /// Whether the subscription gets a message. A body that is not a JSON object matches no policy on the body. An
    /// attribute whose value is not of its type has no values.
    pub fn matches<'a>(&self, body: &str, attributes: impl IntoIterator<Item = (&'a str, Attribute<'a>)>) -> bool {
        match self.scope {
            Scope::MessageBody => self.filter.matches(body).unwrap_or(false),
            Scope::MessageAttributes => self.matches_attributes(attributes),
        }
    }

    fn matches_attributes<'a>(&self, attributes: impl IntoIterator<Item = (&'a str, Attribute<'a>)>) -> bool {
        let mut values = self.filter.no_values();
        for (name, attribute) in attributes {
            for scalar in attribute.scalars().unwrap_or_default() {
                values.add_scalar(&self.filter.policy.tree, name, scalar);
            }
        }
        self.filter.matches_values(&values, |_| true)
    }
}

impl<'a> Attribute<'a> {
    fn scalars(self) -> Result<Vec<Scalar<'a>>, EventError> {
        match self {
            Self::Text(value) => Ok(vec![text(value)]),
            Self::Number(value) => Ok(Number::parse(value.trim()).map(Scalar::Number).into_iter().collect()),
            Self::List(json) => {
                let list: &RawValue = serde_json::from_str(json)?;
                let elements = read::elements(list)?.into_iter();
                let is_scalar = |json: &&RawValue| !matches!(read::kind(json), read::Kind::List | read::Kind::Object);
                elements.filter(is_scalar).map(scalar).collect()
            }
        }
    }
}
