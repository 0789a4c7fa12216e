//! What a component or client may call, as `spin.toml` grants it. Nothing is granted by default.

use crate::Declared;
use host_adapters_records::{Error, ErrorKind};
use host_adapters_settings::Words;
use std::collections::{BTreeMap, BTreeSet};

/// The table `grants` of a component:
///
/// ```toml
/// [component.save-entries.tool.host-adapters.grants]
/// tables = { "demand-table" = "read-write" }
/// queues = { retryScoreQueue = "send" }
/// documents = { campaigns = "read" }
/// objects = { "scoring-bucket/scrubbed/" = ["read", "list"] }
/// data_streams = { scoresStream = "put" }
/// identity = true
/// services = ["entry"]
/// ```
///
/// A client of the gateway may also have `components = "swap"` and `tasks = { <worker> = "start" }`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Grants {
    /// Tables by name.
    pub tables: BTreeMap<String, Access>,
    /// Queues by name.
    pub queues: BTreeMap<String, QueueAccess>,
    /// Collections by name.
    pub documents: BTreeMap<String, Access>,
    /// Buckets, or the part of one whose keys begin with what follows the bucket's name and a `/`.
    pub objects: BTreeMap<String, ObjectAccess>,
    /// Data streams by name.
    pub data_streams: BTreeMap<String, DataStreamAccess>,
    /// Whether tokens may be verified.
    pub identity: bool,
    /// Services that may be called.
    pub services: BTreeSet<String>,
    /// Workers whose tasks may be started.
    pub tasks: BTreeMap<String, TaskAccess>,
    /// What may be done with the components that serve.
    pub components: Option<ComponentsAccess>,
    /// Whether they are those of a client of the gateway; else of a component.
    pub of_client: bool,
}

/// What may be done with a table or collection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Look.
    Read,
    /// Change, without looking.
    Write,
    /// Both.
    ReadWrite,
}

/// What may be done with objects.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ObjectAccess {
    /// Read objects whose keys the caller knows.
    pub read: bool,
    /// Write and replace objects.
    pub write: bool,
    /// See which objects there are.
    pub list: bool,
}

impl ObjectAccess {
    /// The words of spin.toml, each with what it allows.
    pub const WORDS: [(&'static str, Self); 3] = {
        let none = Self { read: false, write: false, list: false };
        [
            ("read", Self { read: true, ..none }),
            ("write", Self { write: true, ..none }),
            ("list", Self { list: true, ..none }),
        ]
    };

    /// What either allows.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { read: self.read || other.read, write: self.write || other.write, list: self.list || other.list }
    }
}

/// What may be done with a queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum QueueAccess {
    /// Send messages.
    Send,
    /// See how many messages there are, and look at them without taking them.
    Peek,
    /// Look at dead letters, send them back to where they came from, or drop them.
    Redrive,
}

/// What may be done with a data stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DataStreamAccess {
    /// Put records.
    Put,
}

/// What may be done with the tasks of a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TaskAccess {
    /// Start executions, see what came of them, and stop them.
    Start,
}

/// What may be done with the components that serve, all of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ComponentsAccess {
    /// See which version of each serves.
    Read,
    /// Replace them too.
    Swap,
}

impl Words for Access {
    const WORDS: &'static [(&'static str, Self)] =
        &[("read", Self::Read), ("write", Self::Write), ("read-write", Self::ReadWrite)];
}

impl Words for QueueAccess {
    const WORDS: &'static [(&'static str, Self)] =
        &[("send", Self::Send), ("peek", Self::Peek), ("redrive", Self::Redrive)];
}

impl Words for DataStreamAccess {
    const WORDS: &'static [(&'static str, Self)] = &[("put", Self::Put)];
}

impl Words for TaskAccess {
    const WORDS: &'static [(&'static str, Self)] = &[("start", Self::Start)];
}

impl Words for ComponentsAccess {
    const WORDS: &'static [(&'static str, Self)] = &[("read", Self::Read), ("swap", Self::Swap)];
}

