//! `POST /platform/<interface>/<function>`: one route for each function of the platform. The body holds the arguments,
//! the response is `{"Ok": …}` or `{"Err": …}`.

use super::Gateway;
use super::callers;
use super::refusal::Arguments;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use host_adapters_records::{self as records, Function, Platform, platform_functions};

macro_rules! router {
    ($($interface:ident $interface_wit:literal { $(
        $method:ident $wit:literal $arguments:ident($($argument:ident: $type:ty),*) $(of $resource:ident)? -> $output:ty;
    )* })*) => {
        pub(super) fn routes() -> Router<Gateway> {
            Router::new() $($(.route(
                &format!("/platform/{}", records::$interface::$arguments::PATH),
                post(
                    async |State(gateway): State<Gateway>,
                           callers::Caller(caller): callers::Caller,
                           Arguments(args): Arguments<records::$interface::$arguments>| {
                        Json(gateway.platform.$method(records::Caller::client(&caller), args).await)
                    },
                ),
            ))*)*
        }
    };
}

platform_functions!(router);
