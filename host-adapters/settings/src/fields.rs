//! Reads one table of the manifest: typed values, ranges, and at the end all unknown keys.

use crate::report::{Report, suggestion};
use crate::secret::Secrets;
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use toml_edit::{Item, TableLike, Value};

/// A table being read.
pub struct Fields<'r, 'd> {
    /// What the table is called in the manifest, for messages.
    pub place: String,
    /// Where the table begins, for what is missing in it.
    pub span: Range<usize>,
    report: &'r Report<'d>,
    table: &'r dyn TableLike,
    known: Vec<&'static str>,
}

/// A value with its place in the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

impl<T> Spanned<T> {
    /// The same place with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), span: self.span }
    }
}

impl<'r, 'd> Fields<'r, 'd> {
    /// Begins to read `table`, which the text calls `place` and which stands at `at`.
    pub fn new(report: &'r Report<'d>, place: impl Into<String>, table: &'r dyn TableLike, at: Range<usize>) -> Self {
        Self { place: place.into(), span: at, report, table, known: Vec::new() }
    }

    /// Notes a diagnostic in this table.
    pub fn diagnostic(&self, at: &Range<usize>, message: impl std::fmt::Display) {
        let place = if self.place.is_empty() { String::new() } else { format!(", in {}", self.place) };
        self.report.diagnostic(at, format!("{message}{place}"));
    }

    /// Notes a diagnostic that says by itself what it is about, without the name of this table.
    pub fn bare_diagnostic(&self, at: &Range<usize>, message: impl AsRef<str>) {
        self.report.diagnostic(at, message);
    }

