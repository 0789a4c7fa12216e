//! `grants = { … }`: the platform functions that a component or a client of the gateway may call.

use super::app::Host;
use host_adapters_delivery::event::source_name;
use host_adapters_platform::{
    Access, ComponentsAccess, DataStreamAccess, Grants, ObjectAccess, QueueAccess, TaskAccess,
};
use host_adapters_settings::{Fields, Names, Setting, Spanned, Table, Words, settings};
use host_adapters_settings::{Report, suggestion};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

settings! {
    /// What a caller may touch on the platform; everything else is denied. For a client, the name `*` stands for every
    /// declared one; a name beside it keeps its own grant.
    pub struct GrantSettings {
        /// What may be done with a table.
        pub tables: Granted<Access> = Granted::default(), ();
        /// What may be done with a queue: send messages to it; see how many it holds and look at them; or do that and send
        /// dead letters back or drop them.
        pub queues: Granted<QueueAccess> = Granted::default(), ();
        /// What may be done with a collection.
        pub documents: Granted<Access> = Granted::default(), ();
        /// What may be done with the objects of a bucket, or of the part of it whose keys begin with what follows the name:
        /// `"bucket/reports/" = ["read", "list"]`.
        pub objects: GrantedObjects = GrantedObjects::default(), ();
        /// What may be done with a data stream: put records.
        pub data_streams: Granted<DataStreamAccess> = Granted::default(), ();
        /// Services that may be called.
        pub services: Names = Names::default(), ();
        /// Whether tokens may be verified.
        pub identity: bool = false, ();
        /// Workers whose tasks a client may start, see and stop.
        pub tasks: Granted<TaskAccess> = Granted::default(), ();
        /// Whether a client may see which version of each component serves, or replace them too.
        pub components: Option<ComponentsAccess> = None, ();
    }
}

/// Names with what is allowed, and where they stand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Granted<T> {
    allowed: BTreeMap<String, T>,
    named: Vec<Spanned<String>>,
}

/// Buckets, or parts of buckets, with what is allowed, and where they stand.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GrantedObjects {
    allowed: BTreeMap<String, ObjectAccess>,
    /// The names of the buckets.
    named: Vec<Spanned<String>>,
}

/// A client's word for every name that the application declares.
const ALL: &str = "*";

/// Grants with the places their names were written at.
#[derive(Default)]
pub(super) struct RawGrants {
    pub(super) grants: Grants,
    named: Vec<(Kind, Spanned<String>)>,
    /// Where `components` stands.
    pub(super) components: Option<Range<usize>>,
}

/// What the application declares, for the names in grants.
#[derive(Clone, Copy)]
pub(super) struct Declarations<'n> {
    pub(super) host: &'n Host,
    /// Ids of the workers that have a source of tasks.
    pub(super) tasks: &'n BTreeSet<String>,
}

/// What a name in a grant is the name of.
#[derive(Clone, Copy)]
enum Kind {
    Table,
    Queue,
    Collection,
    Bucket,
    DataStream,
    Service,
    Tasks,
}

impl From<Table<GrantSettings>> for RawGrants {
    fn from(Table(settings): Table<GrantSettings>) -> Self {
        let GrantSettings { tables, queues, documents, objects, data_streams, services, identity, tasks, components } =
            settings.unwrap_or_default();
        let of = |kind, names: Vec<_>| names.into_iter().map(move |name| (kind, name));
        let named = of(Kind::Table, tables.named)
            .chain(of(Kind::Queue, queues.named))
            .chain(of(Kind::Collection, documents.named))
            .chain(of(Kind::Bucket, objects.named))
            .chain(of(Kind::DataStream, data_streams.named))
            .chain(of(Kind::Service, services.0.clone()))
            .chain(of(Kind::Tasks, tasks.named))
            .collect();
        let (tables, queues, documents) = (tables.allowed, queues.allowed, documents.allowed);
        let services = services.0.into_iter().map(|name| name.value).collect();
        let (tasks, objects, data_streams) = (tasks.allowed, objects.allowed, data_streams.allowed);
        let grants = Grants {
            tables,
            queues,
            documents,
            objects,
            data_streams,
            identity,
            services,
            tasks,
            components,
            of_client: false,
        };
        Self { grants, named, components: None }
    }
}

impl RawGrants {
    /// A client's grants, with every declared name in place of `"*"`. A name that stands beside it keeps its own grant.
    pub(super) fn expanded(&self, Declarations { host, tasks }: Declarations<'_>) -> Grants {
        let mut grants = Grants { of_client: true, ..self.grants.clone() };
        expand(&mut grants.tables, host.tables.keys());
        expand(&mut grants.queues, host.queues.keys());
        expand(&mut grants.documents, &host.collections);
        let granted: BTreeSet<_> = grants.objects.keys().map(|part| bucket_of(part).to_owned()).collect();
        expand(&mut grants.objects, host.buckets.difference(&granted));
        expand(&mut grants.data_streams, host.data_streams.keys());
        expand(&mut grants.tasks, tasks);
        if grants.services.remove(ALL) {
            grants.services.extend(host.services.iter().map(|service| service.name.clone()));
        }
        grants
    }

