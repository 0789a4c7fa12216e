//! `[component.<id>]`: Spin's own keys, and the host's under `tool.host-adapters`.

use super::app::{Build, Component, Profile};
use super::by_id;
use super::dependencies;
use super::grants::{GrantSettings, RawGrants};
use super::limits;
use super::source::{RawSource, Sources};
use super::variables::{Value, Variables, is_snake_case};
use host_adapters_limits::Limits;
use host_adapters_outbound::AllowedHosts;
use host_adapters_platform::Declared;
use host_adapters_settings::Report;
use host_adapters_settings::{Fields, Settings, Spanned, Table, Template, is_close, settings, showable};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// Our table under `tool`.
pub(super) const TOOL: &str = "host-adapters";

settings! {
    /// What the host needs to know of a component besides Spin's own keys.
    pub struct ToolSettings {
        /// What the build command makes; `source` is made of it by freezing its initialised state. It follows from the id
        /// where `source` is `target/components/<id>.wasm` and there is no `build`.
        pub artifact: Option<String> = None, ();
        /// What its instances may use.
        pub limits: Limits;
        /// What it may touch.
        pub grants: Table<GrantSettings> = Table::default(), "grants";
        /// What feeds it besides HTTP.
        pub source: Sources = Sources::default(), ();
    }
}

/// The id of a component, and where it was written.
pub(super) type Named = (String, Range<usize>);

/// A component with the places of its names in the file, for the checks against what is declared.
pub(super) struct RawComponent {
    pub(super) component: Component,
    pub(super) sources: Vec<RawSource>,
    pub(super) grants: RawGrants,
    /// Component ids that the dependencies name.
    pub(super) dependencies: Vec<Named>,
    /// The component itself.
    pub(super) at: Range<usize>,
}

impl RawComponent {
    /// The component, its sources completed from what is declared.
    pub(super) fn finish(self, declared: &Declared) -> Component {
        let sources = self.sources.into_iter().map(|raw| raw.finish(declared));
        Component { sources: sources.collect(), ..self.component }
    }
}

/// The context for reading a component's table.
pub(super) struct Context<'c, 'd> {
    pub(super) report: &'c Report<'d>,
    pub(super) variables: &'c Variables,
    /// The manifest's folder.
    pub(super) folder: &'c Path,
}

impl Context<'_, '_> {
    /// The text, if there is one, with its variables substituted.
    pub(super) fn resolve(&self, template: &Template) -> Option<Value> {
        self.variables.resolve(self.report, template.0.as_ref()?)
    }

    /// How a diagnostic shows a text of the key `key`: as in the file, with the origins of its variables.
    pub(super) fn shown(&self, key: &str, template: &str) -> String {
        let shown = showable(template).map_or_else(|| key.to_owned(), |text| format!("\"{text}\""));
        format!("{shown}{}", self.variables.origins(template))
    }
}

/// Reads one component; the names in it are checked later.
pub(super) fn read(id: &str, mut fields: Fields<'_, '_>, context: &Context<'_, '_>) -> RawComponent {
    check_id(id, &fields);
    read_what_spin_alone_needs(&mut fields);
    let (dependencies, named) = dependencies::read(&mut fields);
    let (tool, components) = read_tool(&mut fields);
    let mut grants = RawGrants::from(tool.grants.clone());
    grants.components = components;
    let source = read_source(&mut fields);
    let source = fields.required("source", source, "the path of the component's .wasm file").unwrap_or_default();
    let mut component = Component {
        id: id.to_owned(),
        source: context.folder.join(&source),
        variables: read_variables(&mut fields, context),
        environment: read_environment(&mut fields),
        allowed_outbound_hosts: read_hosts(&mut fields, context),
        dependencies,
        build: read_build(&mut fields, context.folder),
        profiles: read_profiles(&mut fields, context.folder),
        artifact: tool.artifact.as_ref().map(|artifact| context.folder.join(artifact)),
        limits: limits::of(&tool),
        sources: Vec::new(),
        grants: grants.grants.clone(),
    };
    by_id::complete(&mut component, &source, context.folder);
    let at = fields.span.clone();
    fields.finish();
    RawComponent { component, sources: tool.source.read, grants, dependencies: named, at }
}

fn check_id(id: &str, fields: &Fields<'_, '_>) {
    if !is_kebab_case(id) {
        let message = format!("component id \"{id}\" is not a kebab-case name; write words joined by \"-\"");
        fields.diagnostic(&fields.span, message);
    }
}

/// Spin's rule for ids of components: each word is in lower case or in upper case.
fn is_kebab_case(id: &str) -> bool {
    let is_of = |word: &str, case: fn(&char) -> bool| {
        word.starts_with(|first: char| case(&first)) && word.chars().all(|c| case(&c) || c.is_ascii_digit())
    };
    id.split('-').all(|word| is_of(word, char::is_ascii_lowercase) || is_of(word, char::is_ascii_uppercase))
}

/// Spin's keys that change nothing for a host that runs the component, and those whose effect this host does not have.
fn read_what_spin_alone_needs(fields: &mut Fields<'_, '_>) {
    fields.string("description");
    read_targets(fields);
    fields.boolean("dependencies_inherit_configuration");
    fields.unsupported_list("files", "put what the component needs into it at build time");
    fields.unsupported_list("exclude_files", "remove it");
    fields.unsupported_list("allowed_http_hosts", "write allowed_outbound_hosts");
    fields.unsupported_list("key_value_stores", "use a table under [application.tool.host-adapters.tables]");
    fields.unsupported_list("sqlite_databases", "use a table under [application.tool.host-adapters.tables]");
    fields.unsupported_list("ai_models", "call a model as a service under [application.tool.host-adapters.services]");
}

