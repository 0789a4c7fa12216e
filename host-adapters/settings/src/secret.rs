//! Secrets by reference: `{ env = "NAME" }`, `{ file = "path" }` or `{ secret = "name" }`. The file itself never holds a
//! secret.

use crate::stored::{self, StoredSecrets};
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
    origin: Origin,
}

/// Where a value comes from, to read it again.
#[derive(Clone, Default, Eq, PartialEq)]
enum Origin {
    /// It does not change.
    #[default]
    Fixed,
    File(PathBuf),
    Stored(stored::Origin),
}

impl Value {
    /// A text that may be shown.
    pub fn plain(text: String) -> Self {
        Self { text, secret: false, origin: Origin::Fixed }
    }

    /// A text that must not be shown.
    pub fn secret(text: String) -> Self {
        Self { text, secret: true, origin: Origin::Fixed }
    }

    /// The text itself, also of a secret.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The value as it is now: one of a file is read again, one of a store of secrets is as it was read last.
    ///
    /// # Errors
    /// When the file cannot be read, or the secret no longer has the key.
    pub fn current(&self) -> std::io::Result<Self> {
        let text = match &self.origin {
            Origin::Fixed => self.text.clone(),
            Origin::File(path) => text_of(path)?,
            Origin::Stored(stored) => stored.current().map_err(std::io::Error::other)?,
        };
        Ok(Self { text, secret: self.secret, origin: self.origin.clone() })
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
    /// By reference only, and not to the store of secrets: it opens the store.
    Local,
}

impl Reference {
    /// What schemas have to define of references: name and schema.
    pub fn definitions() -> [(&'static str, Json); 4] {
        let one = |key: &str, meaning: &str| {
            serde_json::json!({
                "type": "object", "required": [key], "additionalProperties": false,
                "properties": {key: {"type": "string", "description": meaning}}
            })
        };
        let env = one("env", "The variable of the environment that holds it.");
        let file = one("file", "The file that holds it, beside this one, readable by its owner alone.");
        let public = one("file", "The file that holds it, beside this one.");
        let stored = serde_json::json!({
            "type": "object", "required": ["secret"], "additionalProperties": false,
            "properties": {
                "secret": {"type": "string", "minLength": 1, "description": "The name or ARN of the secret in `[secrets]`."},
                "key": {"type": "string", "description": "The key that holds it, of a secret that is a JSON object."}
            }
        });
        let reference = serde_json::json!({"description": "A text, by reference.", "oneOf": [env, public, stored]});
        let secret = serde_json::json!({"description": "A secret, by reference.", "oneOf": [env, file, stored]});
        let local = serde_json::json!({
            "description": "A secret, by reference, outside the store of secrets.", "oneOf": [env, file]
        });
        let address = serde_json::json!({
            "description": "An address: plain if it holds no secret, otherwise by reference.",
            "oneOf": [{"type": "string", "pattern": "^[^@]*$"}, env, file, stored]
        });
        [("secret", secret), ("address", address), ("reference", reference), ("local-secret", local)]
    }

    /// The references that may be written.
    const fn references(self) -> &'static str {
        match self {
            Self::Local => "{ env = \"NAME\" } or { file = \"path\" }",
            _ => "{ env = \"NAME\" }, { file = \"path\" } or { secret = \"name\" }",
        }
    }

    fn write(self, key: &str) -> String {
        let references = self.references();
        match self {
            Self::Address(example) => format!("{key} = \"{example}\", {references}"),
            Self::Secret | Self::Public | Self::Local => format!("{key} = {references}"),
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
                let write = rule.references();
                fields.diagnostic(&at, format!("{key} holds credentials in plain text; write {write}"));
                None
            }
            (Some(_), Reference::Secret | Reference::Local) => {
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
            Reference::Local => "local-secret",
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
    /// The secrets that a store has; `None` without a store.
    pub stored: Option<&'e StoredSecrets>,
}

fn referred(fields: &mut Fields<'_, '_>, key: &'static str, rule: Reference) -> Option<Value> {
    let mut reference = fields.table(key)?;
    let (env, file, secret) = (reference.string("env"), reference.string("file"), reference.string("secret"));
    let value = match (env, file, secret) {
        (Some(name), None, None) => variable(&reference, &name.value, &name.span).map(Value::secret),
        (None, Some(path), None) => contents(&reference, &path.value, &path.span, rule),
        (None, None, Some(name)) if matches!(rule, Reference::Local) => {
            let write = rule.write(key);
            let fault = format!("{key} opens the store of secrets, so it cannot be in it; write {write}");
            reference.diagnostic(&name.span, fault);
            None
        }
        (None, None, Some(name)) => stored::read(&mut reference, &name).map(|(text, origin)| Value {
            text,
            secret: true,
            origin: Origin::Stored(origin),
        }),
        _ => {
            let at = reference.span.clone();
            reference.diagnostic(&at, "write one of env = \"NAME\", file = \"path\" and secret = \"name\"");
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
        Ok((_, text)) => Some(Value { text, secret: true, origin: Origin::File(path) }),
        Err(error) => {
            fields.diagnostic(at, format!("{} cannot be read: {error}", path.display()));
            None
        }
    }
}
