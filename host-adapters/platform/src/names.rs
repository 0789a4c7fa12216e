//! The names that an application declares, and their names in the backend.

use super::Result;
use host_adapters_records::{Error, ErrorKind};
use std::collections::BTreeSet;

/// The declared names of one kind, and the prefix that a deployment adds to them.
#[derive(Clone, Debug)]
pub struct Names {
    kind: &'static str,
    prefix: String,
    declared: BTreeSet<String>,
}

impl Names {
    /// The `declared` names of a kind, such as `table`.
    pub fn new(kind: &'static str, prefix: &str, declared: BTreeSet<String>) -> Self {
        Self { kind, prefix: prefix.to_owned(), declared }
    }

    /// All declared names.
    pub fn declared(&self) -> impl Iterator<Item = &str> {
        self.declared.iter().map(String::as_str)
    }

    /// The name at the backend of a declared name. Any other name is `not-found`, and the backend is not called.
    pub fn real(&self, name: &str) -> Result<String> {
        match self.declared.contains(name) {
            true => Ok(format!("{}{name}", self.prefix)),
            false => Err(unknown(self.kind, name, self.declared.iter())),
        }
    }

    /// The declared name for the backend's name `real`.
    pub fn declared_as<'a>(&self, real: &'a str) -> Option<&'a str> {
        real.strip_prefix(&self.prefix).filter(|name| self.declared.contains(*name))
    }
}

/// The error for a name that is not declared.
pub fn unknown<'a>(kind: &str, name: &str, declared: impl Iterator<Item = &'a String>) -> Error {
    let mut declared: Vec<_> = declared.map(|name| format!("`{name}`")).collect();
    declared.sort_unstable();
    let declared = if declared.is_empty() { "none".to_owned() } else { declared.join(", ") };
    Error::new(ErrorKind::NotFound, format!("there is no {kind} `{name}`; configured: {declared}"))
}