/// `targets`: the kinds of Spin host that `spin build` compares components with. It changes nothing at run time.
pub(super) fn read_targets(fields: &mut Fields<'_, '_>) {
    let Some((item, at)) = fields.item("targets") else { return };
    let is_target = |value: &toml_edit::Value| {
        value.is_str() || value.as_inline_table().is_some_and(|it| it.contains_key("url") || it.contains_key("path"))
    };
    if !item.as_array().is_some_and(|targets| targets.iter().all(is_target)) {
        fields.diagnostic(&at, "targets is not a list of Spin hosts; write it as in [\"spin-up:4.1\"]");
    }
}

/// The path of a file; Spin's other forms name what it would fetch.
fn read_source(fields: &mut Fields<'_, '_>) -> Option<String> {
    let is_fetched = |item: &toml_edit::Item| {
        item.as_table_like().is_some_and(|it| ["url", "registry", "package"].iter().any(|key| it.contains_key(key)))
    };
    if fields.item("source").is_some_and(|(item, _)| is_fetched(item)) {
        fields.unsupported("source", "fetch the file when you build, and write its path");
        return None;
    }
    fields.string("source").map(|source| source.value)
}

fn read_variables(fields: &mut Fields<'_, '_>, context: &Context<'_, '_>) -> BTreeMap<String, Value> {
    let raw = fields.string_map("variables");
    for (name, template) in raw.iter().filter(|(name, _)| !is_snake_case(name)) {
        fields.diagnostic(&template.span, format!("variable \"{name}\" is not a lower_snake_case name"));
    }
    let resolve = |(name, template)| Some((name, context.variables.resolve(context.report, &template)?));
    raw.into_iter().filter_map(resolve).collect()
}

fn read_hosts(fields: &mut Fields<'_, '_>, context: &Context<'_, '_>) -> AllowedHosts {
    let mut hosts = AllowedHosts::default();
    for template in fields.strings("allowed_outbound_hosts") {
        let Some(host) = context.variables.resolve(context.report, &template) else { continue };
        if let Err(error) = hosts.add(host.expose()) {
            let shown = showable(&template.value).map(|host| format!(" \"{host}\"")).unwrap_or_default();
            let origins = context.variables.origins(&template.value);
            fields.diagnostic(&template.span, format!("allowed_outbound_hosts{shown}{origins}: {error}"));
        }
    }
    hosts
}

fn read_environment(fields: &mut Fields<'_, '_>) -> BTreeMap<String, String> {
    fields.string_map("environment").into_iter().map(|(name, text)| (name, text.value)).collect()
}

fn read_build(fields: &mut Fields<'_, '_>, folder: &Path) -> Option<Build> {
    let mut build = fields.table("build")?;
    let watch = build.strings("watch").into_iter().map(|pattern| pattern.value).collect();
    let commands = read_commands(&mut build);
    let workdir = build.string("workdir").map_or_else(|| folder.to_owned(), |workdir| folder.join(workdir.value));
    build.finish();
    Some(Build { commands, workdir, watch })
}

fn read_commands(build: &mut Fields<'_, '_>) -> Vec<String> {
    let is_list = matches!(build.item("command"), Some((item, _)) if item.is_array());
    let commands: Vec<Spanned<String>> = if is_list {
        build.strings("command")
    } else {
        let command = build.string("command");
        build.required("command", command, "the command that builds the component").into_iter().collect()
    };
    commands.into_iter().map(|command| command.value).collect()
}

/// Spin's build profiles.
fn read_profiles(fields: &mut Fields<'_, '_>, folder: &Path) -> BTreeMap<String, Profile> {
    let profile = |(name, mut fields): (&str, Fields<'_, '_>)| {
        let environment = read_environment(&mut fields);
        dependencies::read(&mut fields);
        let source = read_source(&mut fields).map(|source| folder.join(source));
        let commands = fields.table("build").map(|mut build| {
            let commands = read_commands(&mut build);
            build.finish();
            commands
        });
        fields.finish();
        (name.to_owned(), Profile { source, commands: commands.unwrap_or_default(), environment })
    };
    fields.tables("profile").into_iter().map(profile).collect()
}

/// The settings, and where `components` stands in the grants.
fn read_tool(fields: &mut Fields<'_, '_>) -> (ToolSettings, Option<Range<usize>>) {
    let Some(mut tool) = own_tool(fields) else { return Default::default() };
    let (settings, _) = ToolSettings::read_all(&mut tool);
    let components = tool.place_within(&["grants", "components"]);
    tool.finish();
    (settings, components)
}

/// The host's table. Those of other tools are ignored, unless their names look like the host's misspelt.
pub(super) fn own_tool<'r, 'd>(fields: &mut Fields<'r, 'd>) -> Option<Fields<'r, 'd>> {
    let mut tools = fields.table("tool")?;
    for name in tools.keys().filter(|name| *name != TOOL && is_close(name, TOOL)).collect::<Vec<_>>() {
        let at = tools.key_place(name).unwrap_or_else(|| tools.span.clone());
        tools.diagnostic(&at, format!("tool.{name} is unknown; write tool.{TOOL}"));
    }
    tools.table(TOOL)
}
