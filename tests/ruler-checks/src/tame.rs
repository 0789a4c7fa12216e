//! The documented differences: what triggers each, and how a pair is written without it.

use crate::{Json, Pair};
use host_adapters_json::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

/// Where this project differs from the ruler on purpose.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Difference {
    /// A number that a double does not hold.
    BeyondDouble,
    /// A number, where the pattern has addresses: the ruler compares its digits with theirs.
    NumberAndAddress,
    /// Addresses of both families.
    BothFamilies,
    /// A zero before a number of an IPv4 address: the ruler reads it as decimal, others as octal.
    LeadingZero,
    /// A character of two units of UTF-16 or a titlecase letter, where the pattern ignores case: the ruler folds each
    /// unit, and only to lower and upper case.
    Case,
    /// A `wildcard` beside `suffix` or `equals-ignore-case`: what the ruler then walks through for these leads it into
    /// the wildcards, and it matches `abc` by `*x*y*`.
    BesideWildcard,
    /// A name with a dot beside lists of objects: of one field's values in a list and others outside, the ruler forgets
    /// the latter once it has chosen an element.
    DottedName,
}

impl fmt::Display for Difference {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::BeyondDouble => "a number that a double does not hold",
            Self::NumberAndAddress => "a number and an address",
            Self::BothFamilies => "addresses of both families",
            Self::LeadingZero => "a zero before a number of an address",
            Self::Case => "a character whose case the ruler does not know",
            Self::BesideWildcard => "a wildcard beside a suffix or an ignored case",
            Self::DottedName => "a dotted name and a list",
        })
    }
}

/// A pair, written without any of them.
pub struct Tamed {
    pub pair: Pair,
    /// What it had.
    pub had: BTreeSet<Difference>,
}

/// What triggers differences in a pair, and the pair without it. `not_compared` are the numbers that the ruler does not
/// compare.
pub fn tame(pair: &Pair, not_compared: &BTreeSet<String>) -> Tamed {
    let pattern = pair.pattern.to_string();
    let names = |operator: &str| pattern.contains(&format!("\"{operator}\":"));
    let all = [
        (Difference::LeadingZero, has_leading_zeros(pair)),
        (Difference::BothFamilies, families(&pair.pattern).union(&families(&pair.event)).count() > 1),
        (Difference::Case, has_odd_letters(pair)),
        (
            Difference::BeyondDouble,
            pair.leaves().iter().filter_map(|leaf| leaf.number()).any(|it| not_compared.contains(it)),
        ),
        (Difference::NumberAndAddress, has_numbers_like_addresses(pair)),
        (Difference::BesideWildcard, names("wildcard") && (names("suffix") || names("equals-ignore-case"))),
        (Difference::DottedName, pair.event.has_objects_in_lists() && pair.event != without_dots(&pair.event)),
    ];
    let had: BTreeSet<_> =
        all.into_iter().filter_map(|(difference, is_there)| is_there.then_some(difference)).collect();
    let tamed = had.iter().fold(pair.clone(), |pair, difference| match difference {
        Difference::LeadingZero => pair.map_texts(|text| marked_if(has_leading_zero(text), text)),
        Difference::BothFamilies => of_one_family(&pair),
        Difference::Case => pair.map_texts(with_plain_letters),
        Difference::BeyondDouble | Difference::NumberAndAddress => with_plain_numbers(&pair),
        Difference::BesideWildcard => Pair { pattern: without_neighbours(&pair.pattern), ..pair },
        Difference::DottedName => Pair { pattern: without_dots(&pair.pattern), event: without_dots(&pair.event) },
    });
    Tamed { pair: tamed, had }
}

impl Tamed {
    /// Whether nothing that this project tells apart has changed.
    pub fn is_the_same_here(&self) -> bool {
        self.had.iter().all(|it| matches!(it, Difference::BeyondDouble | Difference::NumberAndAddress))
    }
}

impl Pair {
    /// The values of both that are neither an object nor a list.
    pub fn leaves(&self) -> Vec<&Json> {
        [self.pattern.leaves(), self.event.leaves()].concat()
    }

