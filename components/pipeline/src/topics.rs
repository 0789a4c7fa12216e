//! The topics of the event log.

use crate::kind::Kind;
use std::collections::BTreeMap;

/// The prefix of topic names, unless the configuration says otherwise (data flow, "Kafka Topics").
pub const PREFIX: &str = "prd2011.dmnd.";
/// Most bytes of a topic's name in Kafka.
const MAX_NAME: usize = 249;

/// Which topic has which type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Topics {
    prefix: String,
    /// Topics with a name of their own, in full.
    named: BTreeMap<Kind, String>,
}

impl Topics {
    /// The topics of a configuration: another prefix than [`PREFIX`], and whole names of single topics, written
    /// `REGISTRATION=registration.data, CAMPAIGN=…`.
    ///
    /// # Errors
    /// What is wrong with it, when a type is unknown or named twice, a name is not one that Kafka takes, or two types share
    /// a topic.
    pub fn new(prefix: Option<&str>, names: Option<&str>) -> Result<Self, String> {
        let mut topics = Self { prefix: prefix.unwrap_or(PREFIX).to_owned(), named: BTreeMap::new() };
        for entry in names.unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (kind, name) = entry.split_once('=').ok_or_else(|| format!("{entry:?} is not TYPE=topic"))?;
            if topics.named.insert(Kind::parse(kind.trim())?, name.trim().to_owned()).is_some() {
                return Err(format!("{} has two topics", kind.trim()));
            }
        }
        let all = Kind::ALL.map(|kind| topics.of(kind));
        for (index, name) in all.iter().enumerate() {
            if !is_name(name) {
                return Err(format!("{name:?} cannot be a topic of Kafka: 1 to 249 letters, digits, '.', '_' and '-'"));
            }
            if all.iter().skip(index + 1).any(|other| other == name) {
                return Err(format!("two types have the topic {name:?}"));
            }
        }
        Ok(topics)
    }

    /// The topic of a type.
    pub fn of(&self, kind: Kind) -> String {
        self.named.get(&kind).cloned().unwrap_or_else(|| format!("{}{}", self.prefix, default_name(kind)))
    }
}

fn default_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Campaign => "campaigns",
        Kind::EventMapping => "event-mappings",
        Kind::Market => "markets",
        Kind::RegisteredMarket => "registered-markets",
        Kind::Registration => "registrations",
    }
}

fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_part) && !matches!(name, "." | "..")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn all(prefix: Option<&str>, names: Option<&str>) -> [String; 5] {
        let topics = Topics::new(prefix, names).unwrap();
        Kind::ALL.map(|kind| topics.of(kind))
    }

    #[test]
    fn data_flow_kafka_topics() {
        let expected = [
            "prd2011.dmnd.campaigns",
            "prd2011.dmnd.event-mappings",
            "prd2011.dmnd.markets",
            "prd2011.dmnd.registered-markets",
            "prd2011.dmnd.registrations",
        ];
        assert_eq!(all(None, None), expected);
    }

    #[test]
    fn decisions_the_prefix_and_each_name_are_configuration() {
        assert_eq!(
            all(Some("qa."), Some("REGISTRATION=registration.data, MARKET = market,")),
            ["qa.campaigns", "qa.event-mappings", "market", "qa.registered-markets", "registration.data"]
        );
        assert_eq!(all(Some(""), None).first().unwrap(), "campaigns");
    }

    #[test]
    fn a_wrong_configuration_is_told() {
        let long = "x".repeat(240);
        for (prefix, names, expected) in [
            (None, Some("REGISTRATION"), r#""REGISTRATION" is not TYPE=topic"#),
            (None, Some("VENUE=v"), "unknown type: VENUE is none of"),
            (None, Some("MARKET=a,MARKET=b"), "MARKET has two topics"),
            (None, Some("MARKET=a,CAMPAIGN=a"), r#"two types have the topic "a""#),
            (None, Some("MARKET="), r#""" cannot be a topic of Kafka"#),
            (None, Some("MARKET=.."), r#"".." cannot be a topic of Kafka"#),
            (Some("a/"), None, r#""a/campaigns" cannot be a topic of Kafka"#),
            (Some(long.as_str()), None, "event-mappings\" cannot be a topic of Kafka"),
        ] {
            let error = Topics::new(prefix, names).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
