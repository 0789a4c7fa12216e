//! The values that a field may have.

use crate::address::address;
use crate::fold::Folded;
use crate::number::{Number, Range};
use crate::wildcard::Wildcard;
use ipnet::IpNet;
use std::borrow::Cow;
use std::net::IpAddr;

/// A value of an event that is neither an object nor a list.
#[derive(Clone, Debug)]
pub enum Scalar<'a> {
    Text(Cow<'a, str>),
    Number(Number),
    True,
    False,
    Null,
}

/// What a policy allows a field to be.
#[derive(Clone, Debug)]
pub enum Pattern {
    Is(Scalar<'static>),
    Address(IpAddr),
    Prefix(String),
    PrefixIgnoringCase(Folded),
    Suffix(String),
    SuffixIgnoringCase(Folded),
    EqualIgnoringCase(Folded),
    Wildcard(Wildcard),
    Range(Range),
    Cidr(IpNet),
    /// Any value that none of these matches, of whatever type.
    AnythingBut(Vec<Pattern>),
    Exists,
    /// There is no value; it is the one pattern that no value matches.
    Absent,
}

impl Pattern {
    pub fn matches(&self, value: &Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Exists, _) => true,
            (Self::AnythingBut(patterns), _) => !patterns.iter().any(|pattern| pattern.matches(value)),
            (Self::Is(expected), _) => expected.is(value),
            (Self::Range(range), Scalar::Number(number)) => range.contains(number),
            (_, Scalar::Text(text)) => self.matches_text(text),
            _ => false,
        }
    }

    fn matches_text(&self, text: &str) -> bool {
        match self {
            Self::Address(expected) => address(text) == Some(*expected),
            Self::Cidr(range) => address(text).is_some_and(|address| range.contains(&address)),
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::PrefixIgnoringCase(prefix) => prefix.begins(text),
            Self::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Self::SuffixIgnoringCase(suffix) => suffix.ends(text),
            Self::EqualIgnoringCase(whole) => whole.equals(text),
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::Is(_) | Self::Range(_) | Self::AnythingBut(_) | Self::Exists | Self::Absent => false,
        }
    }
}

impl Scalar<'_> {
    fn is(&self, other: &Scalar<'_>) -> bool {
        match (self, other) {
            (Self::Text(a), Scalar::Text(b)) => a == b,
            (Self::Number(a), Scalar::Number(b)) => a == b,
            (Self::True, Scalar::True) | (Self::False, Scalar::False) | (Self::Null, Scalar::Null) => true,
            _ => false,
        }
    }
}
