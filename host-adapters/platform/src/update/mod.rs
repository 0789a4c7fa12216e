//! MongoDB's updates, as far as the workers need them: `$set`, `$unset`, `$pull` and `$inc` on dotted paths. Anything
//! else is an error that names it.

mod apply;

use crate::Result;
use crate::filter::{ElementFilter, unsupported};
use crate::limits::invalid;
use serde_json::{Map, Number, Value};

const KNOWN: &str = "$set, $unset, $pull, $inc";

/// A checked update. No path of it leads into another one's.
#[derive(Debug)]
pub struct Update(Vec<Change>);

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
        let operators: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| invalid(format!("an update is a JSON object: {error}")))?;
        if operators.is_empty() {
            return Err(invalid(format!("an update has at least one operator of {KNOWN}")));
        }
        let mut update = Self(Vec::new());
        for (name, paths) in operators {
            update.parse_operator(&name, paths)?;
        }
        Ok(update)
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
            let operator = Operator::parse(name, &path, value)?;
            self.add(parse_path(&path)?, operator)?;
        }
        Ok(())
    }

    fn add(&mut self, path: Vec<String>, operator: Operator) -> Result<()> {
        let overlap = |other: &&Change| other.path.iter().zip(&path).all(|(a, b)| a == b);
        if let Some(other) = self.0.iter().find(overlap) {
            let (path, other) = (path.join("."), other.path.join("."));
            return Err(invalid(format!("updating the path `{path}` would create a conflict at `{other}`")));
        }
        self.0.push(Change { path, operator });
        Ok(())
    }
}

impl Operator {
    fn parse(name: &str, path: &str, value: Value) -> Result<Self> {
        Ok(match (name, value) {
            ("$set", value) => {
                check_numbers(path, &value)?;
                Self::Set(value)
            }
            ("$unset", _) => Self::Unset,
            ("$pull", value) => Self::Pull(ElementFilter::parse(value)?),
            ("$inc", Value::Number(number)) => {
                check_number(path, &number)?;
                Self::Inc(number)
            }
            ("$inc", _) => return Err(invalid(format!("`$inc` of `{path}` takes a number"))),
            _ => return Err(unsupported(name, KNOWN)),
        })
    }
}

fn parse_path(path: &str) -> Result<Vec<String>> {
    let segments: Vec<_> = path.split('.').map(str::to_owned).collect();
    if segments.iter().any(|segment| segment.is_empty() || segment.contains('\0')) {
        return Err(invalid(format!("`{path}` is not a path; write names with dots between: `date.updated`")));
    }
    if segments.iter().any(|segment| segment.starts_with('$')) {
        return Err(invalid(format!("`{path}`: names and positions beginning with `$` are not supported here")));
    }
    if segments.first().is_some_and(|first| first == "_id") {
        return Err(invalid("`_id` is MongoDB's own and cannot be updated"));
    }
    Ok(segments)
}

/// MongoDB has no integers of more than 64 bits with sign.
fn check_numbers(path: &str, value: &Value) -> Result<()> {
    match value {
        Value::Number(number) => check_number(path, number),
        Value::Array(values) => values.iter().try_for_each(|value| check_numbers(path, value)),
        Value::Object(fields) => fields.values().try_for_each(|value| check_numbers(path, value)),
        _ => Ok(()),
    }
}

fn check_number(path: &str, number: &Number) -> Result<()> {
    if number.is_u64() && !number.is_i64() {
        return Err(invalid(format!("`{path}`: {number} is too large; the most is {}", i64::MAX)));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
