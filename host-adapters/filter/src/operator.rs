//! Reads the values that a policy allows a field to have: `"a"`, `{"prefix": "a"}`, `{"numeric": [">", 0, "<=", 5]}`.

use crate::address;
use crate::event::scalar;
use crate::fold::Folded;
use crate::limits::PolicyLimits;
use crate::number::{Bound, Number, Range};
use crate::pattern::{Pattern, Scalar};
use crate::policy::PolicyError;
use crate::read::{self, Kind};
use crate::wildcard::Wildcard;
use serde_json::value::RawValue;
use std::borrow::Cow;

const OPERATORS: [&str; 8] =
    ["prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists", "cidr"];
/// Those that may follow `anything-but`.
const NEGATED: [&str; 4] = ["prefix", "suffix", "equals-ignore-case", "wildcard"];
const NUMERIC: &str = "such as `[\"=\", 1]`, `[\"<\", 5]` or `[\">\", 0, \"<=\", 5]`";

/// The path of a member.
pub fn member(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A place in the policy whose value is read.
#[derive(Clone)]
struct At<'a> {
    path: String,
    json: &'a RawValue,
    limits: &'a PolicyLimits,
}

/// The values of a list.
///
/// # Errors
/// When it is empty, or has something that is not a value.
pub fn values(path: &str, json: &RawValue, limits: &PolicyLimits) -> Result<Vec<Pattern>, PolicyError> {
    let at = At { path: path.to_owned(), json, limits };
    at.elements()?.iter().map(At::value).collect()
}

impl<'a> At<'a> {
    fn wrong<T>(&self, problem: impl Into<String>) -> Result<T, PolicyError> {
        Err(PolicyError::new(&self.path, problem))
    }

    fn kind(&self) -> Kind {
        read::kind(self.json)
    }

    /// Of a list that must not be empty.
    fn elements(&self) -> Result<Vec<Self>, PolicyError> {
        let elements = read::elements(self.json).or_else(|error| self.wrong(error.to_string()))?;
        if elements.is_empty() {
            return self.wrong("the list is empty; it has at least one value");
        }
        let at = |(index, json)| Self { path: format!("{}[{index}]", self.path), json, limits: self.limits };
        Ok(elements.into_iter().enumerate().map(at).collect())
    }

    /// The only member of an object, which has the name of one of these operators.
    fn operator(&self, allowed: &[&str]) -> Result<(Cow<'a, str>, Self), PolicyError> {
        let members = read::members(self.json).or_else(|error| self.wrong(error.to_string()))?;
        match <[_; 1]>::try_from(members) {
            Ok([(name, json)]) if allowed.contains(&&*name) => {
                let path = member(&self.path, &name);
                Ok((name, Self { path, json, limits: self.limits }))
            }
            Ok([(name, _)]) => self.wrong(format!("`{name}` is not an operator here; allowed are {}", listed(allowed))),
            Err(members) => {
                self.wrong(format!("it has {} operators, and must have one of {}", members.len(), listed(allowed)))
            }
        }
    }

    fn text(&self) -> Result<String, PolicyError> {
        match self.kind() {
            Kind::Text => match read::text(self.json) {
                Ok(text) => Ok(text.into_owned()),
                Err(error) => self.wrong(error.to_string()),
            },
            _ => self.wrong("it must be a string"),
        }
    }

    fn value(&self) -> Result<Pattern, PolicyError> {
        match self.kind() {
            Kind::Object => self.expression(),
            Kind::List => {
                let operators = listed(&OPERATORS);
                self.wrong(format!(
                    "it must be a string, a number, true, false, null or an object with one of {operators}"
                ))
            }
            Kind::Text => {
                let text = self.text()?;
                Ok(address::address(&text).map_or(Pattern::Is(Scalar::Text(text.into())), Pattern::Address))
            }
            _ => self.literal(),
        }
    }

    /// A value as it is.
    fn literal(&self) -> Result<Pattern, PolicyError> {
        match scalar(self.json) {
            Ok(Scalar::Text(text)) => Ok(Pattern::Is(Scalar::Text(text.into_owned().into()))),
            Ok(Scalar::Number(number)) => Ok(Pattern::Is(Scalar::Number(number))),
            Ok(Scalar::True) => Ok(Pattern::Is(Scalar::True)),
            Ok(Scalar::False) => Ok(Pattern::Is(Scalar::False)),
            Ok(Scalar::Null) => Ok(Pattern::Is(Scalar::Null)),
            Err(error) => self.wrong(error.to_string()),
        }
    }

    fn expression(&self) -> Result<Pattern, PolicyError> {
        let (name, operand) = self.operator(&OPERATORS)?;
        match &*name {
            "prefix" | "suffix" => operand.prefix_or_suffix(&name),
            "equals-ignore-case" => Ok(Pattern::EqualIgnoringCase(Folded::of(&operand.text()?))),
            "wildcard" => operand.wildcard(),
            "anything-but" => operand.anything_but(),
            "numeric" => operand.numeric(),
            "exists" => match operand.kind() {
                Kind::True => Ok(Pattern::Exists),
                Kind::False => Ok(Pattern::Absent),
                _ => operand.wrong("it must be true or false"),
            },
            _ => address::range(&operand.text()?).map(Pattern::Cidr).or_else(|problem| operand.wrong(problem)),
        }
    }

