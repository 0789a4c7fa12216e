//! Reads a policy: the conditions that it names, and the alternatives that `$or` makes of them.

use crate::alternatives::Condition;
use crate::limits::{MAX_ALTERNATIVES, PolicyLimits};
use crate::operator;
use crate::read::{self, Kind};
use crate::tree::Tree;
use serde_json::value::RawValue;
use std::fmt;

const OR: &str = "$or";
/// How deep objects may be nested.
const MAX_DEPTH: usize = 128;
/// Names that an object of `$or` must not have, as in the ruler: it would be taken for a value's expression. The last
/// ten are those that the ruler keeps for later.
const RESERVED: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// The fault of a policy, its place, and what is allowed there.
#[derive(Debug, Eq, PartialEq)]
pub struct PolicyError {
    /// The path in the policy, such as `detail.state[1].prefix`; empty for the policy as a whole.
    pub path: String,
    /// The fault, and what is allowed.
    pub problem: String,
}

impl PolicyError {
    pub(crate) fn new(path: &str, problem: impl Into<String>) -> Self {
        Self { path: path.to_owned(), problem: problem.into() }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(to, "the filter: {}", self.problem),
            path => write!(to, "`{path}` of the filter: {}", self.problem),
        }
    }
}

impl std::error::Error for PolicyError {}

/// A policy that was read.
#[derive(Clone, Debug)]
pub struct Policy {
    pub tree: Tree,
    pub conditions: Vec<Condition>,
    /// Of each alternative its conditions, by their indexes.
    pub alternatives: Vec<Vec<usize>>,
}

impl Policy {
    /// # Errors
    /// When it is not a policy, or has more than the limits allow.
    pub fn parse(text: &str, limits: &PolicyLimits) -> Result<Self, PolicyError> {
        if text.len() > limits.bytes {
            let problem = format!("it has {} bytes, and may have {}", text.len(), limits.bytes);
            return Err(PolicyError::new("", problem));
        }
        let json: &RawValue =
            serde_json::from_str(text).map_err(|error| PolicyError::new("", format!("it is not JSON: {error}")))?;
        if read::kind(json) != Kind::Object {
            return Err(PolicyError::new("", "it is not an object; allowed is one with fields and lists of values"));
        }
        let mut reader = Reader { tree: Tree::new(), conditions: Vec::new(), limits };
        let mut alternatives = vec![Vec::new()];
        reader.object(&Path::root(), json, &mut alternatives)?;
        let Reader { tree, conditions, .. } = reader;
        let mut policy = Self { tree, conditions, alternatives };
        limits.check(&policy)?;
        policy.sort();
        Ok(policy)
    }

    /// The conditions of each alternative in the order in which Java compares their paths, by units of UTF-16.
    fn sort(&mut self) {
        let units = |index: &usize| {
            let path = self.conditions.get(*index).map_or("", |condition| &condition.path);
            path.encode_utf16().collect::<Vec<_>>()
        };
        for alternative in &mut self.alternatives {
            alternative.sort_by_cached_key(units);
        }
    }
}

/// Where in the policy the reader is.
struct Path {
    /// As people read it.
    shown: String,
    /// The names of the fields that lead there.
    names: Vec<String>,
    is_in_or: bool,
}

impl Path {
    const fn root() -> Self {
        Self { shown: String::new(), names: Vec::new(), is_in_or: false }
    }

    fn member(&self, name: &str) -> Self {
        let mut names = self.names.clone();
        names.push(name.to_owned());
        Self { shown: operator::member(&self.shown, name), names, is_in_or: self.is_in_or }
    }

    fn alternative(&self, index: usize) -> Self {
        Self {
            shown: format!("{}[{index}]", operator::member(&self.shown, OR)),
            names: self.names.clone(),
            is_in_or: true,
        }
    }
}

struct Reader<'l> {
    tree: Tree,
    conditions: Vec<Condition>,
    limits: &'l PolicyLimits,
}

impl Reader<'_> {
    /// Adds the conditions of an object to each alternative, and multiplies the alternatives for `$or`.
    fn object(&mut self, path: &Path, json: &RawValue, alternatives: &mut Vec<Vec<usize>>) -> Result<(), PolicyError> {
        let members = read::members(json).map_err(|error| PolicyError::new(&path.shown, error.to_string()))?;
        if members.is_empty() {
            return Err(PolicyError::new(&path.shown, "it is empty; an object has fields"));
        }
        if path.names.len() >= MAX_DEPTH {
            return Err(PolicyError::new("", format!("it is nested more than {MAX_DEPTH} levels deep")));
        }
        for (name, value) in members {
            let at = path.member(&name);
            match read::kind(value) {
                _ if name == OR => self.or(path, value, alternatives)?,
                _ if path.is_in_or && RESERVED.contains(&&*name) => {
                    let problem = format!("a field in `$or` must not have the name of an operator, `{name}`");
                    return Err(PolicyError::new(&at.shown, problem));
                }
                Kind::Object => self.object(&at, value, alternatives)?,
                Kind::List => self.condition(&at, value, alternatives)?,
                _ => return Err(PolicyError::new(&at.shown, "it must be a list of values, or an object with fields")),
            }
        }
        Ok(())
    }

    fn or(&mut self, path: &Path, json: &RawValue, alternatives: &mut Vec<Vec<usize>>) -> Result<(), PolicyError> {
        let shown = operator::member(&path.shown, OR);
        let objects = match read::kind(json) {
            Kind::List => read::elements(json).map_err(|error| PolicyError::new(&shown, error.to_string()))?,
            _ => Vec::new(),
        };
        if objects.len() < 2 || objects.iter().any(|object| read::kind(object) != Kind::Object) {
            return Err(PolicyError::new(&shown, "it must be a list of two objects or more"));
        }
        let mut all = Vec::new();
        for (index, object) in objects.into_iter().enumerate() {
            let mut of_object = alternatives.clone();
            self.object(&path.alternative(index), object, &mut of_object)?;
            all.append(&mut of_object);
            if all.len() > MAX_ALTERNATIVES {
                let problem =
                    format!("it makes more than {MAX_ALTERNATIVES} alternatives, with those around it multiplied");
                return Err(PolicyError::new(&shown, problem));
            }
        }
        *alternatives = all;
        Ok(())
    }

    fn condition(&mut self, path: &Path, json: &RawValue, alternatives: &mut [Vec<usize>]) -> Result<(), PolicyError> {
        let patterns = operator::values(&path.shown, json, self.limits)?;
        let field = self.tree.add(path.names.iter().map(String::as_str));
        let is_named = |index: &usize| self.conditions.get(*index).is_some_and(|condition| condition.field == field);
        if alternatives.iter().flatten().any(is_named) {
            let problem = "the field is named twice; all its values belong in one list";
            return Err(PolicyError::new(&path.shown, problem));
        }
        for alternative in alternatives {
            alternative.push(self.conditions.len());
        }
        let (names, depth) = (path.names.join("."), path.names.len());
        self.conditions.push(Condition { field, path: names, depth, patterns });
        Ok(())
    }
}
