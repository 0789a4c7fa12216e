//! The filters of a source (Lambda developer guide, "Control which events Lambda sends to your function").

use crate::alternatives::Condition;
use crate::event::{EventError, text};
use crate::limits::PolicyLimits;
use crate::matching::Filter;
use crate::policy::PolicyError;
use crate::read::{self, Kind};
use serde_json::value::RawValue;

/// The most filters that a source may have. AWS allows five, and ten on request.
pub const MAX_FILTERS: usize = 10;

/// The compiled filters of a source. A record that matches none of them is not for the worker. Without any filter,
/// every record is.
#[derive(Clone, Debug)]
pub struct RecordFilters {
    filters: Vec<Filter>,
    payload: String,
}

/// How a pattern sees the payload, or how the payload is.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Form {
    /// The pattern does not name the payload, or there is none.
    None,
    Text,
    Json,
}

impl RecordFilters {
    /// Compiles the patterns of a source whose records have their payload under this name: `body` of SQS, `data` of
    /// Kinesis, `value` of Kafka. A source whose records have none gives a name that no member has.
    ///
    /// # Errors
    /// When there are more than ten, or one is not a pattern or has more than 4,096 bytes. The path begins with the
    /// index of the pattern.
    pub fn compile(patterns: &[impl AsRef<str>], payload: &str) -> Result<Self, PolicyError> {
        if patterns.len() > MAX_FILTERS {
            let problem =
                format!("there are {} filters, and may be {MAX_FILTERS} (by default 5 on AWS)", patterns.len());
            return Err(PolicyError::new("", problem));
        }
        let compile = |(index, pattern): (usize, &_)| {
            let compiled = Self::compile_one(AsRef::<str>::as_ref(pattern), payload);
            compiled.map_err(|error| match error.path.as_str() {
                "" => PolicyError::new(&format!("[{index}]"), error.problem),
                path => PolicyError::new(&format!("[{index}].{path}"), error.problem),
            })
        };
        let filters = patterns.iter().enumerate().map(compile).collect::<Result<_, _>>()?;
        Ok(Self { filters, payload: payload.to_owned() })
    }

    fn compile_one(pattern: &str, payload: &str) -> Result<Filter, PolicyError> {
        let filter = Filter::within(pattern, &PolicyLimits::RECORD)?;
        let forms = |indexes: &Vec<usize>| {
            let paths = indexes.iter().filter_map(|index| filter.policy.conditions.get(*index));
            let mut forms: Vec<_> = paths.map(|condition| form_of(condition, payload)).collect();
            forms.retain(|form| *form != Form::None);
            forms
        };
        if filter.policy.alternatives.iter().map(forms).any(|it| it.contains(&Form::Text) && it.contains(&Form::Json)) {
            let problem = "it is compared both as text and as JSON, which no payload is at once";
            return Err(PolicyError::new(payload, problem));
        }
        Ok(filter)
    }

    /// Whether a record is for the worker: one whose other members are `metadata`, the text of a JSON object, and whose
    /// payload is `payload`. A member of that name in `metadata` is not compared.
    ///
    /// A payload is JSON if it is the text of an object or a list, else it is plain text. A pattern that compares it as
    /// the other does not match, whatever else it says. `None` is a payload that is not Unicode, or that is missing: it
    /// matches no pattern that names it.
    ///
    /// # Errors
    /// When the metadata are not a JSON object, or when they, or a JSON payload that a pattern names, hold something that
    /// cannot be compared.
    pub fn matches(&self, metadata: &str, payload: Option<&str>) -> Result<bool, EventError> {
        let json = payload.and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
        let json = json.filter(|json| matches!(read::kind(json), Kind::Object | Kind::List));
        for filter in &self.filters {
            if self.matches_one(filter, metadata, payload, json)? {
                return Ok(true);
            }
        }
        Ok(self.filters.is_empty())
    }

    fn matches_one(
        &self,
        filter: &Filter,
        metadata: &str,
        payload: Option<&str>,
        json: Option<&RawValue>,
    ) -> Result<bool, EventError> {
        let (tree, mut values) = (&filter.policy.tree, filter.no_values());
        values.add_object(tree, metadata, Some(&self.payload))?;
        let form = match (payload, json) {
            (_, Some(json)) => {
                values.add_member(tree, &self.payload, json)?;
                Form::Json
            }
            (Some(payload), None) => {
                values.add_scalar(tree, &self.payload, text(payload));
                Form::Text
            }
            (None, None) => Form::None,
        };
        let fits = |condition: &&Condition| [Form::None, form].contains(&form_of(condition, &self.payload));
        Ok(filter.matches_values(&values, |conditions| conditions.iter().all(fits)))
    }
}

fn form_of(condition: &Condition, payload: &str) -> Form {
    match condition.path.strip_prefix(payload) {
        Some("") => Form::Text,
        Some(rest) if rest.starts_with('.') => Form::Json,
        _ => Form::None,
    }
}
