//! MongoDB's updates, as far as the workers need them: `$set`, `$unset`, `$pull` and `$inc` on dotted paths. Anything
//! else is an error that names it.

mod apply;
mod overflow;

pub use overflow::Overflow;

use crate::Result;
use crate::filter::{ElementFilter, unsupported};
use crate::limits::document::{check_value, parse_object, parse_path};
use crate::limits::invalid;
use serde_json::{Map, Number, Value};

const KNOWN: &str = "$set, $unset, $pull, $inc";

/// A checked update. No path of it leads into another one's.
#[derive(Debug)]
pub struct Update {
    source: Map<String, Value>,
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    path: Vec<String>,
    operator: Operator,
}

#[derive(Debug)]
enum Operator {
    Set(Value),
    Unset,
    Pull(ElementFilter),
    Inc(Number),
}

impl Update {
    /// Reads an update; [`host_adapters_records::ErrorKind::Invalid`] names what it does not know.
    pub fn parse(text: &str) -> Result<Self> {
        let source = parse_object("an update", text)?;
        if source.is_empty() {
            return Err(invalid(format!("an update has at least one operator of {KNOWN}")));
        }
        let mut update = Self { source: source.clone(), changes: Vec::new() };
        for (name, paths) in source {
            update.parse_operator(&name, paths)?;
        }
        Ok(update)
    }

    /// As MongoDB reads it.
    pub fn source(&self) -> &Map<String, Value> {
        &self.source
    }

    /// From which numbers on its `$inc`s exceed what a double holds.
    pub fn overflows(&self) -> Vec<Overflow> {
        let of = |change: &Change| match &change.operator {
            Operator::Inc(by) => Overflow::of(&change.path, by.as_f64()?),
            _ => None,
        };
        self.changes.iter().filter_map(of).collect()
    }

    fn parse_operator(&mut self, name: &str, paths: Value) -> Result<()> {
        if !name.starts_with('$') {
            return Err(invalid(format!("`{name}` is not an operator of an update; supported: {KNOWN}")));
        }
        let paths = match paths {
            Value::Object(paths) if !paths.is_empty() => paths,
            _ => return Err(invalid(format!("`{name}` takes an object of paths, at least one"))),
        };
        for (path, value) in paths {
            let segments = parse_path(&path)?;
            let operator = Operator::parse(name, &segments, value)?;
            self.add(segments, operator)?;
        }
        Ok(())
    }

    fn add(&mut self, path: Vec<String>, operator: Operator) -> Result<()> {
        let overlap = |other: &&Change| other.path.iter().zip(&path).all(|(a, b)| a == b);
        if let Some(other) = self.changes.iter().find(overlap) {
            let (path, other) = (path.join("."), other.path.join("."));
            return Err(invalid(format!("updating the path `{path}` would create a conflict at `{other}`")));
        }
        self.changes.push(Change { path, operator });
        Ok(())
    }
}

impl Operator {
    fn parse(name: &str, path: &[String], value: Value) -> Result<Self> {
        Ok(match (name, value) {
            ("$set", value) => {
                check_value(&value, path.len())?;
                Self::Set(value)
            }
            ("$unset", _) => Self::Unset,
            ("$pull", value) => Self::Pull(ElementFilter::parse(value)?),
            ("$inc", Value::Number(number)) => Self::Inc(number),
            ("$inc", _) => return Err(invalid(format!("`$inc` of `{}` takes a number", path.join(".")))),
            _ => return Err(unsupported(name, KNOWN)),
        })
    }
}

#[cfg(test)]
mod tests;
