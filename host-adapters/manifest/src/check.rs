//! Checks of names against what the manifest declares, once all of it is read.

use super::component::RawComponent;
use super::grants::refuse_undeclared;
use super::host::RawClient;
use super::route::Target;
use super::source::RawSource;
use host_adapters_platform::Declared;
use host_adapters_platform::names::queue_fault;
use host_adapters_settings::Spanned;
use host_adapters_settings::{Report, suggestion};
use host_adapters_sources::Resource;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that was read and contains names to check.
pub(super) struct Names<'n> {
    pub(super) components: &'n BTreeMap<String, RawComponent>,
    pub(super) targets: &'n [Target],
    pub(super) clients: &'n [RawClient],
    pub(super) declared: &'n Declared,
}

impl Names<'_> {
    /// The queues that one would read: those of dead letters are named by others.
    fn queues_to_read(&self) -> impl Iterator<Item = &String> {
        let of_queues = self.declared.queues.values().filter_map(|queue| queue.dead_letter_queue.clone());
        let dead: BTreeSet<_> =
            of_queues.chain(self.sources().filter_map(|(id, it)| it.source.dead_letter_queue(id))).collect();
        self.declared.queues.keys().filter(move |name| !dead.contains(*name))
    }

    /// All sources, each with the id of its component.
    fn sources(&self) -> impl Iterator<Item = (&String, &RawSource)> {
        self.components.iter().flat_map(|(id, it)| it.sources.iter().map(move |source| (id, source)))
    }
}

/// Reports every name that is not declared.
pub(super) fn check(report: &Report<'_>, names: &Names<'_>) {
    let declared = names.declared;
    for target in names.targets {
        component(report, names, &target.component, &target.at);
    }
    for worker in names.components.values() {
        for (id, at) in &worker.dependencies {
            component(report, names, id, at);
        }
        for source in &worker.sources {
            reads(report, names, source);
            for (key, fault) in source.source.faults(declared) {
                report.diagnostic(source.place(key), fault);
            }
            dead_letters(report, &worker.component.id, source);
        }
        repeated(report, worker);
        worker.grants.check(report, declared);
        worker.grants.refuse_what_is_for_clients(report);
    }
    shared_queues(report, names);
    shared_groups(report, names);
    for client in names.clients {
        client.grants.check(report, declared);
    }
    tokens(report, names);
}

/// The gateway identifies clients by their tokens: two clients must not share one, and no client may have two names.
fn tokens(report: &Report<'_>, names: &Names<'_>) {
    let components = names
        .components
        .iter()
        .filter_map(|(id, worker)| Some((id, worker.component.variables.get("gateway_token")?, &worker.at)));
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

/// A source that a component has twice would share its checkpoint, its permits and its name with itself.
fn repeated(report: &Report<'_>, worker: &RawComponent) {
    let mut names = BTreeSet::new();
    for source in worker.sources.iter().filter(|it| !names.insert(it.source.name())) {
        let (id, name) = (&worker.component.id, source.source.name());
        report.diagnostic(&source.from, format!("\"{id}\" has the source {name} already; remove one of the two"));
    }
}

fn reads(report: &Report<'_>, names: &Names<'_>, raw: &RawSource) {
    let Some(resource) = raw.source.reads().filter(|it| !it.is_declared(names.declared)) else { return };
    let known: Vec<_> = match resource.kind {
        Resource::QUEUE => names.queues_to_read().collect(),
        _ => (resource.declared)(names.declared),
    };
    let name = Spanned { value: resource.name, span: raw.from.clone() };
    refuse_undeclared(report, resource.kind, &name, known);
}

/// A source of objects settles what it does not hand over: another that reads its queue would miss that.
fn shared_queues(report: &Report<'_>, names: &Names<'_>) {
    for (index, (_, source)) in names.sources().enumerate().filter(|(_, (_, it))| it.source.notified().is_some()) {
        let reads = source.source.queue();
        let other = names.sources().enumerate().find(|(other, (_, it))| *other != index && it.source.queue() == reads);
        if let (Some((_, (id, _))), Some(notification)) = (other, source.source.notified()) {
            let queue = notification.queue;
            let message = format!("\"{queue}\" feeds \"{id}\", too; objects need a queue of their own for each source");
            report.diagnostic(&source.from, message);
        }
    }
}

/// Two workers in one group would each get a part of the records.
fn shared_groups(report: &Report<'_>, names: &Names<'_>) {
    let mut readers: BTreeMap<(String, String), &String> = BTreeMap::new();
    for (id, source) in names.sources() {
        let Some(group) = source.source.group(id) else { continue };
        let read = (source.source.name(), group);
        let Some(other) = readers.get(&read).filter(|other| **other != id) else {
            readers.insert(read, id);
            continue;
        };
        let (name, group) = read;
        let message = format!("\"{other}\" reads {name} in the group \"{group}\", too; give each a group of its own");
        report.diagnostic(source.place("group"), message);
    }
}

/// Reports a dead letter queue whose name no backend accepts. A default name follows from the queue's, whose fault has
/// been reported already.
fn dead_letters(report: &Report<'_>, worker: &str, raw: &RawSource) {
    let at = raw.place("dead_letter_queue");
    let follows = *at == raw.from;
    let from_fault = raw.source.queue().is_some_and(|queue| queue_fault(&queue).is_some());
    let fault = raw.source.dead_letter_queue(worker).and_then(|queue| queue_fault(&queue));
    if let Some(fault) = fault.filter(|_| !(follows && from_fault)) {
        report.diagnostic(at, fault);
    }
}
