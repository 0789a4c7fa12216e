//! The platform over HTTP: provides a worker's imports of `registration:platform` on a Spin host.
//!
//! Each function is one `POST {gateway_url}/platform/<interface>/<function>` to the gateway of `host-adapters`, with
//! `Authorization: Bearer {gateway_token}`; both are Spin variables of the worker that it is composed with. The gateway
//! checks the grants that the token stands for. Under `host-adapters up` the same imports are host functions and this
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

use bindings::exports::registration::platform::{documents, identity, queue, table, types::Error};

/// Exports every interface of the platform.
struct GatewayClient;

/// Forwards the functions of an interface; their arguments cross by their names.
macro_rules! forward {
    ($interface:ident: $($wit:literal $function:ident($($argument:ident: $type:ty),*) -> $output:ty;)*) => {
        impl $interface::Guest for GatewayClient {
            $(async fn $function($($argument: $type),*) -> Result<$output, Error> {
                #[derive(serde::Serialize)]
                struct Arguments {
                    $($argument: $type,)*
                }
                gateway::call(concat!(stringify!($interface), "/", $wit), Arguments { $($argument),* }).await
            })*
        }
    };
}

forward! { table:
    "batch-get" batch_get(table: String, keys: Vec<table::Key>) -> Vec<Option<String>>;
    "batch-write" batch_write(table: String, puts: Vec<String>, deletes: Vec<table::Key>) -> Vec<Option<Error>>;
    "batch-update" batch_update(table: String, updates: Vec<table::Update>) -> Vec<Option<Error>>;
    "query" query(table: String, pk: String, prefix: String, after: Option<String>, limit: u32) -> table::Page;
}

forward! { queue:
    "send-batch" send_batch(queue: String, messages: Vec<queue::Message>) -> Vec<Result<String, Error>>;
}

forward! { documents:
    "find-one" find_one(collection: String, filter: String) -> Option<String>;
    "find" find(collection: String, query: documents::FindQuery) -> documents::DocumentPage;
    "replace-one" replace_one(collection: String, filter: String, document: String) -> ();
    "update-one" update_one(collection: String, filter: String, update: String) -> documents::UpdateResult;
}

forward! { identity:
    "verify" verify(token: String) -> identity::Claims;
}
