//! `POST /platform/<interface>/<function>`: each function of the platform, by the types of its wire.

use super::Gateway;
use super::callers::Caller;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use platform_wire::{Answer, Function, Platform, documents, identity, queue, table};

/// A route for one function: its arguments are the body, its answer `{"ok": …}` or `{"error": {…}}`.
macro_rules! function {
    ($router:expr, $arguments:ty, $method:ident) => {
        $router.route(
            &format!("/platform/{}", <$arguments>::PATH),
            post(async |State(gateway): State<Gateway>, Caller(caller): Caller, Json(arguments): Json<$arguments>| {
                Json(Answer::from(gateway.platform.$method(&caller, arguments).await))
            }),
        )
    };
}

pub(super) fn routes() -> Router<Gateway> {
    let router = Router::new();
    let router = function!(router, table::BatchGet, table_batch_get);
    let router = function!(router, table::BatchWrite, table_batch_write);
    let router = function!(router, table::BatchUpdate, table_batch_update);
    let router = function!(router, table::Query, table_query);
    let router = function!(router, queue::SendBatch, queue_send_batch);
    let router = function!(router, documents::FindOne, documents_find_one);
    let router = function!(router, documents::ReplaceOne, documents_replace_one);
    function!(router, identity::Verify, identity_verify)
}
