//! `grants = { … }`: the platform functions that a component or a client of the gateway may call.

use super::app::Host;
use host_adapters_platform::{Access, ComponentsAccess, Grants, QueueAccess};
use host_adapters_settings::{Fields, Spanned};
use host_adapters_settings::{Report, suggestion};
use std::collections::{BTreeMap, BTreeSet};

/// The words for tables and collections.
const READ_WRITE: [(&str, Access); 3] =
    [("read", Access::Read), ("write", Access::Write), ("read-write", Access::ReadWrite)];
/// The words for queues.
const SEND_PEEK_REDRIVE: [(&str, QueueAccess); 3] =
    [("send", QueueAccess::Send), ("peek", QueueAccess::Peek), ("redrive", QueueAccess::Redrive)];

/// The words for the components as a whole.
const READ_SWAP: [(&str, ComponentsAccess); 2] = [("read", ComponentsAccess::Read), ("swap", ComponentsAccess::Swap)];

/// A client's word for every name that the application declares.
const ALL: &str = "*";

/// Grants with the places their names were written at.
#[derive(Default)]
pub(super) struct RawGrants {
    pub(super) grants: Grants,
    named: Vec<(Kind, Spanned<String>)>,
}

/// What a name in a grant is the name of.
#[derive(Clone, Copy)]
enum Kind {
    Table,
    Queue,
    Collection,
    Service,
}

impl RawGrants {
    /// A client's grants, with every declared name in place of `"*"`. A name that stands beside it keeps its own grant.
    pub(super) fn expanded(&self, host: &Host) -> Grants {
        let mut grants = self.grants.clone();
        expand(&mut grants.tables, host.tables.keys());
        expand(&mut grants.queues, host.queues.keys());
        expand(&mut grants.documents, &host.collections);
        if grants.services.remove(ALL) {
            grants.services.extend(host.services.iter().map(|service| service.name.clone()));
        }
        grants
    }

    /// Reports every `"*"`, which a component must not have.
    pub(super) fn refuse_all(&self, report: &Report<'_>) {
        for (_, name) in self.named.iter().filter(|(_, name)| name.value == ALL) {
            report.diagnostic(&name.span, "\"*\" is for clients; write the names that the component uses");
        }
    }

    /// Reports every name that the application does not declare.
    pub(super) fn check(&self, report: &Report<'_>, host: &Host) {
        for (kind, name) in self.named.iter().filter(|(_, name)| name.value != ALL) {
            match kind {
                Kind::Table => declared(report, "table", name, host.tables.keys()),
                Kind::Queue => declared(report, "queue", name, host.queues.keys()),
                Kind::Collection => declared(report, "collection", name, &host.collections),
                Kind::Service => declared(report, "service", name, host.services.iter().map(|service| &service.name)),
            }
        }
    }
}

/// Reads the key `grants`; the names in it are checked later.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> RawGrants {
    let mut written = RawGrants::default();
    let Some(mut block) = fields.table("grants") else { return written };
    written.grants.tables = access(&mut block, "tables", Kind::Table, &READ_WRITE, &mut written.named);
    written.grants.queues = access(&mut block, "queues", Kind::Queue, &SEND_PEEK_REDRIVE, &mut written.named);
    written.grants.documents = access(&mut block, "documents", Kind::Collection, &READ_WRITE, &mut written.named);
    written.grants.services = services(&mut block, &mut written.named);
    written.grants.identity = block.boolean("identity").unwrap_or_default();
    written.grants.components = block.choice("components", &READ_SWAP);
    block.finish();
    written
}

/// Reports a name that is not declared.
pub(super) fn declared<'n>(
    report: &Report<'_>,
    kind: &str,
    name: &Spanned<String>,
    known: impl IntoIterator<Item = &'n String>,
) {
    let known: Vec<&str> = known.into_iter().map(String::as_str).collect();
    if !known.contains(&name.value.as_str()) {
        let instead = suggestion(&name.value, known);
        let message =
            format!("unknown {kind} \"{}\"{instead}, or declare it under [application.tool.host-adapters]", name.value);
        report.diagnostic(&name.span, message);
    }
}

/// Puts the declared names in place of `"*"`.
fn expand<'n, T: Copy>(granted: &mut BTreeMap<String, T>, declared: impl IntoIterator<Item = &'n String>) {
    let Some(access) = granted.remove(ALL) else { return };
    for name in declared {
        granted.entry(name.clone()).or_insert(access);
    }
}

/// Services have one kind of grant, so their names alone are listed.
fn services(block: &mut Fields<'_, '_>, named: &mut Vec<(Kind, Spanned<String>)>) -> BTreeSet<String> {
    let names = block.strings("services");
    named.extend(names.iter().map(|name| (Kind::Service, name.clone())));
    names.into_iter().map(|name| name.value).collect()
}

/// One kind of grant: names with what is allowed.
fn access<T: Copy>(
    block: &mut Fields<'_, '_>,
    key: &'static str,
    kind: Kind,
    words: &[(&str, T)],
    named: &mut Vec<(Kind, Spanned<String>)>,
) -> BTreeMap<String, T> {
    let mut granted = BTreeMap::new();
    for (name, word) in block.string_map(key) {
        named.push((kind, Spanned { value: name.clone(), span: word.span.clone() }));
        match words.iter().find(|(known, _)| *known == word.value) {
            Some((_, access)) => {
                granted.insert(name, *access);
            }
            None => {
                let instead = suggestion(&word.value, words.iter().map(|(known, _)| *known));
                block.diagnostic(&word.span, format!("{key}.{name} = \"{}\" is not a grant{instead}", word.value));
            }
        }
    }
    granted
}
