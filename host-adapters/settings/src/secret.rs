//! Secrets by reference: `{ env = "NAME" }` or `{ file = "path" }`. The file itself never holds a secret.

use crate::{Block, Fields, Setting, read_text};
use serde_json::Value as Json;
use std::fmt;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A text that is shown in no message if it is secret.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Value {
    text: String,
    secret: bool,
    /// The file that it was read from.
    file: Option<PathBuf>,
}

impl Value {
    /// A text that may be shown.
    pub fn plain(text: String) -> Self {
        Self { text, secret: false, file: None }
    }

    /// A text that must not be shown.
    pub fn secret(text: String) -> Self {
        Self { text, secret: true, file: None }
    }

    /// The text itself, also of a secret.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The value as it is now: one of a file is read again.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn current(&self) -> std::io::Result<Self> {
        let text = self.file.as_deref().map(text_of).transpose()?;
        Ok(Self { text: text.unwrap_or_else(|| self.text.clone()), ..self.clone() })
    }

    /// Whether it must not be shown.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Adds a text to the end. The whole is secret if a part is.
    pub fn push(&mut self, part: &Self) {
        self.text.push_str(&part.text);
        self.secret |= part.secret;
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.secret { f.write_str("\"***\"") } else { fmt::Debug::fmt(&self.text, f) }
    }
}

/// How a file names a [`Value`], which is always treated as a secret.
#[derive(Clone, Copy, Debug)]
pub enum Reference {
    /// By reference only.
    Secret,
    /// An address, as in this example: plain if it holds no secret, otherwise by reference.
    Address(&'static str),
    /// By reference only, although it is not a secret: others may read its file.
    Public,
}

impl Reference {
    /// What schemas have to define of references: name and schema.
    pub fn definitions() -> [(&'static str, Json); 3] {
        let one = |key: &str, meaning: &str| {
            serde_json::json!({
                "type": "object", "required": [key], "additionalProperties": false,
                "properties": {key: {"type": "string", "description": meaning}}
            })
        };
        let env = one("env", "The variable of the environment that holds it.");
        let file = one("file", "The file that holds it, beside this one, readable by its owner alone.");
        let public = one("file", "The file that holds it, beside this one.");
        let reference = serde_json::json!({"description": "A text, by reference.", "oneOf": [env, public]});
        let secret = serde_json::json!({"description": "A secret, by reference.", "oneOf": [env, file]});
        let address = serde_json::json!({
            "description": "An address: plain if it holds no secret, otherwise by reference.",
            "oneOf": [{"type": "string", "pattern": "^[^@]*$"}, env, file]
        });
        [("secret", secret), ("address", address), ("reference", reference)]
    }

    fn write(self, key: &str) -> String {
        match self {
            Self::Secret | Self::Public => format!("{key} = {{ env = \"NAME\" }} or {{ file = \"path\" }}"),
            Self::Address(example) => format!("{key} = \"{example}\", {{ env = \"NAME\" }} or {{ file = \"path\" }}"),
        }
    }
}

impl Setting for Value {
    type Rule = Reference;
    const REQUIRED: bool = true;

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, rule: &Reference) -> Option<Self> {
        let write = rule.write(key);
        let Some((item, at)) = fields.item(key) else { return fields.required(key, None, &write) };
        match (item.as_str(), rule) {
            (None, _) => referred(fields, key, *rule),
            (Some(text), Reference::Address(_)) if !text.contains('@') => Some(Self::secret(text.to_owned())),
            (Some(_), Reference::Address(_)) => {
                let write = "write { env = \"NAME\" } or { file = \"path\" }";
                fields.diagnostic(&at, format!("{key} holds credentials in plain text; {write}"));
                None
            }
            (Some(_), Reference::Secret) => {
                fields.diagnostic(&at, format!("{key} is a secret in plain text; write {write}"));
                None
            }
            (Some(_), Reference::Public) => {
                fields.diagnostic(&at, format!("{key} is written by reference; write {write}"));
                None
            }
        }
    }

    fn schema(_default: Self, rule: &Reference) -> Json {
        Block::reference(match rule {
            Reference::Secret => "secret",
            Reference::Address(_) => "address",
            Reference::Public => "reference",
        })
    }
}

impl Setting for Option<Value> {
    type Rule = Reference;

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, rule: &Reference) -> Option<Self> {
        fields.item(key)?; // Known even if it is missing, which keeps the default.
        Value::read(fields, key, rule).map(Some)
    }

    fn schema(_default: Self, rule: &Reference) -> Json {
        Value::schema(Value::default(), rule)
    }
}

/// Where references lead.
#[derive(Clone, Copy)]
pub struct Secrets<'e> {
    /// Files are named relative to it.
    pub folder: &'e Path,
    /// The value of a variable of the environment.
    pub environment: &'e dyn Fn(&str) -> Option<String>,
}

fn referred(fields: &mut Fields<'_, '_>, key: &'static str, rule: Reference) -> Option<Value> {
    let mut reference = fields.table(key)?;
    let (env, file) = (reference.string("env"), reference.string("file"));
    let value = match (env, file) {
        (Some(name), None) => variable(&reference, &name.value, &name.span).map(Value::secret),
        (None, Some(path)) => contents(&reference, &path.value, &path.span, rule),
        _ => {
            let at = reference.span.clone();
            reference.diagnostic(&at, "write either env = \"NAME\" or file = \"path\"");
            None
        }
    };
    reference.finish();
    value
}

fn variable(fields: &Fields<'_, '_>, name: &str, at: &Range<usize>) -> Option<String> {
    let value = fields.secrets().and_then(|secrets| (secrets.environment)(name)).filter(|value| !value.is_empty());
    if value.is_none() {
        fields.diagnostic(at, format!("the environment has no {name}; set it"));
    }
    value
}

/// The text of a file.
fn text_of(path: &Path) -> std::io::Result<String> {
    Ok(read_text(path)?.trim_end_matches(['\r', '\n']).to_owned())
}

/// Only the owner may read a file of secrets.
fn contents(fields: &Fields<'_, '_>, name: &str, at: &Range<usize>, rule: Reference) -> Option<Value> {
    let path = fields.secrets().map_or_else(|| name.into(), |secrets| secrets.folder.join(name));
    let read = || -> std::io::Result<(u32, String)> {
        Ok((std::fs::metadata(&path)?.permissions().mode() & 0o777, text_of(&path)?))
    };
    match read() {
        Ok((mode, _)) if mode & 0o077 != 0 && !matches!(rule, Reference::Public) => {
            fields.diagnostic(at, format!("{} can be read by others (mode {mode:o}); chmod 600 it", path.display()));
            None
        }
        Ok((_, text)) => Some(Value { text, secret: true, file: Some(path) }),
        Err(error) => {
            fields.diagnostic(at, format!("{} cannot be read: {error}", path.display()));
            None
        }
    }
}
