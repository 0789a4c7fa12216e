//! `[component.<id>]`: Spin's own keys, and the host's under `tool.host-adapters`.

use super::app::{Build, Component, Host, Profile};
use super::by_id;
use super::grants::{GrantSettings, RawGrants};
use super::limits;
use super::source::{RawSource, Sources};
use super::variables::{Value, Variables, is_snake_case};
use host_adapters_outbound::AllowedHosts;
use host_adapters_settings::Report;
use host_adapters_settings::{Fields, Settings, Spanned, Table, Template, settings};
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
        /// How many instances run at most; more calls wait.
        pub max_instances: usize = 8, 1..=1_000;
        /// How many calls an instance takes before it is replaced.
        pub max_instance_reuse_count: usize = 1024, 1..=u32::MAX.into();
        /// How many calls run in one instance at a time; by default 1 with a source, 16 without.
        pub max_instance_concurrent_reuse_count: Option<usize> = None, 1..=1_000;
        /// How long an instance without a call is kept, in seconds.
        pub idle_instance_timeout_secs: u32 = 60, 0..=86_400;
        /// Wall time of one call, in seconds; by default 300 with a source, 30 without.
        pub request_timeout_secs: Option<u32> = None, 1..=43_200;
        /// Linear memory of one instance, in MiB.
        pub max_memory_mb: usize = 128, 1..=4_096;
        /// The longest a guest may compute without waiting for anything, in milliseconds.
        pub max_cpu_ms: u32 = 5_000, 1..=3_600_000;
        /// What it may touch.
        pub grants: Table<GrantSettings> = Table::default(), "grants";
        /// What feeds it besides HTTP.
        pub source: Sources = Sources::default(), ();
    }
}

/// The id of a component, and where it was written.
pub(super) type Named = (String, Range<usize>);

/// A component with the places its names were written at, for the checks against what is declared.
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
    /// The component, its sources completed from what is known of their queues.
    pub(super) fn finish(self, host: &Host) -> Component {
        Component { sources: self.sources.into_iter().map(|written| written.finish(host)).collect(), ..self.component }
    }
}

/// What reading a component needs besides its own table.
pub(super) struct Context<'c, 'd> {
    pub(super) report: &'c Report<'d>,
    pub(super) variables: &'c Variables,
    /// The manifest's folder.
    pub(super) folder: &'c Path,
}

impl Context<'_, '_> {
    /// A text that is there, with its variables put in.
    pub(super) fn resolve(&self, template: &Template) -> Option<Value> {
        self.variables.resolve(self.report, template.0.as_ref()?)
    }
}

/// Reads one component; the names in it are checked later.
pub(super) fn read(id: &str, mut fields: Fields<'_, '_>, context: &Context<'_, '_>) -> RawComponent {
    check_id(id, &fields);
    ignore_what_spin_alone_needs(&mut fields);
    let (dependencies, named) = read_dependencies(&mut fields);
    let tool = read_tool(&mut fields);
    let grants = RawGrants::from(tool.grants.clone());
    let source = read_source(&mut fields);
    let mut component = Component {
        id: id.to_owned(),
        source: context.folder.join(&source),
        variables: read_variables(&mut fields, context),
        environment: fields.string_map("environment").into_iter().map(|(name, text)| (name, text.value)).collect(),
        allowed_outbound_hosts: read_hosts(&mut fields, context),
        key_value_stores: fields.strings("key_value_stores").into_iter().map(|store| store.value).collect(),
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
    let word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if !id.split('-').all(word) {
        fields.diagnostic(
            &fields.span,
            format!("component id \"{id}\" is not a kebab-case name; write words joined by \"-\""),
        );
    }
}

/// Keys of Spin's that change nothing for this host, and keys whose effect it does not have.
fn ignore_what_spin_alone_needs(fields: &mut Fields<'_, '_>) {
    for key in ["description", "targets", "dependencies_inherit_configuration"] {
        fields.ignored(key);
    }
    fields.unsupported("files", "put what the component needs into it at build time");
    fields.unsupported("exclude_files", "remove it");
    fields.unsupported("allowed_http_hosts", "write allowed_outbound_hosts");
    fields.unsupported("sqlite_databases", "use a table under [application.tool.host-adapters.tables]");
    fields.unsupported("ai_models", "remove it");
}

fn read_source(fields: &mut Fields<'_, '_>) -> String {
    let source = fields.string("source");
    fields
        .required("source", source, "the path of the component's .wasm file")
        .map(|source| source.value)
        .unwrap_or_default()
}

fn read_variables(fields: &mut Fields<'_, '_>, context: &Context<'_, '_>) -> BTreeMap<String, Value> {
    let written = fields.string_map("variables");
    for (name, template) in written.iter().filter(|(name, _)| !is_snake_case(name)) {
        fields.diagnostic(&template.span, format!("variable \"{name}\" is not a lower_snake_case name"));
    }
    let resolve = |(name, template)| Some((name, context.variables.resolve(context.report, &template)?));
    written.into_iter().filter_map(resolve).collect()
}

fn read_hosts(fields: &mut Fields<'_, '_>, context: &Context<'_, '_>) -> AllowedHosts {
    let mut hosts = AllowedHosts::default();
    for template in fields.strings("allowed_outbound_hosts") {
        let Some(host) = context.variables.resolve(context.report, &template) else { continue };
        if let Err(error) = hosts.add(host.expose()) {
            fields.diagnostic(&template.span, format!("allowed_outbound_hosts \"{}\": {error}", template.value));
        }
    }
    hosts
}

/// Dependencies on other components of the application, and the ids they name with their places.
fn read_dependencies(fields: &mut Fields<'_, '_>) -> (BTreeMap<String, String>, Vec<Named>) {
    let mut dependencies = BTreeMap::new();
    let mut named = Vec::new();
    for (package, mut dependency) in fields.tables("dependencies") {
        dependency.ignored("inherit_configuration");
        let component = dependency.string("component");
        let component = dependency.required("component", component, "the id of the component that exports it");
        dependency.finish();
        if let Some(component) = component {
            dependencies.insert(package.to_owned(), component.value.clone());
            named.push((component.value, component.span));
        }
    }
    (dependencies, named)
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

/// Spin's build profiles, without what they may change of a component that runs.
fn read_profiles(fields: &mut Fields<'_, '_>, folder: &Path) -> BTreeMap<String, Profile> {
    let profile = |(name, mut fields): (&str, Fields<'_, '_>)| {
        fields.ignored("environment");
        fields.ignored("dependencies");
        let source = fields.string("source").map(|source| folder.join(source.value));
        let commands = fields.table("build").map(|mut build| {
            let commands = read_commands(&mut build);
            build.finish();
            commands
        });
        fields.finish();
        (name.to_owned(), Profile { source, commands: commands.unwrap_or_default() })
    };
    fields.tables("profile").into_iter().map(profile).collect()
}

fn read_tool(fields: &mut Fields<'_, '_>) -> ToolSettings {
    let Some(mut tool) = own_tool(fields) else { return ToolSettings::default() };
    let (settings, _) = ToolSettings::read_all(&mut tool);
    tool.finish();
    settings
}

/// The host's table; those of other tools are not looked at.
pub(super) fn own_tool<'r, 'd>(fields: &mut Fields<'r, 'd>) -> Option<Fields<'r, 'd>> {
    fields.table("tool")?.table(TOOL)
}
