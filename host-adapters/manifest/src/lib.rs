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
mod circles;
mod component;
mod dependencies;
mod dotenv;
mod grants;
mod host;
mod limits;
mod route;
pub mod runtime_config;
mod schema;
mod source;
mod stored_secrets;
#[cfg(test)]
mod tests;
mod topics;
mod variable_source;
mod variables;

pub use app::*;
pub use host_adapters_settings::{Block, Diagnostic, ManifestErrors, decode, decoded, read_text, without_mark};
pub use host_adapters_sources::SourceConfig;
pub use route::{Matched, Route, Routes};
pub use schema::{blocks, schema};
pub use variable_source::provided as provided_variables;
pub use variables::{ProvidedVariables, Value};

use check::Names;
use component::{Context, RawComponent};
use host_adapters_settings::{Fields, Report};
use std::collections::BTreeMap;
use std::path::Path;
use toml_edit::Document;
use variables::Variables;

/// Reads the manifest at `path`. Returns all diagnostics; an unreadable file gives one.
pub fn load(path: &Path, provided: &ProvidedVariables) -> Result<App, ManifestErrors> {
    let text = read_text(path).map_err(|error| ManifestErrors::unreadable(path, &error))?;
    parse(path, &text, provided)
}

/// Reads the text of the manifest that is, or would be, at `path`.
pub fn parse(path: &Path, text: &str, provided: &ProvidedVariables) -> Result<App, ManifestErrors> {
    let text = without_mark(text);
    let document = Document::parse(text).map_err(|error| ManifestErrors::not_toml(path, text, &error))?;
    let report = Report::new(text);
    let app = read(&report, path, document.as_table(), provided);
    report.finish(path)?;
    Ok(app)
}

fn read(report: &Report<'_>, path: &Path, table: &toml_edit::Table, provided: &ProvidedVariables) -> App {
    let mut root = Fields::new(report, "", table, 0..0);
    check_version(&mut root);
    let variables = Variables::read(&mut root, provided);
    let folder = path.parent().unwrap_or(Path::new(""));
    let context = Context { report, variables: &variables, folder };
    let mut application = root.table("application");
    let (mut host, clients, places) = application.as_mut().map(|it| host::read(it, &context)).unwrap_or_default();
    let (name, version) = read_application(&root, application);
    let components = read_components(&mut root, &context);
    let (routes, targets) = route::read(&mut root);
    root.finish();
    host::declare_dead_letter_queues(&mut host, sources_of(&components));
    host.declared.tasks =
        sources_of(&components).filter(|(_, source)| source.does_tasks()).map(|(id, _)| id.to_owned()).collect();
    let finished: Vec<_> = clients.iter().map(|it| (it.name.clone(), it.finish(&host.declared))).collect();
    host.clients.extend(finished);
    let names = Names { components: &components, targets: &targets, clients: &clients, declared: &host.declared };
    check::check(report, &names);
    circles::check(report, &host.declared, &components, &places);
    let components = components.into_iter().map(|(id, raw)| (id, raw.finish(&host.declared))).collect();
    App { name, version, path: path.to_owned(), components, routes, host }
}

fn read_components(root: &mut Fields<'_, '_>, context: &Context<'_, '_>) -> BTreeMap<String, RawComponent> {
    let read = |(id, fields): (&str, _)| (id.to_owned(), component::read(id, fields, context));
    root.tables("component").into_iter().map(read).collect()
}

fn sources_of(components: &BTreeMap<String, RawComponent>) -> impl Iterator<Item = (&str, &SourceConfig)> {
    components.iter().flat_map(|(id, raw)| raw.sources.iter().map(|it| (id.as_str(), &it.source)))
}

fn check_version(root: &mut Fields<'_, '_>) {
    const WRITE: &str = "spin_manifest_version = 2";
    match root.item("spin_manifest_version") {
        Some((item, at)) if item.as_integer() != Some(2) => {
            let message = format!("spin_manifest_version is not 2, and no other version is read; write {WRITE}");
            root.diagnostic(&at, message);
        }
        Some(_) => (),
        None => drop(root.required("spin_manifest_version", None::<()>, WRITE)),
    }
}

/// Name and version of the application.
fn read_application(root: &Fields<'_, '_>, application: Option<Fields<'_, '_>>) -> (String, String) {
    let Some(mut fields) = root.required("application", application, "[application] with a name") else {
        return Default::default();
    };
    fields.string("description");
    fields.strings("authors");
    component::read_targets(&mut fields);
    read_trigger_settings(&mut fields);
    let name = fields.string("name");
    let name = fields.required("name", name, "name = \"…\"").map(|name| name.value);
    let version = fields.string("version").map(|version| version.value);
    fields.finish();
    (name.unwrap_or_default(), version.unwrap_or_default())
}

/// `[application.trigger.<type>]`. Spin's default, `http.base = "/"`, changes nothing.
fn read_trigger_settings(fields: &mut Fields<'_, '_>) {
    let Some((item, _)) = fields.item("trigger") else { return };
    let is_default = |(kind, settings): (&str, &toml_edit::Item)| {
        let settings = settings.as_table_like();
        let base = |(key, base): (&str, &toml_edit::Item)| key == "base" && base.as_str() == Some("/");
        kind == "http" && settings.is_some_and(|settings| settings.iter().all(base))
    };
    if !item.as_table_like().is_some_and(|table| table.iter().all(is_default)) {
        fields.unsupported("trigger", "write every [[trigger.http]] route in full");
    }
}
