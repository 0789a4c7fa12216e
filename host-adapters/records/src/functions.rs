//! All functions of the platform, and what is made from the list here. Other crates make more of it.

use crate::{Error, ErrorKind, Function, Weight};

/// Passes all functions of the platform to a macro:
///
/// - for each interface: its name, and its name in WIT;
/// - for each function: the method of [`Platform`], its name in WIT, the type of its arguments, and these. `of` names
///   the argument that names the resource.
#[macro_export]
macro_rules! platform_functions {
    ($consumer:ident) => {
        $consumer! {
            table "registration:platform/table@1.0.0" {
                table_batch_get "batch-get" BatchGet(
                    table: String, keys: Vec<$crate::table::Key>
                ) of table -> Vec<Option<String>>;
                table_batch_write "batch-write" BatchWrite(
                    table: String, puts: Vec<String>, deletes: Vec<$crate::table::Key>
                ) of table -> Vec<Option<$crate::Error>>;
                table_batch_update "batch-update" BatchUpdate(
                    table: String, updates: Vec<$crate::table::Update>
                ) of table -> Vec<Option<$crate::Error>>;
                table_query "query" Query(
                    table: String, pk: String, prefix: String, after: Option<String>, limit: u32
                ) of table -> $crate::table::Page;
            }
            queue "registration:platform/queue@1.0.0" {
                queue_send_batch "send-batch" SendBatch(
                    queue: String, messages: Vec<$crate::queue::Message>
                ) of queue -> Vec<Result<String, $crate::Error>>;
            }
            documents "registration:platform/documents@1.0.0" {
                documents_find_one "find-one" FindOne(
                    collection: String, filter: String
                ) of collection -> Option<String>;
                documents_find "find" Find(
                    collection: String, query: $crate::documents::FindQuery
                ) of collection -> $crate::documents::DocumentPage;
                documents_replace_one "replace-one" ReplaceOne(
                    collection: String, filter: String, document: String
                ) of collection -> ();
                documents_update_one "update-one" UpdateOne(
                    collection: String, filter: String, update: String
                ) of collection -> $crate::documents::UpdateResult;
            }
            identity "registration:platform/identity@1.0.0" {
                identity_verify "verify" Verify(token: String) -> $crate::identity::Claims;
            }
            service "registration:platform/service@1.0.0" {
                service_call "call" CallService(
                    service: String, request: $crate::service::ServiceRequest
                ) of service -> $crate::service::ServiceResponse;
            }
        }
    };
}

macro_rules! arguments {
    ($($interface:ident $interface_wit:literal { $(
        $method:ident $wit:literal $arguments:ident($($argument:ident: $type:ty),*) $(of $resource:ident)? -> $output:ty;
    )* })*) => { $(
        #[doc = concat!("`", $interface_wit, "`: its records, and the arguments of its functions.")]
        pub mod $interface {
            pub use crate::records::$interface::*;
            use super::{Function, Weight};

            $(
                #[doc = concat!("The arguments of `", $wit, "`; meanings as in `platform.wit`.")]
                #[allow(missing_docs, reason = "meanings as in platform.wit")]
                #[derive(Clone, PartialEq, serde::Deserialize, serde::Serialize)]
                #[serde(deny_unknown_fields)]
                pub struct $arguments {
                    $(pub $argument: $type,)*
                }

                impl Weight for $arguments {
                    fn weight(&self) -> usize {
                        0 $(+ self.$argument.weight())*
                    }
                }

                impl Function for $arguments {
                    const PATH: &'static str = concat!(stringify!($interface), "/", $wit);
                    type Output = $output;

                    fn resource(&self) -> String {
                        concat!(stringify!($interface)).to_owned() $(+ ":" + &self.$resource)?
                    }
                }
            )*
        }
    )* };
}

platform_functions!(arguments);

/// Who calls the platform, and whose grants hold: a component or a client of the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The component's id, or the client's name.
    pub name: &'a str,
    /// The digest of the component's version that calls; empty for callers of the gateway.
    pub digest: &'a str,
}

impl<'a> Caller<'a> {
    /// A caller of the gateway.
    pub fn client(name: &'a str) -> Self {
        Self { name, digest: "" }
    }
}

/// What a method of [`Platform`] answers.
pub type Output<F> = Result<<F as Function>::Output, Error>;

macro_rules! platform {
    ($($interface:ident $interface_wit:literal { $(
        $method:ident $wit:literal $arguments:ident($($argument:ident: $type:ty),*) $(of $resource:ident)? -> $output:ty;
    )* })*) => {
        /// The platform as the runtime and the gateway call it, whichever backend stands behind. One method per
        /// function. An implementation checks the caller's grants on every call. What a host does not implement it
        /// denies.
        #[async_trait::async_trait]
        #[allow(missing_docs, reason = "each method is the function whose arguments it takes")]
        pub trait Platform: Send + Sync + 'static {
            $($(
                async fn $method(
                    &self,
                    caller: Caller<'_>,
                    _: $interface::$arguments,
                ) -> Output<$interface::$arguments> {
                    let (path, name) = ($interface::$arguments::PATH, caller.name);
                    Err(Error::new(ErrorKind::Denied, format!("this host does not offer {path} to `{name}`")))
                }
            )*)*
        }
    };
}

platform_functions!(platform);