    fn map_texts(&self, change: impl Fn(&str) -> String) -> Self {
        let leaf = |leaf: &Json| match leaf {
            Json::Text(text) => Json::Text(change(text)),
            Json::Word(_) | Json::Object(_) | Json::List(_) => leaf.clone(),
        };
        Self { pattern: self.pattern.map(&leaf), event: self.event.map(&leaf) }
    }
}

/// The text, or one that is not an address.
fn marked_if(condition: bool, text: &str) -> String {
    if condition { format!("x{text}") } else { text.to_owned() }
}

fn has_leading_zeros(pair: &Pair) -> bool {
    pair.leaves().iter().filter_map(|leaf| leaf.as_text()).any(has_leading_zero)
}

fn has_leading_zero(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 4 && parts.iter().all(is_number) && parts.iter().any(|part| part.len() > 1 && part.starts_with('0'))
}

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Family {
    V4,
    V6,
}

/// Of an address or a range.
fn family(text: &str) -> Option<Family> {
    let address: IpAddr = text.split('/').next()?.parse().ok()?;
    Some(if address.to_canonical().is_ipv4() { Family::V4 } else { Family::V6 })
}

fn families(json: &Json) -> BTreeSet<Family> {
    json.leaves().iter().filter_map(|leaf| family(leaf.as_text()?)).collect()
}

/// Keeps the family of the pattern's addresses, and of both the older one.
fn of_one_family(pair: &Pair) -> Pair {
    let kept = families(&pair.pattern).first().copied().unwrap_or(Family::V4);
    pair.map_texts(|text| match family(text) {
        Some(other) if other != kept && text.contains('/') => "203.0.113.0/24".to_owned(),
        other => marked_if(other.is_some_and(|other| other != kept), text),
    })
}

fn has_odd_letters(pair: &Pair) -> bool {
    pair.pattern.to_string().contains("equals-ignore-case")
        && pair.leaves().iter().filter_map(|leaf| leaf.as_text()).any(|text| with_plain_letters(text) != text)
}

/// Letters of the basic plane in their place, of which one is the other's upper case where it was so before.
fn with_plain_letters(text: &str) -> String {
    text.replace(['\u{10400}', 'ǅ'], "Ж").replace('\u{10428}', "ж")
}

fn has_numbers_like_addresses(pair: &Pair) -> bool {
    let is_like_one = |number: &str| number.starts_with(|char: char| char.is_ascii_digit());
    !families(&pair.pattern).is_empty() && pair.event.leaves().iter().filter_map(|leaf| leaf.number()).any(is_like_one)
}

/// Small negative integers in place of all numbers, in the same order.
fn with_plain_numbers(pair: &Pair) -> Pair {
    let decimals = pair.leaves().iter().filter_map(|leaf| Decimal::parse(leaf.number()?)).collect::<Vec<_>>();
    let ranks: BTreeMap<_, _> = decimals.into_iter().collect::<BTreeSet<_>>().into_iter().zip(-1000..).collect();
    let leaf = |leaf: &Json| match leaf.number().and_then(Decimal::parse).and_then(|decimal| ranks.get(&decimal)) {
        Some(rank) => Json::word(rank.to_string()),
        None => leaf.clone(),
    };
    Pair { pattern: pair.pattern.map(&leaf), event: pair.event.map(&leaf) }
}

/// With all names in one piece.
fn without_dots(json: &Json) -> Json {
    match json {
        Json::Object(members) => {
            Json::Object(members.iter().map(|(name, value)| (name.replace('.', "_"), without_dots(value))).collect())
        }
        Json::List(elements) => Json::List(elements.iter().map(without_dots).collect()),
        Json::Text(_) | Json::Word(_) => json.clone(),
    }
}

/// Without the operators `suffix` and `equals-ignore-case`, in place of which there is a text.
fn without_neighbours(json: &Json) -> Json {
    match json {
        Json::Object(members) => match members.as_slice() {
            [(name, _)] if name == "suffix" || name == "equals-ignore-case" => Json::text("none"),
            _ => {
                let without = |(name, value): &(String, Json)| (name.clone(), without_neighbours(value));
                Json::Object(members.iter().map(without).collect())
            }
        },
        Json::List(elements) => Json::List(elements.iter().map(without_neighbours).collect()),
        Json::Text(_) | Json::Word(_) => json.clone(),
    }
}
