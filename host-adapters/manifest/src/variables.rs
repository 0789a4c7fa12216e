//! Spin variables: declared under `[variables]`, given a value from outside, used as `{{ name }}`.

use super::dotenv;
pub use host_adapters_settings::Value;
use host_adapters_settings::{Fields, Spanned};
use host_adapters_settings::{Report, suggestion};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The prefix of environment variables that set a Spin variable.
const PREFIX: &str = "SPIN_VARIABLE_";

/// Values for application variables from outside the manifest.
#[derive(Clone, Debug, Default)]
pub struct ProvidedVariables {
    /// From the command line; win over the environment, and must be declared.
    pub named: BTreeMap<String, String>,
    /// From `SPIN_VARIABLE_<NAME>`, keys in lower case without the prefix.
    pub environment: BTreeMap<String, String>,
}

impl ProvidedVariables {
    /// `named`, then the environment of this process, then the file `.env` beside the manifest.
    ///
    /// # Errors
    /// When the file `.env` exists and cannot be read.
    pub fn from_process(named: BTreeMap<String, String>, manifest: &Path) -> Result<Self, String> {
        // Names or values that are not UTF-8 cannot be variables of this program.
        let text =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let entry = |(name, value): (String, String)| Some((name.strip_prefix(PREFIX)?.to_lowercase(), value));
        Ok(Self { named, environment: dotenv::beside(manifest)?.into_iter().chain(text).filter_map(entry).collect() })
    }

    /// The value of a variable, and where it comes from.
    fn get(&self, name: &str) -> Option<(&String, String)> {
        let named = self.named.get(name).map(|value| (value, "--variable".to_owned()));
        named.or_else(|| Some((self.environment.get(name)?, format!("{} (environment or .env)", in_environment(name)))))
    }
}

/// The application's variables.
pub(super) struct Variables(BTreeMap<String, Variable>);

struct Variable {
    /// `None` if the missing value has been reported.
    value: Option<Value>,
    /// Where it comes from, for people.
    from: String,
}

/// The environment variable that sets a Spin variable.
fn in_environment(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase())
}

impl Variables {
    /// Reads `[variables]` of the manifest's root.
    pub(super) fn read(root: &mut Fields<'_, '_>, provided: &ProvidedVariables) -> Self {
        let mut variables = BTreeMap::new();
        for (name, fields) in root.tables("variables") {
            if !is_snake_case(name) {
                fields.diagnostic(&fields.span, format!("variable \"{name}\" is not a lower_snake_case name"));
            }
            variables.insert(name.to_owned(), read_variable(name, fields, provided));
        }
        for name in provided.named.keys().filter(|name| !variables.contains_key(*name)) {
            let known = suggestion(name, variables.keys().map(String::as_str));
            root.diagnostic(&(0..0), format!("--variable {name} sets an undeclared variable{known}"));
        }
        Self(variables)
    }

    /// Substitutes the values in a text such as `https://{{ host }}/`.
    pub(super) fn resolve(&self, report: &Report<'_>, template: &Spanned<String>) -> Option<Value> {
        let mut value = Value::default();
        let mut rest = template.value.as_str();
        let mut complete = true;
        while let Some((literal, after)) = rest.split_once("{{") {
            value.push(&Value::plain(literal.to_owned()));
            let Some((expression, tail)) = after.split_once("}}") else {
                report.diagnostic(&template.span, "unmatched \"{{\"; write \"{{ name }}\"");
                return None;
            };
            rest = tail;
            match self.lookup(report, template, expression.trim()) {
                Some(part) => value.push(part),
                None => complete = false,
            }
        }
        value.push(&Value::plain(rest.to_owned()));
        complete.then_some(value)
    }

    /// Where each variable of a text comes from, because the fault of a text is often a fault of a variable's value, as in
    /// ` with port from --variable`. No value is shown, because it may be a secret.
    pub(super) fn origins(&self, template: &str) -> String {
        let names = template.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim()));
        let names: BTreeSet<_> = names.filter(|name| self.0.contains_key(*name)).collect();
        let from = |name: &str| self.0.get(name).map(|variable| format!("{name} from {}", variable.from));
        let from: Vec<_> = names.into_iter().filter_map(from).collect();
        if from.is_empty() { String::new() } else { format!(" with {}", from.join(" and ")) }
    }

    fn lookup(&self, report: &Report<'_>, template: &Spanned<String>, name: &str) -> Option<&Value> {
        let Some(variable) = self.0.get(name) else {
            let known = suggestion(name, self.0.keys().map(String::as_str));
            report.diagnostic(
                &template.span,
                format!("undeclared variable \"{name}\"{known}, or declare it under [variables]"),
            );
            return None;
        };
        variable.value.as_ref()
    }
}

fn read_variable(name: &str, mut fields: Fields<'_, '_>, provided: &ProvidedVariables) -> Variable {
    fields.ignored("description");
    let default = fields.string("default");
    let required = fields.boolean("required").unwrap_or(false);
    let secret = fields.boolean("secret").unwrap_or(false);
    let provided = provided.get(name).map(|(value, from)| (value.clone(), from));
    let text = provided.or_else(|| Some((default.as_ref()?.value.clone(), "its default".to_owned())));
    match (&default, required) {
        (Some(default), true) => {
            fields.diagnostic(&default.span, "a variable is either required or has a default; remove one of the two");
        }
        (None, false) if !fields.has("default") => {
            fields.diagnostic(&fields.span, "neither \"default\" nor \"required\"; write one of the two")
        }
        (None, true) if text.is_none() => {
            let variable = in_environment(name);
            fields.diagnostic(&fields.span, format!("no value given; set {variable}, or write --variable {name}=…"));
        }
        _ => {}
    }
    fields.finish();
    let (value, from) = text.unzip();
    Variable { value: value.map(if secret { Value::secret } else { Value::plain }), from: from.unwrap_or_default() }
}

/// Spin's rule for names of variables.
pub(super) fn is_snake_case(name: &str) -> bool {
    let word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    name.split('_').all(word)
}