    /// Where references to secrets lead.
    pub(crate) fn secrets(&self) -> Option<Secrets<'d>> {
        self.report.secrets
    }

    /// A key's item and where its value stands.
    pub fn item(&mut self, key: &'static str) -> Option<(&'r Item, Range<usize>)> {
        self.ignored(key);
        let (name, item) = self.table.get_key_value(key)?;
        let span = match item {
            // A table's span is its header or braces; the key is what a reader looks for.
            Item::Table(_) | Item::ArrayOfTables(_) => name.span().or_else(|| item.span()),
            _ => item.span().or_else(|| name.span()),
        };
        Some((item, span.unwrap_or_else(|| self.span.clone())))
    }

    /// Where the value of a key stands.
    pub fn place(&self, key: &str) -> Option<Range<usize>> {
        self.table.get(key)?.span()
    }

    /// Where a key stands.
    pub fn key_place(&self, key: &str) -> Option<Range<usize>> {
        self.table.key(key).and_then(toml_edit::Key::span)
    }

    /// Where a value stands in tables within this one.
    pub fn place_within(&self, path: &[&str]) -> Option<Range<usize>> {
        let (last, tables) = path.split_last()?;
        let table = tables.iter().try_fold(self.table, |table, key| table.get(key)?.as_table_like())?;
        table.get(last)?.span()
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &'r str> {
        self.table.iter().map(|(key, _)| key)
    }

    /// Whether a key is present, with any value.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A value that must be there.
    pub fn required<T>(&self, key: &str, value: Option<T>, write: &str) -> Option<T> {
        if value.is_none() && !self.has(key) {
            self.diagnostic(&self.span, format!("\"{key}\" is missing; write {write}"));
        }
        value
    }

    /// A string.
    pub fn string(&mut self, key: &'static str) -> Option<Spanned<String>> {
        let (item, span) = self.item(key)?;
        match item.as_str() {
            Some(text) => Some(Spanned { value: text.to_owned(), span }),
            None => self.wrong(key, item, &span, "a string, as in \"text\""),
        }
    }

    /// True or false.
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let (item, span) = self.item(key)?;
        item.as_bool().or_else(|| self.wrong(key, item, &span, "true or false"))
    }

    /// A whole number within a range.
    pub fn number<T: TryFrom<i64>>(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<Spanned<T>> {
        let (item, span) = self.item(key)?;
        let value = item.as_integer().filter(|number| range.contains(number));
        match value.and_then(|number| T::try_from(number).ok()) {
            Some(value) => Some(Spanned { value, span }),
            None => self.wrong(key, item, &span, &format!("a whole number from {} to {}", range.start(), range.end())),
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let raw = self.string(key)?;
        let found = choices.iter().find(|(word, _)| *word == raw.value);
        if found.is_none() {
            let words = suggestion(&raw.value, choices.iter().map(|(word, _)| *word));
            self.diagnostic(&raw.span, format!("{key} = \"{}\" is unknown{words}", raw.value));
        }
        found.map(|(_, value)| *value)
    }

    /// A list of strings.
    pub fn strings(&mut self, key: &'static str) -> Vec<Spanned<String>> {
        let Some((item, span)) = self.item(key) else { return Vec::new() };
        let Some(array) = item.as_array() else {
            return self.wrong(key, item, &span, "a list of strings, as in [\"a\", \"b\"]").unwrap_or_default();
        };
        array.iter().filter_map(|value| self.element(key, value, &span)).collect()
    }

    /// A table whose keys are names, with string values.
    pub fn string_map(&mut self, key: &'static str) -> BTreeMap<String, Spanned<String>> {
        let mut map = BTreeMap::new();
        for (name, item, span) in self.entries(key) {
            match item.as_str() {
                Some(text) => {
                    map.insert(name.to_owned(), Spanned { value: text.to_owned(), span });
                }
                None => self.diagnostic(&span, format!("{key}.{name} is {}; write a string", described(item))),
            }
        }
        map
    }

    /// A table whose keys are names, with lists of strings.
    pub fn string_lists(&mut self, key: &'static str) -> Vec<(String, Spanned<Vec<Spanned<String>>>)> {
        let mut lists = Vec::new();
        for (name, item, span) in self.entries(key) {
            let key = format!("{key}.{name}");
            let Some(array) = item.as_array() else {
                let found = described(item);
                self.diagnostic(&span, format!("{key} is {found}; write a list of strings, as in [\"a\", \"b\"]"));
                continue;
            };
            let value = array.iter().filter_map(|value| self.element(&key, value, &span)).collect();
            lists.push((name.to_owned(), Spanned { value, span }));
        }
        lists
    }

    /// The entries of a table whose keys are names: name, value, place.
    pub fn entries(&mut self, key: &'static str) -> Vec<(&'r str, &'r Item, Range<usize>)> {
        let Some((item, at)) = self.item(key) else { return Vec::new() };
        let Some(table) = item.as_table_like() else {
            return self.wrong(key, item, &at, "a table").unwrap_or_default();
        };
        let span_of = |name: &str, item: &Item| match item {
            Item::Value(_) => item.span(),
            _ => table.key(name).and_then(toml_edit::Key::span),
        };
        table.iter().map(|(name, item)| (name, item, span_of(name, item).unwrap_or_else(|| at.clone()))).collect()
    }

    /// The tables of a table whose keys are names.
    pub fn tables(&mut self, key: &'static str) -> Vec<(&'r str, Fields<'r, 'd>)> {
        let entries = self.entries(key);
        let read = |(name, item, span)| Some((name, self.table_of(key, name, item, span)?));
        entries.into_iter().filter_map(read).collect()
    }

    /// An entry of the table `key` that is to be a table itself.
    pub fn table_of(&self, key: &str, name: &str, item: &'r Item, at: Range<usize>) -> Option<Fields<'r, 'd>> {
        let place = format!("{}.{name}", self.inside(key));
        let table = item.as_table_like();
        if table.is_none() {
            self.diagnostic(&at, format!("{key}.{name} is {}; write a table", described(item)));
        }
        table.map(|table| Self::new(self.report, place, table, at))
    }

    /// A separate table.
    pub fn table(&mut self, key: &'static str) -> Option<Fields<'r, 'd>> {
        let (item, span) = self.item(key)?;
        match item.as_table_like() {
            Some(table) => Some(Self::new(self.report, self.inside(key), table, span)),
            None => self.wrong(key, item, &span, "a table"),
        }
    }

    /// A list of tables: `[[x]]`, or `[{…}]` written inline.
    pub fn list(&mut self, key: &'static str) -> Vec<Fields<'r, 'd>> {
        let Some((item, span)) = self.item(key) else { return Vec::new() };
        let place = self.inside(key);
        let read = |table: &'r dyn TableLike, at: Option<Range<usize>>| {
            Self::new(self.report, place.clone(), table, at.unwrap_or_else(|| span.clone()))
        };
        if let Some(tables) = item.as_array_of_tables() {
            return tables.iter().map(|table| read(table, table.span())).collect();
        }
        let inline: Option<Vec<_>> = item
            .as_array()
            .and_then(|array| array.iter().map(|value| value.as_inline_table().map(|t| read(t, t.span()))).collect());
        inline.unwrap_or_else(|| {
            self.wrong(key, item, &span, &format!("one or more tables [[{place}]]")).unwrap_or_default()
        })
    }

    /// Accepts a key of Spin's, and reports that this host does not provide it if it is used.
    pub fn unsupported(&mut self, key: &'static str, instead: &str) {
        if let Some((_, span)) = self.item(key) {
            self.diagnostic(&span, format!("\"{key}\" is not provided by host-adapters; {instead}"));
        }
    }

    /// As [`Self::unsupported`], of a list: an empty one asks for nothing.
    pub fn unsupported_list(&mut self, key: &'static str, instead: &str) {
        let is_empty = |item: &Item| item.as_array().is_some_and(toml_edit::Array::is_empty);
        if !self.item(key).is_some_and(|(item, _)| is_empty(item)) {
            self.unsupported(key, instead);
        }
    }

    /// Accepts a key with any value.
    pub fn ignored(&mut self, key: &'static str) {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
    }

    /// Reports every key that was not asked for.
    pub fn finish(self) {
        for (key, item) in self.table.iter().filter(|(key, _)| !self.known.contains(key)) {
            let span = self.table.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
            let message = format!("unknown key \"{key}\"{}", suggestion(key, self.known.iter().copied()));
            self.diagnostic(&span.unwrap_or_else(|| self.span.clone()), message);
        }
    }

    /// The place of a table inside this one.
    fn inside(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    fn element(&self, key: &str, value: &Value, list: &Range<usize>) -> Option<Spanned<String>> {
        let span = value.span().unwrap_or_else(|| list.clone());
        let text = value.as_str().map(|text| Spanned { value: text.to_owned(), span: span.clone() });
        if text.is_none() {
            self.diagnostic(&span, format!("{key} holds {}; write strings only", value.type_name()));
        }
        text
    }

    fn wrong<T>(&self, key: &str, item: &Item, at: &Range<usize>, write: &str) -> Option<T> {
        self.diagnostic(at, format!("{key} is {}; write {write}", described(item)));
        None
    }
}

/// What was written, for a message. Strings are left out: they may be secret.
fn described(item: &Item) -> String {
    match item {
        Item::Value(Value::Integer(number)) => number.value().to_string(),
        Item::Value(Value::Boolean(flag)) => flag.value().to_string(),
        _ => format!("of type {}", item.type_name()),
    }
}
