//! JSON that keeps the order of members and the spelling of numbers.

use std::fmt;

/// A value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Json {
    /// With its members in their order.
    Object(Vec<(String, Json)>),
    /// With its elements.
    List(Vec<Json>),
    /// A string.
    Text(String),
    /// A number as it is spelled, or `true`, `false`, `null`.
    Word(String),
}

impl Json {
    /// A string.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Anything that is spelled without quotation marks.
    pub fn word(word: impl Into<String>) -> Self {
        Self::Word(word.into())
    }

    /// An object with one member.
    pub fn of(name: &str, value: Self) -> Self {
        Self::Object(vec![(name.to_owned(), value)])
    }

    /// The same with every value that is neither an object nor a list replaced.
    pub fn map(&self, leaf: &impl Fn(&Self) -> Self) -> Self {
        match self {
            Self::Object(members) => {
                Self::Object(members.iter().map(|(name, value)| (name.clone(), value.map(leaf))).collect())
            }
            Self::List(elements) => Self::List(elements.iter().map(|element| element.map(leaf)).collect()),
            Self::Text(_) | Self::Word(_) => leaf(self),
        }
    }

    /// The values that are neither an object nor a list.
    pub fn leaves(&self) -> Vec<&Self> {
        match self {
            Self::Object(members) => members.iter().flat_map(|(_, value)| value.leaves()).collect(),
            Self::List(elements) => elements.iter().flat_map(Self::leaves).collect(),
            Self::Text(_) | Self::Word(_) => vec![self],
        }
    }

    /// Whether there is a list with a list or an object in it.
    pub fn has_objects_in_lists(&self) -> bool {
        match self {
            Self::Object(members) => members.iter().any(|(_, value)| value.has_objects_in_lists()),
            Self::List(elements) => elements.iter().any(|it| matches!(it, Self::Object(_) | Self::List(_))),
            Self::Text(_) | Self::Word(_) => false,
        }
    }

    /// Its text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Object(_) | Self::List(_) | Self::Word(_) => None,
        }
    }

    /// Its number as it is spelled.
    pub fn number(&self) -> Option<&str> {
        match self {
            Self::Word(word) if !matches!(word.as_str(), "true" | "false" | "null") => Some(word),
            _ => None,
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Self::Object(members) => {
                let members: Vec<_> = members.iter().map(|(name, value)| format!("{}:{value}", text(name))).collect();
                write!(to, "{{{}}}", members.join(","))
            }
            Self::List(elements) => {
                let elements: Vec<_> = elements.iter().map(Self::to_string).collect();
                write!(to, "[{}]", elements.join(","))
            }
            Self::Text(it) => to.write_str(&text(it)),
            Self::Word(word) => to.write_str(word),
        }
    }
}
