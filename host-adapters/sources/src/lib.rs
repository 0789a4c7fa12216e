//! What feeds workers: one folder per kind of source, and one line in the list below.
//!
//! A folder makes the typed event of what it receives by one function (`event.rs`), which the host calls with what it
//! read and the guests' library with a record of AWS Lambda's (`lambda.rs`); so a worker sees the same event either
//! way. That part compiles for guests. Its settings, the source itself and how its dead letters go back are under the
//! feature `host`.
//!
//! A folder `<kind>` provides:
//!
//! | | |
//! |---|---|
//! | `LAMBDA` | the records of AWS Lambda's that it makes events of |
//! | `Config` | the settings, which implement [`SourceSettings`] (`host`) |
//! | `RECOVERY` | how a record that became a dead letter goes back (`host`) |

#[cfg(feature = "host")]
mod host;
pub mod lambda;

#[cfg(feature = "host")]
pub use host::*;

/// Makes the modules of all kinds of source and what chooses among them.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:literal => $module:ident as $variant:ident;)+) => {
        $(pub mod $module;)+

        /// The shapes of all kinds.
        const LAMBDA: &[&[lambda::Shape]] = &[$($module::LAMBDA),+];

        /// A source as the manifest declares it.
        #[cfg(feature = "host")]
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub enum SourceConfig {
            $($(#[doc = $doc])* $variant($module::Config),)+
        }

        #[cfg(feature = "host")]
        impl SourceConfig {
            /// The words for the kinds, as the manifest's `type` and the names of sources have them.
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

            /// What the source is called in logs, metrics and dead letters: `<kind>:<name>`.
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

            /// The source itself.
            pub fn source(self, context: &SourceContext) -> std::sync::Arc<dyn Source> {
                match self {
                    $(Self::$variant(config) => config.source(context),)+
                }
            }
        }

        /// How records of a kind of source go back; `None` for a kind that there is not.
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
