//! What a component or client may call, as `spin.toml` grants it. Nothing is granted by default.

use crate::event_log::EventLogAccess;
use crate::{Declared, DeclaredNames};
use host_adapters_records::{Error, ErrorKind};
use host_adapters_settings::Words;
use std::collections::{BTreeMap, BTreeSet};

/// What may be done with a table or collection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Read.
    Read,
    /// Write only.
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

impl Words for TaskAccess {
    const WORDS: &'static [(&'static str, Self)] = &[("start", Self::Start)];
}

impl Words for ComponentsAccess {
    const WORDS: &'static [(&'static str, Self)] = &[("read", Self::Read), ("swap", Self::Swap)];
}

/// Declares what is granted and what calls need. A block has the member of [`Grants`]; of an interface of the platform,
/// its name in WIT, when a component may import it, and the line of spin.toml that opens it; and what may need such a
/// grant. A row there has the variant of [`Need`]; of a name that spin.toml declares, what it is the name of and where
/// it is declared; whether grants allow it; and what is refused otherwise, with the line that would allow it.
macro_rules! grants {
    (@declared $declared:ident) => { None };
    (@declared $declared:ident $kind:literal $name:ident $names:ident) => {
        Some(($kind, $name, $declared.$names.has($name)))
    };
    ($life:lifetime; $(
        $(#[doc = $about:literal])*
        $member:ident: $granted:ty $(, opens $interface:literal if |$opener:ident| $opens:expr, $line:literal)? {
            $(
                $(#[doc = $doc:literal])*
                $need:ident $(($($argument:ident: $type:ty),+))? $(of $kind:literal $name:ident in $names:ident)?:
                |$grants:ident| $allowed:expr, $refused:expr;
            )+
        }
    )+) => {
        /// The table `grants` of a component:
        ///
        /// ```toml
        /// [component.save-entries.tool.host-adapters.grants]
        /// tables = { "demand-table" = "read-write" }
        /// queues = { retryScoreQueue = "send" }
        /// documents = { campaigns = "read" }
        /// objects = { "scoring-bucket/scrubbed/" = ["read", "list"] }
        /// data_streams = { scoresStream = "put" }
        /// topics = ["dataSns"]
        /// identity = true
        /// services = ["entry"]
        /// event_log = { "prd2011.dmnd.*" = "produce" }
        /// ```
        ///
        /// A client of the gateway may also have `components = "swap"` and `tasks = { <worker> = "start" }`.
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        pub struct Grants {
            $($(#[doc = $about])* pub $member: $granted,)+
            /// Whether they are those of a client of the gateway; else of a component.
            pub of_client: bool,
        }

        /// The grant that a call needs; also the text of the error if it is missing.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Need<$life> {
            $($($(#[doc = $doc])* $need $(($($type),+))?,)+)+
        }

        impl Grants {
            pub(crate) fn allow(&self, need: Need<'_>) -> bool {
                match need {
                    $($(Need::$need $(($($argument),+))? => {
                        let $grants = self;
                        $allowed
                    })+)+
                }
            }

            /// The interfaces of the platform for which there is no grant, each with the line that would add one.
            pub fn closed(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
                let interfaces = [
                    $($({
                        let $opener = self;
                        (concat!("registration:platform/", $interface), $opens, $line)
                    },)?)+
                ];
                interfaces.into_iter().filter(|(_, open, _)| !open).map(|(interface, _, line)| (interface, line))
            }
        }

        impl Need<'_> {
            /// Says that a name is of nothing. A grant of it would be refused, too.
            #[expect(unused_variables, reason = "of an object only the bucket is declared, of a task nothing")]
            pub(crate) fn undeclared(self, caller: &str, declared: &Declared) -> Option<Error> {
                let named: Option<(&str, &str, bool)> = match self {
                    $($(Self::$need $(($($argument),+))? => grants!(@declared declared $($kind $name $names)?),)+)+
                };
                let (kind, name, is_declared) = named?;
                let message = format!(
                    "`{caller}` asks for the {kind} `{name}`, and spin.toml declares none of this name; correct the \
                     name, or declare the {kind} under [application.tool.host-adapters] and grant it"
                );
                (!is_declared).then(|| Error::new(ErrorKind::Denied, message))
            }

            /// Says who may not do what, and what to write. `of_client` tells whether the caller is a client of the
            /// gateway.
            pub(crate) fn denied(self, caller: &str, of_client: bool) -> Error {
                let (what, line) = match self {
                    $($(Self::$need $(($($argument),+))? => $refused,)+)+
                };
                refusal(caller, of_client, &what, &line)
            }
        }
    };
}

grants! {
    'a;
    /// Tables by name.
    tables: BTreeMap<String, Access>,
        opens "table" if |grants| !grants.tables.is_empty(), r#"tables = { "<table>" = "read" }"# {
        ReadTable(name: &'a str) of "table" name in tables:
            |grants| grants.tables.get(name).is_some_and(Access::reads), by_name("read table", name, "tables", "read");
        WriteTable(name: &'a str) of "table" name in tables:
            |grants| grants.tables.get(name).is_some_and(Access::writes),
            by_name("write table", name, "tables", "write");
    }
    /// Queues by name.
    queues: BTreeMap<String, QueueAccess>,
        opens "queue" if |grants| grants.queues.values().any(|it| *it == QueueAccess::Send),
            r#"queues = { "<queue>" = "send" }"# {
        SendTo(name: &'a str) of "queue" name in queues:
            |grants| grants.queues.get(name) == Some(&QueueAccess::Send),
            by_name("send to queue", name, "queues", "send");
        PeekAt(name: &'a str) of "queue" name in queues:
            |grants| matches!(grants.queues.get(name), Some(QueueAccess::Peek | QueueAccess::Redrive)),
            by_name("look into queue", name, "queues", "peek");
        Redrive(name: &'a str) of "queue" name in queues:
            |grants| grants.queues.get(name) == Some(&QueueAccess::Redrive),
            by_name("redrive or drop dead letters of queue", name, "queues", "redrive");
    }
    /// Collections by name.
    documents: BTreeMap<String, Access>,
        opens "documents" if |grants| !grants.documents.is_empty(), r#"documents = { "<collection>" = "read" }"# {
        ReadDocuments(name: &'a str) of "collection" name in collections:
            |grants| grants.documents.get(name).is_some_and(Access::reads),
            by_name("read documents", name, "documents", "read");
        WriteDocuments(name: &'a str) of "collection" name in collections:
            |grants| grants.documents.get(name).is_some_and(Access::writes),
            by_name("write documents", name, "documents", "write");
    }
    /// Buckets, or the part of one whose keys begin with what follows the bucket's name and a `/`.
    objects: BTreeMap<String, ObjectAccess>,
        opens "objects" if |grants| !grants.objects.is_empty(), r#"objects = { "<bucket>" = ["read"] }"# {
        /// A bucket and a key.
        ReadObject(bucket: &'a str, key: &'a str) of "bucket" bucket in buckets:
            |grants| grants.objects(bucket, key).any(|access| access.read),
            of_objects("read the object", bucket, key, "read");
        WriteObject(bucket: &'a str, key: &'a str) of "bucket" bucket in buckets:
            |grants| grants.objects(bucket, key).any(|access| access.write),
            of_objects("write the object", bucket, key, "write");
        /// A bucket and what the keys begin with.
        ListObjects(bucket: &'a str, prefix: &'a str) of "bucket" bucket in buckets:
            |grants| grants.objects(bucket, prefix).any(|access| access.list),
            of_objects("list objects of", bucket, prefix, "list");
    }
    /// Data streams by name.
    data_streams: BTreeMap<String, crate::DataStreamAccess>,
        opens "data-streams" if |grants| !grants.data_streams.is_empty(), r#"data_streams = { "<stream>" = "put" }"# {
        PutRecords(name: &'a str) of "data stream" name in data_streams:
            |grants| grants.data_streams.contains_key(name),
            by_name("put records into the data stream", name, "data_streams", "put");
    }
    /// Topics to which messages may be published.
    topics: BTreeSet<String>,
        opens "topic" if |grants| !grants.topics.is_empty(), r#"topics = ["<topic>"]"# {
        Publish(name: &'a str) of "topic" name in topics:
            |grants| grants.topics.contains(name),
            (format!("publish to the topic `{name}`"), format!("topics = [\"{name}\"]"));
    }
    /// Whether tokens may be verified.
    identity: bool,
        opens "identity" if |grants| grants.identity, "identity = true" {
        Identity: |grants| grants.identity, ("verify tokens".to_owned(), "identity = true".to_owned());
    }
    /// Services that may be called.
    services: BTreeSet<String>,
        opens "service" if |grants| !grants.services.is_empty(), r#"services = ["<service>"]"# {
        CallService(name: &'a str) of "service" name in services:
            |grants| grants.services.contains(name),
            (format!("call service `{name}`"), format!("services = [\"{name}\"]"));
    }
    /// Topics of the event log by name, or by what their names begin with, before a `*`.
    event_log: BTreeMap<String, EventLogAccess>,
        opens "event-log" if |grants| grants.event_log.values().any(|it| *it == EventLogAccess::Produce),
            r#"event_log = { "<topic>" = "produce" }"# {
        ProduceTo(name: &'a str) of "topic of the event log" name in event_log:
            |grants| grants.log_access(name).any(|access| access == EventLogAccess::Produce),
            of_topics("produce to the topic", name, "produce");
        ReadTopic(name: &'a str) of "topic of the event log" name in event_log:
            |grants| grants.log_access(name).any(|access| access == EventLogAccess::Read),
            of_topics("read the topic", name, "read");
    }
    /// Workers whose tasks may be started.
    tasks: BTreeMap<String, TaskAccess> {
        StartTasks(worker: &'a str):
            |grants| grants.tasks.contains_key(worker), by_name("start or see tasks of", worker, "tasks", "start");
    }
    /// What may be done with the components that serve.
    components: Option<ComponentsAccess> {
        ReadComponents:
            |grants| grants.components.is_some(), ("see the components".to_owned(), "components = \"read\"".to_owned());
        SwapComponents:
            |grants| grants.components == Some(ComponentsAccess::Swap),
            ("replace components".to_owned(), "components = \"swap\"".to_owned());
    }
}

/// What is refused about a name, and the line that allows it.
fn by_name(what: &str, name: &str, key: &str, access: &str) -> (String, String) {
    let both = if matches!(access, "read" | "write") { " (or \"read-write\")" } else { "" };
    (format!("{what} `{name}`"), format!("{key} = {{ \"{name}\" = \"{access}\" }}{both}"))
}

/// What is refused about objects, and the line that allows it.
fn of_objects(what: &str, bucket: &str, key: &str, word: &str) -> (String, String) {
    let line =
        format!("objects = {{ \"{bucket}\" = [\"{word}\"] }} (or, of a part, \"{bucket}/<beginning of its keys>\")");
    (format!("{what} `{bucket}/{key}`"), line)
}

/// What is refused about a topic of the event log, and the line that allows it.
fn of_topics(what: &str, name: &str, word: &str) -> (String, String) {
    let line = format!("event_log = {{ \"{name}\" = \"{word}\" }} (or, of several, \"<beginning of their names>*\")");
    (format!("{what} `{name}`"), line)
}

impl Grants {
    /// The grants for a topic of the event log, or for all that begin like it.
    fn log_access(&self, topic: &str) -> impl Iterator<Item = EventLogAccess> {
        let covers = move |name: &str| match name.strip_suffix('*') {
            Some(beginning) => topic.starts_with(beginning),
            None => name == topic,
        };
        self.event_log.iter().filter(move |(name, _)| covers(name)).map(|(_, access)| *access)
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

impl Access {
    fn reads(&self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    fn writes(&self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
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