/// The grant that a call needs; also the text of the error if it is missing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need<'a> {
    ReadTable(&'a str),
    WriteTable(&'a str),
    SendTo(&'a str),
    PeekAt(&'a str),
    Redrive(&'a str),
    ReadDocuments(&'a str),
    WriteDocuments(&'a str),
    /// A bucket and a key.
    ReadObject(&'a str, &'a str),
    WriteObject(&'a str, &'a str),
    /// A bucket and what the keys begin with.
    ListObjects(&'a str, &'a str),
    PutRecords(&'a str),
    Identity,
    CallService(&'a str),
    StartTasks(&'a str),
    ReadComponents,
    SwapComponents,
}

impl Grants {
    pub(crate) fn allow(&self, need: Need<'_>) -> bool {
        match need {
            Need::ReadTable(name) => self.tables.get(name).is_some_and(Access::reads),
            Need::WriteTable(name) => self.tables.get(name).is_some_and(Access::writes),
            Need::SendTo(name) => self.queues.get(name) == Some(&QueueAccess::Send),
            Need::PeekAt(name) => matches!(self.queues.get(name), Some(QueueAccess::Peek | QueueAccess::Redrive)),
            Need::Redrive(name) => self.queues.get(name) == Some(&QueueAccess::Redrive),
            Need::ReadDocuments(name) => self.documents.get(name).is_some_and(Access::reads),
            Need::WriteDocuments(name) => self.documents.get(name).is_some_and(Access::writes),
            Need::ReadObject(bucket, key) => self.objects(bucket, key).any(|access| access.read),
            Need::WriteObject(bucket, key) => self.objects(bucket, key).any(|access| access.write),
            Need::ListObjects(bucket, prefix) => self.objects(bucket, prefix).any(|access| access.list),
            Need::PutRecords(stream) => self.data_streams.contains_key(stream),
            Need::Identity => self.identity,
            Need::CallService(name) => self.services.contains(name),
            Need::StartTasks(worker) => self.tasks.contains_key(worker),
            Need::ReadComponents => self.components.is_some(),
            Need::SwapComponents => self.components == Some(ComponentsAccess::Swap),
        }
    }

    /// The grants for the parts of a bucket that contain this key, or all keys that begin with it.
    fn objects(&self, bucket: &str, key: &str) -> impl Iterator<Item = ObjectAccess> {
        let is_in = move |part: &str| {
            let (name, prefix) = part.split_once('/').unwrap_or((part, ""));
            name == bucket && key.starts_with(prefix)
        };
        self.objects.iter().filter(move |(part, _)| is_in(part)).map(|(_, access)| *access)
    }
}

impl Grants {
    /// The interfaces of the platform for which there is no grant, each with the line that would add one.
    pub fn closed(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let sends = self.queues.values().any(|access| *access == QueueAccess::Send);
        let interfaces = [
            ("registration:platform/table", !self.tables.is_empty(), r#"tables = { "<table>" = "read" }"#),
            ("registration:platform/queue", sends, r#"queues = { "<queue>" = "send" }"#),
            (
                "registration:platform/documents",
                !self.documents.is_empty(),
                r#"documents = { "<collection>" = "read" }"#,
            ),
            ("registration:platform/objects", !self.objects.is_empty(), r#"objects = { "<bucket>" = ["read"] }"#),
            (
                "registration:platform/data-streams",
                !self.data_streams.is_empty(),
                r#"data_streams = { "<stream>" = "put" }"#,
            ),
            ("registration:platform/identity", self.identity, "identity = true"),
            ("registration:platform/service", !self.services.is_empty(), r#"services = ["<service>"]"#),
        ];
        interfaces.into_iter().filter(|(_, open, _)| !open).map(|(interface, _, line)| (interface, line))
    }
}

impl Access {
    fn reads(&self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    fn writes(&self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }
}

impl Need<'_> {
    /// Says that a name is of nothing. A grant of it would be refused, too.
    pub(crate) fn undeclared(self, caller: &str, declared: &Declared) -> Option<Error> {
        let (kind, name, is_declared) = match self {
            Self::ReadTable(name) | Self::WriteTable(name) => ("table", name, declared.tables.contains_key(name)),
            Self::SendTo(name) | Self::PeekAt(name) | Self::Redrive(name) => {
                ("queue", name, declared.queues.contains_key(name))
            }
            Self::ReadDocuments(name) | Self::WriteDocuments(name) => {
                ("collection", name, declared.collections.contains(name))
            }
            Self::ReadObject(name, _) | Self::WriteObject(name, _) | Self::ListObjects(name, _) => {
                ("bucket", name, declared.buckets.contains(name))
            }
            Self::PutRecords(name) => ("data stream", name, declared.data_streams.contains_key(name)),
            Self::CallService(name) => ("service", name, declared.services.contains(name)),
            Self::Identity | Self::StartTasks(_) | Self::ReadComponents | Self::SwapComponents => return None,
        };
        let message = format!(
            "`{caller}` asks for the {kind} `{name}`, and spin.toml declares none of this name; correct the name, or \
             declare the {kind} under [application.tool.host-adapters] and grant it"
        );
        (!is_declared).then(|| Error::new(ErrorKind::Denied, message))
    }

    /// Says who may not do what, and what to write. `of_client` tells whether the caller is a client of the gateway.
    pub(crate) fn denied(self, caller: &str, of_client: bool) -> Error {
        let refusal = |what: &str, line: &str| refusal(caller, of_client, what, line);
        let objects = |what: &str, bucket: &str, key: &str, word: &str| {
            let line = format!(
                "objects = {{ \"{bucket}\" = [\"{word}\"] }} (or, of a part, \"{bucket}/<beginning of its keys>\")"
            );
            refusal(&format!("{what} `{bucket}/{key}`"), &line)
        };
        let (what, key, name, access) = match self {
            Self::ReadTable(name) => ("read table", "tables", name, "read"),
            Self::WriteTable(name) => ("write table", "tables", name, "write"),
            Self::SendTo(name) => ("send to queue", "queues", name, "send"),
            Self::PeekAt(name) => ("look into queue", "queues", name, "peek"),
            Self::Redrive(name) => ("redrive or drop dead letters of queue", "queues", name, "redrive"),
            Self::ReadDocuments(name) => ("read documents", "documents", name, "read"),
            Self::WriteDocuments(name) => ("write documents", "documents", name, "write"),
            Self::PutRecords(name) => ("put records into the data stream", "data_streams", name, "put"),
            Self::StartTasks(worker) => ("start or see tasks of", "tasks", worker, "start"),
            Self::ReadObject(bucket, key) => return objects("read the object", bucket, key, "read"),
            Self::WriteObject(bucket, key) => return objects("write the object", bucket, key, "write"),
            Self::ListObjects(bucket, prefix) => return objects("list objects of", bucket, prefix, "list"),
            Self::Identity => return refusal("verify tokens", "identity = true"),
            Self::CallService(name) => {
                return refusal(&format!("call service `{name}`"), &format!("services = [\"{name}\"]"));
            }
            Self::ReadComponents => return refusal("see the components", "components = \"read\""),
            Self::SwapComponents => return refusal("replace components", "components = \"swap\""),
        };
        let both = if matches!(access, "read" | "write") { " (or \"read-write\")" } else { "" };
        refusal(&format!("{what} `{name}`"), &format!("{key} = {{ \"{name}\" = \"{access}\" }}{both}"))
    }
}

fn refusal(caller: &str, of_client: bool, what: &str, line: &str) -> Error {
    let place = match of_client {
        true => format!("[application.tool.host-adapters.clients.{caller}.grants]"),
        false => format!("[component.{caller}.tool.host-adapters.grants]"),
    };
    let message = format!("`{caller}` may not {what}; to allow it, write in spin.toml under {place}: {line}");
    Error::new(ErrorKind::Denied, message)
}