    /// Reports what a component must not have: `"*"`, `components` and `tasks`.
    pub(super) fn refuse_what_is_for_clients(&self, report: &Report<'_>) {
        if let (Some(at), Some(_)) = (&self.components, self.grants.components) {
            report.diagnostic(at, "components is for clients: no component sees or replaces others; remove it");
        }
        for (_, name) in self.named.iter().filter(|(kind, _)| matches!(kind, Kind::Tasks)) {
            report.diagnostic(&name.span, "tasks is for clients: no component starts tasks; remove it");
        }
        for (_, name) in self.named.iter().filter(|(kind, name)| name.value == ALL && !matches!(kind, Kind::Tasks)) {
            report.diagnostic(&name.span, "\"*\" is for clients; write the names that the component uses");
        }
    }

    /// Reports every name that the application does not declare.
    pub(super) fn check(&self, report: &Report<'_>, Declarations { host, tasks }: Declarations<'_>) {
        for (kind, name) in self.named.iter().filter(|(_, name)| name.value != ALL) {
            match kind {
                Kind::Table => refuse_undeclared(report, "table", name, host.tables.keys()),
                Kind::Queue => refuse_undeclared(report, "queue", name, host.queues.keys()),
                Kind::Collection => refuse_undeclared(report, "collection", name, &host.collections),
                Kind::Bucket => refuse_undeclared(report, "bucket", name, &host.buckets),
                Kind::DataStream => refuse_undeclared(report, "data stream", name, host.data_streams.keys()),
                Kind::Service => {
                    refuse_undeclared(report, "service", name, host.services.iter().map(|service| &service.name))
                }
                Kind::Tasks => does_tasks(report, name, tasks),
            }
        }
    }
}

/// Reports a worker without a source of tasks.
fn does_tasks(report: &Report<'_>, name: &Spanned<String>, tasks: &BTreeSet<String>) {
    if !tasks.contains(&name.value) {
        let instead = suggestion(&name.value, tasks.iter().map(String::as_str));
        let (worker, kind) = (&name.value, source_name::TASK);
        let message = format!("no worker \"{worker}\" has a source of the type \"{kind}\"{instead}");
        report.diagnostic(&name.span, message);
    }
}

/// Reports a name that is not declared.
pub(super) fn refuse_undeclared<'n>(
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

/// The bucket of which something is granted.
fn bucket_of(part: &str) -> &str {
    part.split('/').next().unwrap_or_default()
}

/// Puts the declared names in place of `"*"`.
fn expand<'n, T: Copy>(granted: &mut BTreeMap<String, T>, declared: impl IntoIterator<Item = &'n String>) {
    let Some(access) = granted.remove(ALL) else { return };
    for name in declared {
        granted.entry(name.clone()).or_insert(access);
    }
}

impl<T> Default for Granted<T> {
    fn default() -> Self {
        Self { allowed: BTreeMap::new(), named: Vec::new() }
    }
}

impl<T: Words> Setting for Granted<T> {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        let mut granted = Self::default();
        for (name, word) in fields.string_map(key) {
            granted.named.push(Spanned { value: name.clone(), span: word.span.clone() });
            match T::WORDS.iter().find(|(known, _)| *known == word.value) {
                Some((_, access)) => {
                    granted.allowed.insert(name, *access);
                }
                None => {
                    let instead = suggestion(&word.value, T::WORDS.iter().map(|(known, _)| *known));
                    fields.diagnostic(&word.span, format!("{key}.{name} = \"{}\" is not a grant{instead}", word.value));
                }
            }
        }
        Some(granted)
    }

    fn schema(_default: Self, (): &()) -> Json {
        let words: Vec<_> = T::WORDS.iter().map(|(word, _)| *word).collect();
        json!({"type": "object", "additionalProperties": {"enum": words}})
    }
}

impl Setting for GrantedObjects {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        let mut granted = Self::default();
        for (part, words) in fields.string_lists(key) {
            let bucket = bucket_of(&part);
            if bucket == ALL && part != ALL {
                fields.diagnostic(&words.span, format!("{key}.{part}: \"{ALL}\" stands for whole buckets; name one"));
            }
            granted.named.push(Spanned { value: bucket.to_owned(), span: words.span.clone() });
            let mut access = ObjectAccess::default();
            for word in words.value {
                match ObjectAccess::WORDS.iter().find(|(known, _)| *known == word.value) {
                    Some((_, more)) => access = access.and(*more),
                    None => {
                        let instead = suggestion(&word.value, ObjectAccess::WORDS.iter().map(|(known, _)| *known));
                        let message = format!("{key}.{part} holds \"{}\", which is not a grant{instead}", word.value);
                        fields.diagnostic(&word.span, message);
                    }
                }
            }
            granted.allowed.insert(part, access);
        }
        Some(granted)
    }

    fn schema(_default: Self, (): &()) -> Json {
        let words = ObjectAccess::WORDS.map(|(word, _)| word);
        json!({"type": "object", "additionalProperties": {"type": "array", "items": {"enum": words}}})
    }
}
