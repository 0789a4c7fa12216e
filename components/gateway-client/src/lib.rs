//! The platform over HTTP: provides a worker's imports of `registration:platform` on a Spin host.
//!
//! Each function is one `POST {gateway_url}/platform/<interface>/<function>` to the gateway of `host-adapters`, with
//! `Authorization: Bearer {gateway_token}`; both are Spin variables of the worker that it is composed with. The gateway
//! checks the grants that the token stands for. Under `host-adapters up` the same imports are host functions and this
//! component is not used.

mod answer;
mod convert;
mod gateway;

#[allow(missing_docs, unsafe_code, reason = "generated; the meanings are in platform.wit")]
mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit",
        world: "registration:platform/gateway-client",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });

    #[cfg(target_arch = "wasm32")]
    export!(GatewayClient with_types_in self);
    #[cfg(target_arch = "wasm32")]
    use super::GatewayClient;
}

use bindings::exports::registration::platform::{documents, identity, queue, table, types::Error};
use gateway::call;
use platform_wire as wire;

/// Exports every interface of the platform.
struct GatewayClient;

impl table::Guest for GatewayClient {
    async fn batch_get(table: String, keys: Vec<table::Key>) -> Result<Vec<Option<String>>, Error> {
        call(wire::table::BatchGet { table, keys: keys.into_iter().map(Into::into).collect() }).await
    }

    async fn batch_write(
        table: String,
        puts: Vec<String>,
        deletes: Vec<table::Key>,
    ) -> Result<Vec<Option<Error>>, Error> {
        let deletes = deletes.into_iter().map(Into::into).collect();
        Ok(convert::errors(call(wire::table::BatchWrite { table, puts, deletes }).await?))
    }

    async fn batch_update(table: String, updates: Vec<table::Update>) -> Result<Vec<Option<Error>>, Error> {
        let updates = updates.into_iter().map(Into::into).collect();
        Ok(convert::errors(call(wire::table::BatchUpdate { table, updates }).await?))
    }

    async fn query(
        table: String,
        pk: String,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<table::Page, Error> {
        let page = call(wire::table::Query { table, pk, prefix, after, limit }).await?;
        Ok(table::Page { items: page.items, next: page.next })
    }
}

impl queue::Guest for GatewayClient {
    async fn send_batch(queue: String, messages: Vec<queue::Message>) -> Result<Vec<Result<String, Error>>, Error> {
        let messages = messages.into_iter().map(Into::into).collect();
        let sent = call(wire::queue::SendBatch { queue, messages }).await?;
        Ok(sent.into_iter().map(|answer| Result::from(answer).map_err(Into::into)).collect())
    }
}

impl documents::Guest for GatewayClient {
    async fn find_one(collection: String, filter: String) -> Result<Option<String>, Error> {
        call(wire::documents::FindOne { collection, filter }).await
    }

    async fn replace_one(collection: String, filter: String, document: String) -> Result<(), Error> {
        call(wire::documents::ReplaceOne { collection, filter, document }).await
    }
}

impl identity::Guest for GatewayClient {
    async fn verify(token: String) -> Result<identity::Claims, Error> {
        let wire::identity::Claims { subject, email, member_id, idv } = call(wire::identity::Verify { token }).await?;
        Ok(identity::Claims { subject, email, member_id, idv })
    }
}
