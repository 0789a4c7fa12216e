//! The part of a document that is kept. A path applies to every element of a list; elements that are not objects are
//! left out if the path continues, as in MongoDB.

use crate::Result;
use crate::limits::document::parse_path;
use crate::limits::invalid;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Paths to keep, as a tree of names; a leaf keeps all below it.
#[derive(Debug, Default)]
pub struct Projection(BTreeMap<String, Projection>);

impl Projection {
    /// Reads paths; none keeps the whole document. No path may lead into what another one keeps.
    pub(super) fn parse(paths: &[String]) -> Result<Self> {
        let mut root = Self::default();
        for path in paths {
            root.insert(&parse_path(path)?).map_err(|()| {
                invalid(format!("the path `{path}` of the projection is in or around another path of it"))
            })?;
        }
        Ok(root)
    }

    fn insert(&mut self, path: &[String]) -> std::result::Result<(), ()> {
        let Some((first, rest)) = path.split_first() else { return Ok(()) };
        match self.0.get_mut(first) {
            Some(inner) if inner.0.is_empty() || rest.is_empty() => Err(()),
            Some(inner) => inner.insert(rest),
            None => {
                let mut inner = Self::default();
                inner.insert(rest)?;
                self.0.insert(first.clone(), inner);
                Ok(())
            }
        }
    }

    /// The paths, dotted.
    pub fn paths(&self) -> Vec<String> {
        let below = |(name, inner): (&String, &Self)| match inner.keeps_all() {
            true => vec![name.clone()],
            false => inner.paths().into_iter().map(|path| format!("{name}.{path}")).collect(),
        };
        self.0.iter().flat_map(below).collect()
    }

    /// Whether whole documents are kept.
    pub fn keeps_all(&self) -> bool {
        self.0.is_empty()
    }

    /// What it keeps of a document.
    pub fn apply(&self, document: Value) -> Value {
        match document {
            document if self.keeps_all() => document,
            Value::Object(fields) => Value::Object(self.fields(fields)),
            other => other,
        }
    }

    fn fields(&self, fields: Map<String, Value>) -> Map<String, Value> {
        let keep = |(name, value): (String, Value)| self.0.get(&name)?.value(value).map(|value| (name, value));
        fields.into_iter().filter_map(keep).collect()
    }

    fn value(&self, value: Value) -> Option<Value> {
        match value {
            value if self.keeps_all() => Some(value),
            Value::Object(fields) => Some(Value::Object(self.fields(fields))),
            Value::Array(values) => Some(values.into_iter().filter_map(|value| self.value(value)).collect()),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    fn parse(paths: &[&str]) -> Result<Projection> {
        Projection::parse(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn keeps_what_is_named() {
        let document = json!({"id": 1, "date": {"open": 2, "close": 3}, "gates": [{"type": "a", "n": 1}, 5, {"n": 2}]});
        for (paths, kept) in [
            (&[][..], document.clone()),
            (&["id"], json!({"id": 1})),
            (&["date.open", "missing.x"], json!({"date": {"open": 2}})),
            (&["date.none", "id.x"], json!({"date": {}})),
            (&["gates.type", "date"], json!({"date": {"open": 2, "close": 3}, "gates": [{"type": "a"}, {}]})),
        ] {
            let projection = parse(paths).unwrap();
            assert_eq!(
                projection.paths().into_iter().collect::<BTreeSet<_>>(),
                paths.iter().map(|it| (*it).to_owned()).collect()
            );
            assert_eq!(projection.apply(document.clone()), kept, "{paths:?}");
        }
    }

    #[test]
    fn refuses_paths_in_each_other() {
        for paths in [&["a", "a.b"][..], &["a.b", "a"], &["a", "a"], &["a..b"], &[""], &["$a"], &["_id"]] {
            assert!(parse(paths).is_err(), "{paths:?}");
        }
    }
}