    fn prefix_or_suffix(&self, name: &str) -> Result<Pattern, PolicyError> {
        match self.kind() {
            Kind::Text if name == "prefix" => Ok(Pattern::Prefix(self.text()?)),
            Kind::Text => Ok(Pattern::Suffix(self.text()?)),
            Kind::Object => {
                let (_, operand) = self.operator(&["equals-ignore-case"])?;
                let folded = Folded::of(&operand.text()?);
                Ok(if name == "prefix" {
                    Pattern::PrefixIgnoringCase(folded)
                } else {
                    Pattern::SuffixIgnoringCase(folded)
                })
            }
            _ => self.wrong("it must be a string, or an object with `equals-ignore-case`"),
        }
    }

    fn wildcard(&self) -> Result<Pattern, PolicyError> {
        let wildcard = Wildcard::parse(&self.text()?).or_else(|problem| self.wrong(problem))?;
        let (count, most) = (wildcard.count(), self.limits.wildcards);
        if count > most {
            return self.wrong(format!("it has {count} wildcards, and may have {most}"));
        }
        Ok(Pattern::Wildcard(wildcard))
    }

    fn anything_but(&self) -> Result<Pattern, PolicyError> {
        let patterns = match self.kind() {
            Kind::Object => {
                let (name, operand) = self.operator(&NEGATED)?;
                operand.each(|at| at.negated(&name))
            }
            _ => self.each(|at| match at.kind() {
                Kind::Text | Kind::Number => at.literal(),
                _ => at.wrong("it must be a string or a number"),
            }),
        }?;
        let is_number = |pattern: &Pattern| matches!(pattern, Pattern::Is(Scalar::Number(_)));
        if patterns.iter().any(is_number) && !patterns.iter().all(is_number) {
            return self.wrong("the list has strings and numbers; it must have either");
        }
        Ok(Pattern::AnythingBut(patterns))
    }

    /// Of a list each element, else the value itself.
    fn each(&self, read: impl Fn(&Self) -> Result<Pattern, PolicyError>) -> Result<Vec<Pattern>, PolicyError> {
        match self.kind() {
            Kind::List => self.elements()?.iter().map(read).collect(),
            _ => read(self).map(|pattern| vec![pattern]),
        }
    }

    fn negated(&self, name: &str) -> Result<Pattern, PolicyError> {
        let text = self.text();
        match name {
            "prefix" | "suffix" if matches!(text.as_deref(), Ok("")) => {
                self.wrong("it is empty, so it would be true of every string")
            }
            "prefix" => text.map(Pattern::Prefix),
            "suffix" => text.map(Pattern::Suffix),
            "equals-ignore-case" => text.map(|text| Pattern::EqualIgnoringCase(Folded::of(&text))),
            _ => self.wildcard(),
        }
    }

    fn numeric(&self) -> Result<Pattern, PolicyError> {
        if self.kind() != Kind::List {
            return self.wrong(format!("it must be a list, {NUMERIC}"));
        }
        match self.elements()?.as_slice() {
            [sign, number] => sign.comparison(number),
            [low, from, high, to] => self.between((low, from), (high, to)),
            parts => self.wrong(format!("it has {} parts, and must have two or four, {NUMERIC}", parts.len())),
        }
    }

    fn comparison(&self, number: &Self) -> Result<Pattern, PolicyError> {
        let sign = self.sign(&["=", "<", "<=", ">", ">="])?;
        let number = number.number()?;
        let bound = Some(Bound { number: number.clone(), is_inclusive: sign.ends_with('=') });
        Ok(match sign.as_str() {
            "=" => Pattern::Is(Scalar::Number(number)),
            "<" | "<=" => Pattern::Range(Range { lower: None, upper: bound }),
            _ => Pattern::Range(Range { lower: bound, upper: None }),
        })
    }

    fn between(&self, (low, from): (&Self, &Self), (high, to): (&Self, &Self)) -> Result<Pattern, PolicyError> {
        let (low, high) = (low.sign(&[">", ">="])?, high.sign(&["<", "<="])?);
        let (from, to) = (from.number()?, to.number()?);
        if from >= to {
            return self.wrong("the lower bound must be less than the upper one");
        }
        let bound = |sign: &str, number| Some(Bound { number, is_inclusive: sign.ends_with('=') });
        Ok(Pattern::Range(Range { lower: bound(&low, from), upper: bound(&high, to) }))
    }

    fn sign(&self, allowed: &[&str]) -> Result<String, PolicyError> {
        match self.text() {
            Ok(sign) if allowed.contains(&sign.as_str()) => Ok(sign),
            _ => {
                let allowed = allowed.iter().map(|sign| format!("`\"{sign}\"`")).collect::<Vec<_>>().join(", ");
                self.wrong(format!("`{}` must be one of {allowed}", self.json.get()))
            }
        }
    }

    fn number(&self) -> Result<Number, PolicyError> {
        match scalar(self.json) {
            Ok(Scalar::Number(number)) => Ok(number),
            Err(error) => self.wrong(error.to_string()),
            Ok(_) => self.wrong(format!("`{}` must be a number", self.json.get())),
        }
    }
}
