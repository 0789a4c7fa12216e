//! Secrets by reference: `{ env = "NAME" }` or `{ file = "path" }`. The file itself never holds a secret.

use crate::variables::Value;
use host_adapters_settings::Fields;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Where references lead.
pub struct Secrets<'e> {
    /// Files are named relative to it.
    pub folder: &'e Path,
    /// The value of a variable of the environment.
    pub environment: &'e dyn Fn(&str) -> Option<String>,
}

impl Secrets<'_> {
    /// A secret that must be there, by reference.
    pub fn secret(&self, fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Value> {
        let write = format!("{key} = {{ env = \"NAME\" }} or {{ file = \"path\" }}");
        let (item, at) = match fields.item(key) {
            Some(found) => found,
            None => return fields.required(key, None, &write),
        };
        if item.as_str().is_some() {
            fields.diagnostic(&at, format!("{key} is a secret in plain text; write {write}"));
            return None;
        }
        self.reference(fields, key)
    }

    /// A required address: plain if it holds no secret, otherwise by reference.
    pub fn address(&self, fields: &mut Fields<'_, '_>, key: &'static str, example: &str) -> Option<Value> {
        let write = format!("{key} = \"{example}\", {{ env = \"NAME\" }} or {{ file = \"path\" }}");
        let (item, at) = match fields.item(key) {
            Some(found) => found,
            None => return fields.required(key, None, &write),
        };
        match item.as_str() {
            Some(text) if text.contains('@') => {
                fields.diagnostic(
                    &at,
                    format!(
                        "{key} holds credentials in plain text; write {{ env = \"NAME\" }} or {{ file = \"path\" }}"
                    ),
                );
                None
            }
            Some(text) => Some(Value::secret(text.to_owned())),
            None => self.reference(fields, key),
        }
    }

    fn reference(&self, fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Value> {
        let mut reference = fields.table(key)?;
        let (env, file) = (reference.string("env"), reference.string("file"));
        let value = match (env, file) {
            (Some(name), None) => self.variable(&reference, &name.value, &name.span),
            (None, Some(path)) => self.file(&reference, &path.value, &path.span),
            _ => {
                let at = reference.span.clone();
                reference.diagnostic(&at, "write either env = \"NAME\" or file = \"path\"");
                None
            }
        };
        reference.finish();
        value.map(Value::secret)
    }

    fn variable(&self, fields: &Fields<'_, '_>, name: &str, at: &Range<usize>) -> Option<String> {
        let value = (self.environment)(name).filter(|value| !value.is_empty());
        if value.is_none() {
            fields.diagnostic(at, format!("the environment has no {name}; set it"));
        }
        value
    }

    /// Only the owner may read a file of secrets.
    fn file(&self, fields: &Fields<'_, '_>, name: &str, at: &Range<usize>) -> Option<String> {
        let path = self.folder.join(name);
        let read = || -> std::io::Result<(u32, String)> {
            Ok((std::fs::metadata(&path)?.permissions().mode() & 0o777, std::fs::read_to_string(&path)?))
        };
        match read() {
            Ok((mode, _)) if mode & 0o077 != 0 => {
                fields
                    .diagnostic(at, format!("{} can be read by others (mode {mode:o}); chmod 600 it", path.display()));
                None
            }
            Ok((_, text)) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => {
                fields.diagnostic(at, format!("{} cannot be read: {error}", path.display()));
                None
            }
        }
    }
}
