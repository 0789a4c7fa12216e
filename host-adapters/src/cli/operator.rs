//! Shared by the commands that ask a running host: its gateway, the operator's token, and how responses are shown.

use anyhow::{Context, Result, bail};
use clap::Args;
use comfy_table::{Table, presets};
use reqwest::{Body, Client, Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The default address of a host's gateway.
pub(super) const DEFAULT_GATEWAY: &str = "http://127.0.0.1:3100";

const UNKNOWN_TOKEN: &str = "the gateway does not know this token; use that of a client of spin.toml";

/// A running host, and a token for it.
#[derive(Args, Clone)]
pub(super) struct Operator {
    /// The running host's gateway.
    #[arg(long, default_value = DEFAULT_GATEWAY)]
    gateway: String,
    /// The token of a client of spin.toml with the grants for the command.
    #[arg(long, env = "HOST_ADAPTERS_TOKEN", hide_env_values = true)]
    token: String,
}

/// The host refused the request.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

/// A host's refusal: its kind and its reason.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refusal {
    kind: String,
    message: String,
}

impl Refusal {
    /// Whether the request is about something that is not there.
    pub(super) fn is_of_nothing(&self) -> bool {
        matches!(self.kind.as_str(), "NotFound" | "NOT_FOUND")
    }
}

impl Operator {
    /// For commands that do not always need a host.
    pub(super) fn new(gateway: String, token: String) -> Self {
        Self { gateway, token }
    }

    /// The response to a request; a refusal is the error [`Refused`].
    ///
    /// # Errors
    /// As [`Operator::ask`], and when the host refuses.
    pub(super) async fn expect(&self, what: &str, question: &Value) -> Result<Value> {
        Ok(self.ask(what, question).await?.map_err(|refusal| Refused(refusal.message))?)
    }

    /// The response to a request, or the host's refusal.
    ///
    /// # Errors
    /// When no host answers, or it does not know the token.
    pub(super) async fn ask(&self, what: &str, question: &Value) -> Result<Result<Value, Refusal>> {
        self.answer(what, |request| request.json(question)).await
    }

    /// [`Operator::ask`] with a file as the request.
    pub(super) async fn send(&self, what: &str, file: impl Into<Body>) -> Result<Result<Value, Refusal>> {
        self.answer(what, |request| request.header("content-type", "application/wasm").body(file)).await
    }

    /// A request to a path with its own methods and statuses.
    pub(super) fn request(&self, client: &Client, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/{path}", self.gateway.trim_end_matches('/'));
        client.request(method, url).bearer_auth(&self.token)
    }

    /// The response to such a request, or the host's refusal.
    ///
    /// # Errors
    /// When no host answers, or it does not know the token, or answers something else.
    pub(super) async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<Result<T, Refusal>> {
        let response = request.send().await;
        let response =
            response.with_context(|| format!("no host answers at {}; is `host-adapters up` running?", self.gateway))?;
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            bail!(UNKNOWN_TOKEN);
        }
        let body = response.bytes().await.context("the gateway's answer broke off")?;
        if status.is_success() {
            // Not by way of a value, which would round numbers.
            return Ok(Ok(serde_json::from_slice(&body).context("the gateway's answer is not of this version")?));
        }
        let answer: Value = serde_json::from_slice(&body).with_context(|| format!("the gateway answered {status}"))?;
        let error = answer.get("error").with_context(|| format!("the gateway answered {status}"))?;
        Ok(Err(Refusal { kind: text(error, "code"), message: text(error, "message") }))
    }

    async fn answer(
        &self,
        what: &str,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Result<Value, Refusal>> {
        let url = format!("{}/operator/{what}", self.gateway.trim_end_matches('/'));
        let request = reqwest::Client::new().post(&url).bearer_auth(&self.token);
        let response = with(request).send().await;
        let response = response.with_context(|| format!("no host answers at {url}; is `host-adapters up` running?"))?;
        if response.status() == StatusCode::UNAUTHORIZED {
            bail!(UNKNOWN_TOKEN);
        }
        let mut answer: Value = response.error_for_status()?.json().await?;
        if let Some(error) = answer.get("Err") {
            return Ok(Err(Refusal { kind: text(error, "kind"), message: text(error, "message") }));
        }
        let answer = answer.get_mut("Ok").context("the gateway's answer has neither `Ok` nor `Err`")?;
        Ok(Ok(answer.take()))
    }
}

/// The list in the field `name`.
pub(super) fn rows<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A field, formatted for people.
pub(super) fn text(row: &Value, name: &str) -> String {
    row.get(name).map_or_else(String::new, |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Rows below a header, without borders.
pub(super) fn table<const N: usize>(header: [&str; N], rows: &[Value], cells: impl Fn(&Value) -> [String; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(cells(row));
    }
    table
}
