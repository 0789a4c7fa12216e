//! Changes of `demand-table`, in the words of the platform's `table.update`.

use serde_json::Value;

/// The key of an item.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
}

impl Key {
    /// The key of an item of a campaign.
    pub fn of_campaign(campaign_id: &str, sk: impl Into<String>) -> Self {
        Self { pk: format!("{CAMPAIGN}{campaign_id}"), sk: sk.into() }
    }

    /// The campaign that an item is of.
    pub fn campaign_id(&self) -> Option<&str> {
        self.pk.strip_prefix(CAMPAIGN)
    }
}

/// The beginning of the partition keys of a campaign's items.
const CAMPAIGN: &str = "CAMPAIGN#";

/// A conditional update of one item. It creates a missing item, unless a condition forbids that.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The item.
    pub key: Key,
    /// Dotted path and new value as JSON text.
    pub set: Vec<(String, String)>,
    /// Dotted paths.
    pub remove: Vec<String>,
    /// Dotted path and what to add to the number there; an absent one counts as 0.
    pub increment: Vec<(String, i64)>,
    /// All must hold.
    pub condition: Vec<Condition>,
}

/// A condition of a change. Values are JSON text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// Nothing is at the path.
    NotExists(String),
    /// The path has this value.
    Equals(String, String),
    /// The path is absent, or null, or has this value.
    AbsentOrEquals(String, String),
    /// The path is absent, or null, or has a text that is less than this one in the order of its bytes, or a lesser number.
    AbsentOrLessThan(String, String),
}

impl Change {
    /// A change of an item that does nothing yet.
    pub fn of(key: Key) -> Self {
        Self { key, set: vec![], remove: vec![], increment: vec![], condition: vec![] }
    }

    /// Sets a path.
    #[must_use]
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.set.push((path.to_owned(), value.into().to_string()));
        self
    }

    /// Holds only where nothing is at the path.
    #[must_use]
    pub fn if_absent(mut self, path: &str) -> Self {
        self.condition.push(Condition::NotExists(path.to_owned()));
        self
    }

    /// Holds only where the path is absent, or null, or has this value.
    #[must_use]
    pub fn if_absent_or(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.condition.push(Condition::AbsentOrEquals(path.to_owned(), value.into().to_string()));
        self
    }

    /// Holds only where the path has this value.
    #[must_use]
    pub fn if_equals(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.condition.push(Condition::Equals(path.to_owned(), value.into().to_string()));
        self
    }
}
