//! The filter of an ordered source: which records its worker gets (docs/delivery.md, 4.25). Patterns, and what they are
//! compared with, are those of Lambda's event source mappings.

use host_adapters_delivery::stream::Wanted;
use host_adapters_event::Event;
use host_adapters_filter::{PolicyError, RecordFilters};
use host_adapters_settings::{Fields, JsonText, Setting};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::sync::Arc;

/// What a kind of source compares patterns with.
#[derive(Clone, Copy, Debug)]
pub struct Compared {
    /// The members of a record that a pattern may name.
    pub(crate) members: &'static [&'static str],
    /// Which of them is the payload; empty if none is.
    pub(crate) payload: &'static str,
    /// The record of an event, with the images of a change if they are asked for; `None` if there is no such record.
    pub(crate) record: fn(&Event, bool) -> Option<Record<'_>>,
}

/// A record as a pattern sees it.
pub(crate) struct Record<'e> {
    /// The text of an object with all members but the payload.
    pub(crate) metadata: Cow<'e, str>,
    /// The text of the payload, if it is text.
    pub(crate) payload: Option<Cow<'e, str>>,
}

/// Which records a worker gets: by default all.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter(Option<Arc<Compiled>>);

#[derive(Debug)]
struct Compiled {
    pattern: String,
    filters: RecordFilters,
    compared: Compared,
    /// Images are large, and are compared by few patterns.
    names_images: bool,
}

impl PartialEq for RecordFilter {
    fn eq(&self, other: &Self) -> bool {
        self.pattern() == other.pattern()
    }
}

impl Eq for RecordFilter {}

impl RecordFilter {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// The fault of the pattern.
    pub fn compile(pattern: &str, compared: Compared) -> Result<Self, String> {
        let filters = RecordFilters::compile(&[pattern], compared.payload).map_err(fault)?;
        let json: Json = serde_json::from_str(pattern).map_err(|error| error.to_string())?;
        if let Some(name) = unknown(&json, compared.members) {
            let members: Vec<_> = compared.members.iter().map(|member| format!("\"{member}\"")).collect();
            return Err(format!("the filter names \"{name}\"; there is {}", members.join(", ")));
        }
        let (pattern, names_images) = (pattern.to_owned(), json.to_string().contains("Image"));
        Ok(Self(Some(Arc::new(Compiled { pattern, filters, compared, names_images }))))
    }

    /// The pattern, if there is one.
    fn pattern(&self) -> Option<&str> {
        self.0.as_ref().map(|compiled| compiled.pattern.as_str())
    }

    /// Whether an event is for the worker, as a function, if there is a filter.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        let compiled = self.0.clone()?;
        Some(Arc::new(move |event: &Event| compiled.matches(event)))
    }
}

impl Compiled {
    /// What cannot be compared is for the worker, so that no record is left out wrongly.
    fn matches(&self, event: &Event) -> bool {
        let Some(record) = (self.compared.record)(event, self.names_images) else { return true };
        self.filters.matches(&record.metadata, record.payload.as_deref()).unwrap_or(true)
    }
}

impl Setting for RecordFilter {
    type Rule = Compared;

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, compared: &Compared) -> Option<Self> {
        let json = JsonText::read(fields, key, &())?.0?;
        let compiled = Self::compile(&json.value, *compared);
        compiled.map_err(|fault| fields.diagnostic(&json.span, fault)).ok()
    }

    fn schema(_default: Self, _compared: &Compared) -> Json {
        JsonText::schema(JsonText::default(), &())
    }
}

/// Without the index of the pattern: there is one.
fn fault(error: PolicyError) -> String {
    let path = error.path.trim_start_matches("[0]").trim_start_matches('.').to_owned();
    PolicyError { path, ..error }.to_string()
}

/// The first member of a pattern that no record has. `a.b` is the member `b` in `a`.
fn unknown(pattern: &Json, members: &[&str]) -> Option<String> {
    pattern.as_object()?.iter().find_map(|(name, value)| {
        if name == "$or" {
            return value.as_array()?.iter().find_map(|alternative| unknown(alternative, members));
        }
        let member = name.split('.').next().unwrap_or_default();
        (!members.contains(&member)).then(|| name.clone())
    })
}
