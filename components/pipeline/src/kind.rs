//! The types of records.

use std::fmt;

/// A type of record. Its name stands in `type` of a message and in the attribute `type` of messages of the topic.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// The state of a campaign.
    Campaign,
    /// Which event a market is of.
    EventMapping,
    /// The state of a market.
    Market,
    /// The numbers of a market that fans have registered for.
    RegisteredMarket,
    /// A fan's entry.
    Registration,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Campaign, Self::EventMapping, Self::Market, Self::RegisteredMarket, Self::Registration];

    /// The name: `EVENT_MAPPING`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Campaign => "CAMPAIGN",
            Self::EventMapping => "EVENT_MAPPING",
            Self::Market => "MARKET",
            Self::RegisteredMarket => "REGISTERED_MARKET",
            Self::Registration => "REGISTRATION",
        }
    }

    /// The type of this name, which is spelled as [`Self::name`] does.
    ///
    /// # Errors
    /// The reason to reject a record of another type. It quotes only what can be the name of a type.
    pub fn parse(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| {
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            let is_name = (1..=MAX_QUOTED).contains(&name.len()) && name.bytes().all(is_part);
            let name = if is_name { format!(" {name}") } else { String::new() };
            format!("unknown type:{name} is none of {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}

/// Most bytes of an unknown type's name that a reason quotes.
const MAX_QUOTED: usize = 40;

impl fmt::Display for Kind {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn use_case_5_there_are_five_types() {
        let names = ["CAMPAIGN", "EVENT_MAPPING", "MARKET", "REGISTERED_MARKET", "REGISTRATION"];
        assert_eq!(Kind::ALL.map(Kind::name), names);
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Ok(kind));
        }
    }

    #[test]
    fn use_case_5_invalid_record_type_is_named() {
        let none = "is none of CAMPAIGN, EVENT_MAPPING, MARKET, REGISTERED_MARKET, REGISTRATION";
        for (name, quoted) in [
            ("registration", " registration"),
            ("VENUE", " VENUE"),
            ("", ""),
            ("fan@example.com", ""),
            ("X".repeat(41).as_str(), ""),
        ] {
            assert_eq!(Kind::parse(name).unwrap_err(), format!("unknown type:{quoted} {none}"));
        }
    }
}
