//! All diagnostics of a manifest, each with its place.

use crate::secret::Secrets;
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One diagnostic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The fault and what to write instead. One line.
    pub message: String,
}

impl Diagnostic {
    /// Names in the message are from the manifest, and may hold what a terminal would obey.
    fn new((line, column): (usize, usize), message: &str) -> Self {
        let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        Self { line, column, message: message.chars().map(escaped).collect() }
    }
}

/// Why a manifest cannot be used: every diagnostic found, in the order of the file.
#[derive(Debug, thiserror::Error)]
pub struct ManifestErrors {
    /// The manifest.
    pub path: PathBuf,
    /// At least one.
    pub diagnostics: Vec<Diagnostic>,
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(
                f,
                "{end}{}:{}:{}: {}",
                self.path.display(),
                diagnostic.line,
                diagnostic.column,
                diagnostic.message
            )?;
        }
        Ok(())
    }
}

/// Collects diagnostics while a manifest is read. Readers report and continue with what can still be checked.
pub struct Report<'d> {
    text: &'d str,
    pub(crate) secrets: Option<Secrets<'d>>,
    diagnostics: RefCell<Vec<Diagnostic>>,
}

impl<'d> Report<'d> {
    /// For the text of a file.
    pub fn new(text: &'d str) -> Self {
        Self { text, secrets: None, diagnostics: RefCell::default() }
    }

    /// For the text of a file that may refer to secrets.
    pub fn with_secrets(text: &'d str, secrets: Secrets<'d>) -> Self {
        Self { secrets: Some(secrets), ..Self::new(text) }
    }

    /// Notes a diagnostic at a place of the text.
    pub fn diagnostic(&self, at: &Range<usize>, message: impl AsRef<str>) {
        self.diagnostics.borrow_mut().push(Diagnostic::new(position(self.text, at.start), message.as_ref()));
    }

    /// `Ok` if nothing was noted.
    pub fn finish(self, path: &Path) -> Result<(), ManifestErrors> {
        let mut diagnostics = self.diagnostics.into_inner();
        if diagnostics.is_empty() {
            return Ok(());
        }
        diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        Err(ManifestErrors { path: path.to_owned(), diagnostics })
    }
}

impl ManifestErrors {
    /// The file at `path` cannot be read.
    pub fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let advice = if error.kind() == std::io::ErrorKind::NotFound { "; name an existing file" } else { "" };
        Self::one(path, (1, 1), &format!("cannot be read: {error}{advice}"))
    }

    /// The text of the file at `path` is not TOML.
    pub fn not_toml(path: &Path, text: &str, error: &toml_edit::TomlError) -> Self {
        let start = error.span().unwrap_or_default().start;
        let message = error.message().replace('\n', ", ");
        let key = key_at(text, start).map(|key| format!(", at {key}")).unwrap_or_default();
        Self::one(path, position(text, start), &format!("{message}{key}; {}", advice(&message)))
    }

    /// The only diagnostic there is.
    pub fn one(path: &Path, at: (usize, usize), message: &str) -> Self {
        Self { path: path.to_owned(), diagnostics: vec![Diagnostic::new(at, message)] }
    }
}

/// The key or the header in the line of a byte offset. A value is not shown, because it may be a secret.
fn key_at(text: &str, offset: usize) -> Option<&str> {
    let start = text.get(..offset)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next()?;
    let key = line.split_once('=').map_or(line, |(key, _)| key).trim();
    let is_one = line.contains('=') || line.starts_with('[');
    let is_of_key = |c: char| c.is_alphanumeric() || "-_.[]".contains(c);
    (is_one && !key.is_empty() && key.chars().all(is_of_key)).then_some(key)
}

/// What to do about a fault of the syntax, by the parser's words for it.
fn advice(message: &str) -> &'static str {
    let advices = [
        ("duplicate key", "write it once"),
        ("string values must be quoted", "write the value, a text between double quotes"),
        ("basic string", "end it with a double quote"),
        ("unclosed", "close it"),
        ("keys cannot be empty", "write key = value"),
    ];
    let found = advices.into_iter().find(|(fault, _)| message.contains(fault));
    found.map_or("write it as on https://toml.io", |(_, advice)| advice)
}

/// Line and column of a byte offset.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(line_start..).map_or(0, |start| start.chars().count()) + 1;
    (line, column)
}

/// "; write "x"" if a known name is close to the one written, else the choice there is.
pub fn suggestion<'n>(written: &str, known: impl IntoIterator<Item = &'n str> + Clone) -> String {
    let close = known
        .clone()
        .into_iter()
        .map(|name| (distance(written, name), name))
        .filter(|(_, name)| is_close(written, name))
        .min_by_key(|(distance, _)| *distance);
    if let Some((_, name)) = close {
        return format!("; write \"{name}\"");
    }
    let names: Vec<_> = known.into_iter().map(|name| format!("\"{name}\"")).collect();
    if names.is_empty() { "; there is none".to_owned() } else { format!("; there is {}", names.join(", ")) }
}

/// Whether what was written may be a misspelling of a name.
pub fn is_close(written: &str, name: &str) -> bool {
    distance(written, name) <= 1 + name.len() / 4
}

fn distance(written: &str, name: &str) -> usize {
    strsim::damerau_levenshtein(&plain(written), &plain(name))
}

/// Case and the choice between `-` and `_` are the most common slips, so they are ignored.
fn plain(name: &str) -> String {
    name.to_lowercase().replace(['-', '_'], "")
}
