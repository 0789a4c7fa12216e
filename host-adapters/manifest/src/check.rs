//! Checks of names against what the manifest declares, once all of it is read.

use super::app::Host;
use super::component::RawComponent;
use super::grants::declared;
use super::host::RawClient;
use super::route::Target;
use super::source::RawSource;
use host_adapters_settings::Spanned;
use host_adapters_settings::{Report, suggestion};
use host_adapters_sources::Resource;
use std::collections::BTreeMap;

/// All that was read and names something.
pub(super) struct Names<'n> {
    pub(super) components: &'n BTreeMap<String, RawComponent>,
    pub(super) targets: &'n [Target],
    pub(super) clients: &'n [RawClient],
    pub(super) host: &'n Host,
}

/// Reports every name that is not declared.
pub(super) fn check(report: &Report<'_>, names: &Names<'_>) {
    for target in names.targets {
        component(report, names, &target.component, &target.at);
    }
    for written in names.components.values() {
        for (id, at) in &written.dependencies {
            component(report, names, id, at);
        }
        for written in &written.sources {
            source(report, names.host, written);
        }
        written.grants.check(report, names.host);
        written.grants.refuse_all(report);
    }
    for client in names.clients {
        client.grants.check(report, names.host);
    }
    tokens(report, names);
}

/// The gateway identifies clients by their tokens: two clients must not share one, and no client may have two names.
fn tokens(report: &Report<'_>, names: &Names<'_>) {
    let components = names
        .components
        .iter()
        .filter_map(|(id, written)| Some((id, written.component.variables.get("gateway_token")?, &written.at)));
    let clients = names.clients.iter().map(|client| (&client.name, &client.token, &client.at));
    let mut holders: BTreeMap<&str, &String> = BTreeMap::new();
    for (name, token, at) in components.chain(clients).filter(|(_, token, _)| !token.expose().is_empty()) {
        if let Some(other) = holders.insert(token.expose(), name) {
            let message = format!("\"{name}\" has the gateway token of \"{other}\"; give each a token of its own");
            report.diagnostic(at, message);
        }
    }
    for client in names.clients.iter().filter(|client| names.components.contains_key(&client.name)) {
        report.diagnostic(&client.at, format!("client \"{}\" has the name of a component; write another", client.name));
    }
}

fn component(report: &Report<'_>, names: &Names<'_>, id: &str, at: &std::ops::Range<usize>) {
    if !names.components.contains_key(id) {
        let instead = suggestion(id, names.components.keys().map(String::as_str));
        report.diagnostic(at, format!("unknown component \"{id}\"{instead}, or add [component.{id}]"));
    }
}

fn source(report: &Report<'_>, host: &Host, written: &RawSource) {
    let at = |value: String| Spanned { value, span: written.from.clone() };
    match written.source.reads().map(|(_, resource)| resource) {
        None => (),
        Some(Resource::Queue(queue)) => declared(report, "queue", &at(queue), host.queues.keys()),
        Some(Resource::Stream(table)) => {
            if host.tables.get(&table).is_some_and(|table| !table.stream) {
                report.diagnostic(
                    &written.from,
                    format!("table \"{table}\" has no stream; declare it with stream = true"),
                );
            }
            declared(report, "table", &at(table), host.tables.keys());
        }
    }
}
