//! What an application declares in spin.toml and its backends must have.

use crate::data_streams::{self, DataStreamSpec};
use crate::event_log::{self, LogTopicSpec};
use crate::names;
use crate::objects::Notification;
use crate::topic::{self, TopicSpec};
use host_adapters_settings::{Block, Fields, Named, Names, Setting, Settings, settings};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

/// Declares what an application declares by name. A row has the key of spin.toml, its type, what is allowed there, and
/// the type of what is declared. The settings have the keys, [`Declared`] has what they say.
macro_rules! declared {
    ($($(#[doc = $doc:literal])* $key:ident: $setting:ty = $rule:expr => $declared:ty;)+) => {
        settings! {
            /// What an application declares by name.
            pub struct DeclaredSettings {
                $($(#[doc = $doc])* pub $key: $setting = <$setting>::default(), $rule;)+
            }
        }

        /// What an application declares by name, and what follows from its sources and services.
        #[derive(Clone, Debug, Default)]
        pub struct Declared {
            $($(#[doc = $doc])* pub $key: $declared,)+
            /// Which queues are notified of which objects.
            pub notifications: Vec<Notification>,
            /// Services.
            pub services: BTreeSet<String>,
            /// Ids of the workers that have a source of tasks.
            pub tasks: BTreeSet<String>,
        }

        impl From<DeclaredSettings> for Declared {
            fn from(settings: DeclaredSettings) -> Self {
                Self { $($key: settings.$key.declared(),)+ ..Self::default() }
            }
        }
    };
}

declared! {
    /// The tables that there are.
    tables: Blocks<TableSettings> = NameRule::of("table", names::table_fault) => BTreeMap<String, TableSpec>;
    /// The queues that there are.
    queues: Blocks<QueueSpec> = NameRule::of("queue", names::queue_fault) => BTreeMap<String, QueueSpec>;
    /// The collections of documents that there are.
    collections: List = NameRule::of_list(names::collection_fault) => BTreeSet<String>;
    /// The buckets of objects that there are.
    buckets: List = NameRule::of_list(names::bucket_fault) => BTreeSet<String>;
    /// The data streams that there are.
    data_streams: Blocks<DataStreamSpec> = NameRule::of("data-stream", data_streams::name_fault)
        => BTreeMap<String, DataStreamSpec>;
    /// The topics that there are.
    topics: Blocks<TopicSpec> = NameRule::of("topic", topic::name_fault) => BTreeMap<String, TopicSpec>;
    /// The topics of the event log that there are.
    event_log: Blocks<LogTopicSpec> = NameRule::of("log-topic", event_log::name_fault)
        => BTreeMap<String, LogTopicSpec>;
}

/// What is wrong with a name, if something is: no backend could have it.
pub type NameFault = fn(&str) -> Option<String>;

/// What is allowed of settings by name.
#[derive(Clone, Copy, Debug)]
pub struct NameRule {
    /// The name of their block.
    block: &'static str,
    fault: NameFault,
}

impl NameRule {
    /// Their block in documents, and what may be wrong with a name.
    const fn of(block: &'static str, fault: NameFault) -> Self {
        Self { block, fault }
    }

    /// What may be wrong with a name in a list.
    const fn of_list(fault: NameFault) -> NameFault {
        fault
    }
}

/// Reports a name that is not valid in a backend. An empty name has been reported already.
fn check_name(fields: &Fields<'_, '_>, name: &str, at: &Range<usize>, fault: NameFault) {
    if let Some(fault) = fault(name).filter(|_| !name.trim().is_empty()) {
        fields.bare_diagnostic(at, fault);
    }
}

/// What is declared by name, each with settings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Blocks<T>(pub Named<T>);

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Self(Named::default())
    }
}

impl<T> Blocks<T> {
    fn declared<S: From<T>>(self) -> BTreeMap<String, S> {
        self.0.0.into_iter().map(|(name, settings)| (name, S::from(settings.value))).collect()
    }
}

impl<T: Settings> Setting for Blocks<T> {
    type Rule = NameRule;

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, rule: &NameRule) -> Option<Self> {
        let named = Named::<T>::read(fields, key, &rule.block)?;
        for (name, settings) in &named.0 {
            check_name(fields, name, &settings.span, rule.fault);
        }
        Some(Self(named))
    }

    fn schema(default: Self, rule: &NameRule) -> Json {
        Named::<T>::schema(default.0, &rule.block)
    }

    fn blocks(rule: &NameRule) -> Vec<Block> {
        Named::<T>::blocks(&rule.block)
    }
}

/// What is declared by name alone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct List(pub Names);

impl List {
    fn declared(self) -> BTreeSet<String> {
        self.0.0.into_iter().map(|name| name.value).collect()
    }
}

impl Setting for List {
    type Rule = NameFault;

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, fault: &NameFault) -> Option<Self> {
        let names = Names::read(fields, key, &())?;
        for name in &names.0 {
            check_name(fields, &name.value, &name.span, *fault);
        }
        Some(Self(names))
    }

    fn schema(default: Self, _fault: &NameFault) -> Json {
        Names::schema(default.0, &())
    }
}

/// The declared names of one kind.
pub trait DeclaredNames {
    /// Whether a name is among them.
    fn has(&self, name: &str) -> bool;
    /// All of them.
    fn names(&self) -> Vec<&String>;
}

impl<T> DeclaredNames for BTreeMap<String, T> {
    fn has(&self, name: &str) -> bool {
        self.contains_key(name)
    }

    fn names(&self) -> Vec<&String> {
        self.keys().collect()
    }
}

impl DeclaredNames for BTreeSet<String> {
    fn has(&self, name: &str) -> bool {
        self.contains(name)
    }

    fn names(&self) -> Vec<&String> {
        self.iter().collect()
    }
}

/// Whose tokens are accepted.
#[derive(Clone, Debug)]
pub struct IdentityConfig {
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be or hold.
    pub audience: String,
    /// Where the issuer's keys are: a file, or an `https://` address (`http://` on this machine only).
    pub jwks: String,
}

/// One table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TableSpec {
    /// Whether its changes can be read as a stream.
    pub stream: bool,
    /// The workers that read the stream.
    pub consumers: BTreeSet<String>,
}

settings! {
    /// A table.
    pub struct TableSettings {
        /// Whether its changes can be read as a stream.
        pub stream: bool = false, ();
    }
}

impl From<TableSettings> for TableSpec {
    fn from(TableSettings { stream }: TableSettings) -> Self {
        Self { stream, ..Self::default() }
    }
}

settings! {
    /// A queue.
    pub struct QueueSpec {
        /// How long a received message stays invisible, in seconds, unless its source says otherwise.
        pub visibility_timeout_secs: u32 = 30, QueueSpec::VISIBILITY_TIMEOUT_SECS;
        /// How often a message may be received before the queue itself moves it to the dead-letter queue. Drains and
        /// outages use receives up, so it is far above a source's `max_attempts`, and never below.
        pub max_receive_count: u32 = 100, QueueSpec::MAX_RECEIVE_COUNT;
        /// Where such messages go. It exists when it is named; describe it only to have it otherwise.
        pub dead_letter_queue: Option<String> = None, ();
        /// How long a message is kept, in seconds; 14 days in a dead-letter queue that is not described.
        pub retention_secs: u32 = 4 * DAY_SECS, QueueSpec::RETENTION_SECS;
    }
}

/// A day.
const DAY_SECS: u32 = 24 * 3600;

/// What is allowed here and of a source, whose own settings take the queue's place.
impl QueueSpec {
    /// How long a received message may stay invisible, in seconds.
    pub const VISIBILITY_TIMEOUT_SECS: RangeInclusive<i64> = 1..=43_200;
    /// How often a message may be received.
    pub const MAX_RECEIVE_COUNT: RangeInclusive<i64> = 1..=1_000;
    /// How long a message may be kept, in seconds.
    pub const RETENTION_SECS: RangeInclusive<i64> = 60..=14 * DAY_SECS as i64;

    /// A queue that only takes dead letters: SQS's longest retention, 14 days, for their age counts from their first
    /// queue.
    pub fn dead_letters() -> Self {
        Self { retention_secs: 14 * DAY_SECS, ..Self::default() }
    }
}
