//! Sources of events for workers: one folder per kind, and one line in the list below.
//!
//! A folder makes typed events of what it receives in one function (`event.rs`). The host calls it with the records
//! that it read, the guests' library with a record of AWS Lambda's (`lambda.rs`), so a worker sees the same event
//! either way. That part compiles for guests. The settings, the source itself and the way back of its dead letters are
//! under the feature `host`.
//!
//! A folder `<kind>` provides:
//!
//! | | |
//! |---|---|
//! | `LAMBDA` | the AWS Lambda records that it makes events of |
//! | `Config` | the settings, which implement [`SourceSettings`] (`host`) |
//! | `RECOVERY` | how a record that became a dead letter goes back (`host`) |

#[cfg(feature = "host")]
mod host;
pub mod lambda;

#[cfg(feature = "host")]
pub use host::*;

/// Makes the modules of all kinds of source and the functions that choose among them.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:literal => $module:ident as $variant:ident;)+) => {
        $(pub mod $module;)+

        /// The shapes of all kinds of record.
        const LAMBDA: &[&[lambda::Shape]] = &[$($module::LAMBDA),+];

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
            pub fn read(kind: &str, fields: host_adapters_settings::Fields<'_, '_>) -> Option<Self> {
                match kind {
                    $($kind => host::read(fields).map(Self::$variant),)+
                    _ => None,
                }
            }

            /// The source's name in logs, metrics and dead letters: `<kind>:<name>`.
            pub fn name(&self) -> String {
                match self {
                    $(Self::$variant(config) => config.name(),)+
                }
            }

            /// The queue that dead letters of `worker` go to.
            pub fn dead_letter_queue(&self, worker: &str) -> String {
                match self {
                    $(Self::$variant(config) => config.dead_letter_queue(worker),)+
                }
            }

            /// Makes the source of these settings.
            pub fn source(self, context: &SourceContext) -> std::sync::Arc<dyn Source> {
                match self {
                    $(Self::$variant(config) => config.source(context),)+
                }
            }
        }

        /// How records of a kind of source go back; `None` for an unknown kind.
        #[cfg(feature = "host")]
        pub fn recovery(kind: &str) -> Option<host_adapters_delivery::redrive::Recovery> {
            match kind {
                $($kind => Some($module::RECOVERY),)+
                _ => None,
            }
        }
    };
}

kinds! {
    /// A queue.
    "sqs" => sqs as Sqs;
    /// The change stream of a table.
    "dynamodb-stream" => dynamodb_stream as DynamodbStream;
}
