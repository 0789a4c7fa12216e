//! The sources of events for workers: one folder per kind, and one line in the list below.
//!
//! One function of a folder (`event.rs`) converts records to typed events. The host calls it with the records that it
//! has read, and the guests' library calls it with records of AWS Lambda (`lambda.rs`), so a worker sees the same event
//! either way. This part compiles for guests. The settings, the source itself and the redrive of its dead letters need
//! the feature `host`.
//!
//! A folder `<kind>` provides:
//!
//! | | |
//! |---|---|
//! | `LAMBDA` | the AWS Lambda records that it makes events of |
//! | `OPENS` | how events whose record holds others are taken apart, if there are such |
//! | `Config` | the settings, which implement [`SourceSettings`] (`host`) |
//! | `RECOVERY` | how a record that became a dead letter goes back, if records become dead letters (`host`) |
//! | `CANNED` | the events that `host-adapters events generate` writes (`host`) |

#[cfg(feature = "host")]
mod canned;
#[cfg(feature = "host")]
mod context;
#[cfg(feature = "host")]
mod filter;
#[cfg(feature = "host")]
mod host;
pub mod lambda;
#[cfg(feature = "host")]
mod ordered;
#[cfg(feature = "host")]
mod start;

#[cfg(feature = "host")]
pub use canned::{CannedEvent, Records};
#[cfg(feature = "host")]
pub use context::{SharedStreams, SourceContext, SourceStores};
#[cfg(feature = "host")]
pub use filter::{Compared, RecordFilter};
#[cfg(feature = "host")]
pub use host::*;

/// Generates the modules of all kinds of source and the functions that select among them.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:literal => $module:ident as $variant:ident;)+) => {
        $(pub mod $module;)+

        /// The shapes of all kinds of record.
        const LAMBDA: &[&[lambda::Shape]] = &[$($module::LAMBDA),+];

        /// Splits aggregate records.
        const OPENS: &[Option<lambda::Open>] = &[$($module::OPENS),+];

        /// A source as the manifest declares it.
        #[cfg(feature = "host")]
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub enum SourceConfig {
            $($(#[doc = $doc])* $variant($module::Config),)+
        }

        #[cfg(feature = "host")]
        impl SourceConfig {
            /// The names of the kinds, as in the manifest's `type` and in the names of sources.
            pub const KINDS: &[&str] = &[$($kind),+];

            /// The settings of each kind as documents describe them.
            pub fn blocks() -> Vec<host_adapters_settings::Block> {
                vec![$(host::block::<$module::Config>($kind)),+]
            }

            /// Reads the settings of a source of `kind`; `None` if something required is missing or there is no such
            /// kind.
            pub fn read(kind: &str, fields: &mut host_adapters_settings::Fields<'_, '_>) -> Option<Self> {
                match kind {
                    $($kind => host::read(fields).map(Self::$variant),)+
                    _ => None,
                }
            }

            /// The word for its kind.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $kind,)+
                }
            }
        }

        #[cfg(feature = "host")]
        impl std::ops::Deref for SourceConfig {
            type Target = dyn SourceSettings;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$variant(config) => config,)+
                }
            }
        }

        #[cfg(feature = "host")]
        impl std::ops::DerefMut for SourceConfig {
            fn deref_mut(&mut self) -> &mut Self::Target {
                match self {
                    $(Self::$variant(config) => config,)+
                }
            }
        }

        /// The events that `host-adapters events generate` knows, each with the kind of source whose workers take it.
        #[cfg(feature = "host")]
        pub fn canned_events() -> impl Iterator<Item = (&'static str, &'static CannedEvent)> {
            let events: [(&'static str, &'static [CannedEvent]); _] = [$(($kind, $module::CANNED)),+];
            events.into_iter().flat_map(|(kind, events)| events.iter().map(move |event| (kind, event)))
        }

        /// How records of a kind of source go back; `None` for an unknown kind, and for one without dead letters.
        #[cfg(feature = "host")]
        pub fn recovery(kind: &str) -> Option<host_adapters_delivery::redrive::Recovery> {
            match kind {
                $($kind => $module::RECOVERY,)+
                _ => None,
            }
        }
    };
}

kinds! {
    /// A queue.
    "sqs" => sqs as Sqs;
    /// The objects that are created in a bucket.
    "s3" => s3 as S3;
    /// The change stream of a table.
    "dynamodb-stream" => dynamodb_stream as DynamodbStream;
    /// A data stream.
    "kinesis" => kinesis as Kinesis;
    /// A topic of the event log.
    "kafka" => kafka as Kafka;
    /// Executions of tasks.
    "task" => task as Task;
}
