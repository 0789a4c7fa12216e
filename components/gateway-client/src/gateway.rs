//! One call of the gateway.

use crate::answer;
use crate::bindings::exports::registration::platform::types::{Error, ErrorKind};
use bytes::Bytes;
use http_body_util::Full;
use serde::{Serialize, de::DeserializeOwned};
use spin_sdk::http::{Request, body::IncomingBodyExt};
use spin_sdk::variables;

/// Calls a function of the platform, named `<interface>/<function>`.
pub async fn call<T: DeserializeOwned>(function: &str, args: impl Serialize) -> Result<T, Error> {
    let (url, token) = (variable("gateway_url").await?, variable("gateway_token").await?);
    let invalid = |error: String| Error::new(ErrorKind::Invalid, format!("{function} cannot be called: {error}"));
    let body = serde_json::to_vec(&args).map_err(|error| invalid(error.to_string()))?;
    let request = Request::post(format!("{}/platform/{function}", url.trim_end_matches('/')))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| invalid(error.to_string()))?;
    let unreachable = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Unavailable, format!("{function}: the gateway did not answer: {error}"))
    };
    let response = spin_sdk::http::send(request).await.map_err(|error| unreachable(&error))?;
    let status = response.status().as_u16();
    let body = response.into_body().bytes().await.map_err(|error| unreachable(&error))?;
    answer::read(function, status, &body)
}

/// A variable that the manifest must set. Without it, calls are denied.
async fn variable(name: &str) -> Result<String, Error> {
    let value = variables::get(name).await.ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| {
        let message = format!("the variable {name} is not set: set it for this component in spin.toml");
        Error::new(ErrorKind::Denied, message)
    })
}
