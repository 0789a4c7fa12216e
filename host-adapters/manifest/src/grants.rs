//! `grants = { … }`: the platform functions that a component or a client of the gateway may call.

use host_adapters_delivery::event::source_name;
use host_adapters_platform::{
    Access, ComponentsAccess, DataStreamAccess, Declared, DeclaredNames, EventLogAccess, Grants, ObjectAccess,
    QueueAccess, TaskAccess,
};
use host_adapters_settings::{Fields, Names, Setting, Spanned, Table, Words, settings};
use host_adapters_settings::{Report, suggestion};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Declares the grants of what spin.toml declares by name. A row has the key, which is a member of [`Grants`], too; its
/// type; what its names are the names of, and where those are declared.
macro_rules! by_name {
    ($($(#[doc = $doc:literal])* $key:ident: $setting:ty = $kind:literal in $names:ident;)+) => {
        settings! {
            /// What a caller may touch of what the application declares by name.
            pub struct NamedGrants {
                $($(#[doc = $doc])* pub $key: $setting = <$setting>::default(), ();)+
            }
        }

        impl NamedGrants {
            /// Adds what is granted; returns the names, each with its check.
            fn add_to(self, grants: &mut Grants) -> Vec<(Check, Spanned<String>)> {
                let mut named = Vec::new();
                $({
                    let check: Check = |report, name, declared| {
                        <$setting as ByName>::check(report, $kind, name, declared.$names.names());
                    };
                    let (granted, names) = self.$key.parts();
                    grants.$key = granted;
                    named.extend(names.into_iter().map(|name| (check, name)));
                })+
                named
            }
        }

        /// Puts the declared names in place of `"*"`. A name that stands beside it keeps its own grant.
        fn expand_all(grants: &mut Grants, declared: &Declared) {
            $(<$setting as ByName>::expand(&mut grants.$key, declared.$names.names());)+
        }
    };
}

by_name! {
    /// What may be done with a table.
    tables: Granted<Access> = "table" in tables;
    /// What may be done with a queue: send messages to it; see how many it holds and look at them; or do that and send
    /// dead letters back or drop them.
    queues: Granted<QueueAccess> = "queue" in queues;
    /// What may be done with a collection.
    documents: Granted<Access> = "collection" in collections;
    /// What may be done with the objects of a bucket, or of the part of it whose keys begin with what follows the name:
    /// `"bucket/reports/" = ["read", "list"]`.
    objects: GrantedObjects = "bucket" in buckets;
    /// What may be done with a data stream: put records.
    data_streams: Granted<DataStreamAccess> = "data stream" in data_streams;
    /// Topics to which messages may be published.
    topics: Names = "topic" in topics;
    /// Services that may be called.
    services: Names = "service" in services;
    /// What may be done with a topic of the event log, or with all whose names begin with what precedes a `*`
    /// (`"prd2011.dmnd.*" = "produce"`): produce records; or, of a client, read them.
    event_log: GrantedTopics = "topic of the event log" in event_log;
}

settings! {
    /// What a caller may touch on the platform; everything else is denied. For a client, the name `*` stands for every
    /// declared one; a name beside it keeps its own grant.
    pub struct GrantSettings {
        /// What is granted by name.
        pub by_name: NamedGrants;
        /// Whether tokens may be verified.
        pub identity: bool = false, ();
        /// Workers whose tasks a client may start, see and stop.
        pub tasks: Granted<TaskAccess> = Granted::default(), ();
        /// Whether a client may see which version of each component serves, or replace them too.
        pub components: Option<ComponentsAccess> = None, ();
    }
}

/// Reports a name that the application does not declare.
type Check = fn(&Report<'_>, &Spanned<String>, &Declared);

/// Grants by name, as they are written under one key.
trait ByName {
    /// The same as a member of [`Grants`].
    type Granted;
    /// What is granted, and the names.
    fn parts(self) -> (Self::Granted, Vec<Spanned<String>>);
    /// Puts the declared names in place of `"*"`.
    fn expand(granted: &mut Self::Granted, declared: Vec<&String>);
    /// Reports a name that is not declared.
    fn check(report: &Report<'_>, kind: &str, name: &Spanned<String>, declared: Vec<&String>) {
        refuse_undeclared(report, kind, name, declared);
    }
}

/// Names with what is allowed, and their places in the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Granted<T> {
    allowed: BTreeMap<String, T>,
    named: Vec<Spanned<String>>,
}

/// Buckets, or parts of buckets, with what is allowed, and their places in the file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GrantedObjects {
    allowed: BTreeMap<String, ObjectAccess>,
    /// The names of the buckets.
    named: Vec<Spanned<String>>,
}

/// Topics of the event log, or the beginnings of their names, with what is allowed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GrantedTopics(Granted<EventLogAccess>);

/// In a client's grants, stands for every name that the application declares.
const ALL: &str = "*";

/// Grants with the places their names were written at.
#[derive(Default)]
pub(super) struct RawGrants {
    pub(super) grants: Grants,
    named: Vec<(Check, Spanned<String>)>,
    /// The workers whose tasks are granted.
    tasks: Vec<Spanned<String>>,
    /// Where `components` stands.
    pub(super) components: Option<Range<usize>>,
}

impl From<Table<GrantSettings>> for RawGrants {
    fn from(Table(settings): Table<GrantSettings>) -> Self {
        let GrantSettings { by_name, identity, tasks, components } = settings.unwrap_or_default();
        let (started, tasks) = tasks.parts();
        let mut grants = Grants { identity, tasks: started, components, ..Grants::default() };
        let named = by_name.add_to(&mut grants);
        Self { grants, named, tasks, components: None }
    }
}

impl RawGrants {
    /// A client's grants, with `"*"` replaced by every declared name. A name that is also listed keeps its own grant.
    pub(super) fn expanded(&self, declared: &Declared) -> Grants {
        let mut grants = Grants { of_client: true, ..self.grants.clone() };
        expand_all(&mut grants, declared);
        expand(&mut grants.tasks, declared.tasks.names());
        grants
    }

    /// Reports what a component must not have: `"*"`, `components` and `tasks`.
    pub(super) fn refuse_what_is_for_clients(&self, report: &Report<'_>) {
        if let (Some(at), Some(_)) = (&self.components, self.grants.components) {
            report.diagnostic(at, "components is for clients: no component sees or replaces others; remove it");
        }
        for name in &self.tasks {
            report.diagnostic(&name.span, "tasks is for clients: no component starts tasks; remove it");
        }
        for (_, name) in self.named.iter().filter(|(_, name)| name.value == ALL) {
            report.diagnostic(&name.span, "\"*\" is for clients; write the names that the component uses");
        }
    }

    /// Reports every name that the application does not declare.
    pub(super) fn check(&self, report: &Report<'_>, declared: &Declared) {
        for (check, name) in self.named.iter().filter(|(_, name)| name.value != ALL) {
            check(report, name, declared);
        }
        for name in self.tasks.iter().filter(|name| name.value != ALL) {
            does_tasks(report, name, &declared.tasks);
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

impl<T: Copy> ByName for Granted<T> {
    type Granted = BTreeMap<String, T>;

    fn parts(self) -> (Self::Granted, Vec<Spanned<String>>) {
        (self.allowed, self.named)
    }

    fn expand(granted: &mut Self::Granted, declared: Vec<&String>) {
        expand(granted, declared);
    }
}

impl ByName for GrantedObjects {
    type Granted = BTreeMap<String, ObjectAccess>;

    fn parts(self) -> (Self::Granted, Vec<Spanned<String>>) {
        (self.allowed, self.named)
    }

    fn expand(granted: &mut Self::Granted, declared: Vec<&String>) {
        let named: BTreeSet<_> = granted.keys().map(|part| bucket_of(part).to_owned()).collect();
        expand(granted, declared.into_iter().filter(|bucket| !named.contains(*bucket)));
    }
}

impl ByName for GrantedTopics {
    type Granted = BTreeMap<String, EventLogAccess>;

    fn parts(self) -> (Self::Granted, Vec<Spanned<String>>) {
        self.0.parts()
    }

    fn expand(granted: &mut Self::Granted, declared: Vec<&String>) {
        expand(granted, declared);
    }

    fn check(report: &Report<'_>, kind: &str, name: &Spanned<String>, declared: Vec<&String>) {
        match name.value.strip_suffix(ALL) {
            Some(beginning) if declared.iter().any(|topic| topic.starts_with(beginning)) => (),
            Some(beginning) => {
                let message = format!(
                    "no {kind} begins with \"{beginning}\"; correct it, or declare one under \
                     [application.tool.host-adapters.event_log]"
                );
                report.diagnostic(&name.span, message);
            }
            None => refuse_undeclared(report, kind, name, declared),
        }
    }
}

impl ByName for Names {
    type Granted = BTreeSet<String>;

    fn parts(self) -> (Self::Granted, Vec<Spanned<String>>) {
        (self.0.iter().map(|name| name.value.clone()).collect(), self.0)
    }

    fn expand(granted: &mut Self::Granted, declared: Vec<&String>) {
        if granted.remove(ALL) {
            granted.extend(declared.into_iter().cloned());
        }
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

impl Setting for GrantedTopics {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        Granted::read(fields, key, &()).map(Self)
    }

    fn schema(default: Self, (): &()) -> Json {
        Granted::schema(default.0, &())
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
