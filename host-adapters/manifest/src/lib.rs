//! Reads `spin.toml` (manifest version 2, Spin's own words) into an [`App`], or into the list of all its diagnostics,
//! each with its place and what to write instead. The host starts nothing before that.
//!
//! Order of reading: variables first, since everything may use them; then what the host provides; then components and
//! routes; at last every name is checked against the declarations. Readers report a diagnostic and continue, so that
//! one run shows all of them.
//!
//! The host's own keys are under `tool.host-adapters` of the application and of components. Spin accepts a table `tool`
//! in both places and ignores it.

mod app;
mod by_id;
mod check;
mod component;
mod grants;
mod host;
mod limits;
mod route;
pub mod runtime_config;
mod schema;
mod source;
#[cfg(test)]
mod tests;
mod variables;

pub use app::*;
pub use host_adapters_settings::{Block, Diagnostic, ManifestErrors};
pub use host_adapters_sources::SourceConfig;
pub use limits::Limits;
pub use route::{Matched, Route, Routes};
pub use schema::{blocks, schema};
pub use variables::{ProvidedVariables, Value};

use check::Names;
use component::{Context, RawComponent};
use host_adapters_settings::{Fields, Report, position};
use std::collections::BTreeMap;
use std::path::Path;
use toml_edit::Document;
use variables::Variables;

/// Reads the manifest at `path`. Fails with every diagnostic it has; one that cannot be read at all is one diagnostic.
pub fn load(path: &Path, given: &ProvidedVariables) -> Result<App, ManifestErrors> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        ManifestErrors::one(path, (1, 1), &format!("cannot be read: {error}; name an existing file"))
    })?;
    parse(path, &text, given)
}

/// Reads the text of the manifest that is, or would be, at `path`.
pub fn parse(path: &Path, text: &str, given: &ProvidedVariables) -> Result<App, ManifestErrors> {
    let document = Document::parse(text).map_err(|error| {
        let at = position(text, error.span().unwrap_or_default().start);
        ManifestErrors::one(path, at, &error.message().replace('\n', ", "))
    })?;
    let report = Report::new(text);
    let app = read(&report, path, document.as_table(), given);
    report.finish(path)?;
    Ok(app)
}

fn read(report: &Report<'_>, path: &Path, table: &toml_edit::Table, given: &ProvidedVariables) -> App {
    let mut root = Fields::new(report, "", table, 0..0);
    check_version(&mut root);
    let variables = Variables::read(&mut root, given);
    let folder = path.parent().unwrap_or(Path::new(""));
    let context = Context { report, variables: &variables, folder };
    let mut application = root.table("application");
    let (mut host, clients) = application.as_mut().map(|fields| host::read(fields, &context)).unwrap_or_default();
    let (name, version) = read_application(&root, application);
    let components = read_components(&mut root, &context);
    let (routes, targets) = route::read(&mut root);
    root.finish();
    host::declare_dead_letter_queues(&mut host, sources_of(&components));
    host.clients = clients.iter().map(|written| (written.name.clone(), written.finish(&host))).collect();
    check::check(report, &Names { components: &components, targets: &targets, clients: &clients, host: &host });
    let declared = host.declared();
    let components = components.into_iter().map(|(id, written)| (id, written.finish(&declared))).collect();
    App { name, version, path: path.to_owned(), components, routes, host }
}

fn read_components(root: &mut Fields<'_, '_>, context: &Context<'_, '_>) -> BTreeMap<String, RawComponent> {
    let read = |(id, fields): (&str, _)| (id.to_owned(), component::read(id, fields, context));
    root.tables("component").into_iter().map(read).collect()
}

fn sources_of(components: &BTreeMap<String, RawComponent>) -> impl Iterator<Item = (&str, &SourceConfig)> {
    components.iter().flat_map(|(id, written)| written.sources.iter().map(|it| (id.as_str(), &it.source)))
}

fn check_version(root: &mut Fields<'_, '_>) {
    let version = root.number::<i64>("spin_manifest_version", 2..=2);
    root.required("spin_manifest_version", version, "spin_manifest_version = 2");
}

/// Name and version of the application.
fn read_application(root: &Fields<'_, '_>, application: Option<Fields<'_, '_>>) -> (String, String) {
    let Some(mut fields) = root.required("application", application, "[application] with a name") else {
        return Default::default();
    };
    for key in ["description", "authors", "targets"] {
        fields.ignored(key);
    }
    fields.unsupported("trigger", "every route is written in full");
    let name = fields.string("name");
    let name = fields.required("name", name, "name = \"…\"").map(|name| name.value);
    let version = fields.string("version").map(|version| version.value);
    fields.finish();
    (name.unwrap_or_default(), version.unwrap_or_default())
}
