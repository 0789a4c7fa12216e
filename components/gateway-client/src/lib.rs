//! The platform over HTTP: provides a worker's imports of `registration:platform` on a Spin host.
//!
//! Each function is one `POST {gateway_url}/platform/<interface>/<function>` to the gateway of `host-adapters`, with
//! `Authorization: Bearer {gateway_token}`; both are Spin variables of the worker that it is composed with. The gateway
//! checks the grants of the token's owner. Under `host-adapters up` the same imports are host functions and this
//! component is not used.

mod answer;
mod gateway;

#[allow(missing_docs, unsafe_code, reason = "generated; the meanings are in platform.wit")]
mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit",
        world: "registration:platform/gateway-client",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        additional_derives: [serde::Deserialize, serde::Serialize],
        generate_all,
    });

    #[cfg(target_arch = "wasm32")]
    export!(GatewayClient with_types_in self);
    #[cfg(target_arch = "wasm32")]
    use super::GatewayClient;
}

use bindings::exports::registration::platform::{types::Error, *};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Exports every interface of the platform.
struct GatewayClient;

/// Forwards functions of the platform; arguments are passed by name. Each interface is listed with its name in WIT.
macro_rules! forward {
    ($($interface:ident $interface_wit:literal { $(
        $wit:literal $function:ident($($argument:ident: $type:ty),*) -> $output:ty;
    )* })*) => {
        /// The arguments of each function, as they cross.
        #[allow(missing_docs, reason = "meanings as in platform.wit")]
        mod arguments { $(
            pub mod $interface { $(
                pub mod $function {
                    #[allow(unused_imports, reason = "some have plain arguments only")]
                    use crate::*;

                    #[derive(serde::Deserialize, serde::Serialize)]
                    pub struct Arguments {
                        $(pub $argument: $type,)*
                    }
                }
            )* }
        )* }

        $(impl $interface::Guest for GatewayClient {
            $(async fn $function($($argument: $type),*) -> Result<$output, Error> {
                let arguments = arguments::$interface::$function::Arguments { $($argument),* };
                gateway::call(concat!($interface_wit, "/", $wit), arguments).await
            })*
        })*

        /// Every function, for the test that compares this end of the gateway with the other.
        pub const FUNCTIONS: &[Function] = &[$($(Function {
            path: concat!($interface_wit, "/", $wit),
            arguments: again::<arguments::$interface::$function::Arguments>,
            answer: again::<Result<$output, Error>>,
        },)*)*];
    };
}

forward! {
    table "table" {
        "batch-get" batch_get(table: String, keys: Vec<table::Key>) -> Vec<Option<String>>;
        "batch-write" batch_write(table: String, puts: Vec<String>, deletes: Vec<table::Key>) -> Vec<Option<Error>>;
        "batch-update" batch_update(table: String, updates: Vec<table::Update>) -> Vec<Option<Error>>;
        "query" query(table: String, pk: String, prefix: String, after: Option<String>, limit: u32) -> table::Page;
    }
    queue "queue" {
        "send-batch" send_batch(queue: String, messages: Vec<queue::Message>) -> Vec<Result<String, Error>>;
    }
    documents "documents" {
        "find-one" find_one(collection: String, filter: String) -> Option<String>;
        "find" find(collection: String, query: documents::FindQuery) -> documents::DocumentPage;
        "replace-one" replace_one(collection: String, filter: String, document: String) -> ();
        "update-one" update_one(collection: String, filter: String, update: String) -> documents::UpdateResult;
    }
    objects "objects" {
        "head" head(bucket: String, key: String) -> objects::ObjectInfo;
        "get-range" get_range(bucket: String, key: String, etag: String, range: objects::ByteRange) -> Vec<u8>;
        "put" put(bucket: String, key: String, content: Vec<u8>) -> String;
        "list" list(bucket: String, prefix: String, after: Option<String>, limit: u32) -> objects::ObjectPage;
    }
    data_streams "data-streams" {
        "put-records" put_records(stream: String, records: Vec<data_streams::DataRecord>) -> Vec<Result<String, Error>>;
    }
    topic "topic" {
        "publish-batch" publish_batch(topic: String, messages: Vec<topic::TopicMessage>) -> Vec<Result<String, Error>>;
    }
    identity "identity" {
        "verify" verify(token: String) -> identity::Claims;
    }
    service "service" {
        "call" call(service: String, request: service::ServiceRequest) -> service::ServiceResponse;
    }
    event_log "event-log" {
        "produce" produce(topic: String, records: Vec<event_log::LogRecord>) -> Vec<Result<(), Error>>;
    }
}

/// A function as this end of the gateway knows it.
#[derive(Debug)]
pub struct Function {
    /// `<interface>/<function>`.
    pub path: &'static str,
    /// Reads the arguments and writes them again.
    pub arguments: fn(Value) -> serde_json::Result<Value>,
    /// Reads the answer and writes it again.
    pub answer: fn(Value) -> serde_json::Result<Value>,
}

fn again<T: Serialize + DeserializeOwned>(value: Value) -> serde_json::Result<Value> {
    serde_json::to_value(serde_json::from_value::<T>(value)?)
}
