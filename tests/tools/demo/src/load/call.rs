//! A call of check-eligibility as AppSync makes it, repeated as a browser would.

use crate::generate::{Fan, Registration};
use crate::host::Endpoint;
use anyhow::{Context, Result};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often a call is repeated after an error of the server.
const REPEATS: u32 = 5;
/// The pause before the first repeat; it doubles each time.
const PAUSE: Duration = Duration::from_millis(100);
/// The pause between attempts while the host is away.
const AWAY: Duration = Duration::from_millis(50);
/// Most attempts while the host goes away again and again.
const RECONNECTS: u32 = 2_000;

/// Calls the host.
#[derive(Clone)]
pub struct Caller {
    http: Client,
    endpoint: Endpoint,
    repeated: Arc<AtomicU64>,
}

/// The response of check-eligibility.
#[derive(Clone, Debug, PartialEq)]
pub enum EligibilityResponse {
    /// The fan may enter.
    Eligible {
        /// The campaign.
        campaign_id: String,
        /// The entry, normalised.
        fields: Value,
        /// The campaign that it is transferred from.
        linked_campaign_id: Option<String>,
    },
    /// The fan may not enter.
    Ineligible {
        /// The reason.
        reason: String,
        /// The detail.
        detail: Option<Value>,
        /// The campaign, if there is one.
        campaign_id: Option<String>,
    },
}

/// The response on the wire.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    is_eligible: bool,
    reason: Option<String>,
    detail: Option<Value>,
    campaign_id: Option<String>,
    #[serde(default)]
    fields: Value,
    linked_campaign_id: Option<String>,
}

impl EligibilityResponse {
    /// The reason; `None` if the fan may enter.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Eligible { .. } => None,
            Self::Ineligible { reason, .. } => Some(reason),
        }
    }

    /// A response that check-eligibility never sends.
    fn strange(what: String) -> Self {
        Self::Ineligible { reason: "NO_ANSWER".to_owned(), detail: Some(what.into()), campaign_id: None }
    }

    fn is_passing(&self) -> bool {
        self.reason() == Some("INTERNAL_SERVER_ERROR")
    }
}

impl From<Wire> for EligibilityResponse {
    fn from(wire: Wire) -> Self {
        let Wire { is_eligible, reason, detail, campaign_id, fields, linked_campaign_id } = wire;
        match is_eligible {
            true => Self::Eligible { campaign_id: campaign_id.unwrap_or_default(), fields, linked_campaign_id },
            false => Self::Ineligible { reason: reason.unwrap_or_default(), detail, campaign_id },
        }
    }
}

/// The AppSync resolver's event.
pub fn event(registration: &Registration, fan: &Fan) -> Vec<u8> {
    let mut body =
        json!({ "slug": registration.slug, "entry": registration.entry, "userInfo": fan.user_info(registration) });
    if let (Some(body), Some(do_transfer)) = (body.as_object_mut(), registration.do_transfer) {
        body.insert("doTransfer".to_owned(), do_transfer.into());
    }
    json!({ "arguments": { "input": { "body": body } }, "request": { "headers": {} } }).to_string().into_bytes()
}

impl Caller {
    /// Calls the host at an endpoint.
    pub fn new(http: Client, endpoint: Endpoint) -> Self {
        Self { http, endpoint, repeated: Arc::default() }
    }

    /// The number of calls that were repeated because of an error of the server.
    pub(super) fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    /// The last response to a call. An error only if the host does not come back.
    pub(super) async fn check(&self, token: &str, body: Vec<u8>, position: usize) -> Result<EligibilityResponse> {
        let (mut repeats, mut away) = (0, 0);
        loop {
            let answer = match self.once(token, body.clone(), position).await {
                Ok(answer) => answer?,
                Err(_) if away < RECONNECTS => {
                    away += 1;
                    tokio::time::sleep(AWAY).await;
                    continue;
                }
                Err(error) => return Err(error).context("the host cannot be reached"),
            };
            let passing = answer.as_ref().map_or(true, EligibilityResponse::is_passing);
            if !passing || repeats == REPEATS {
                return Ok(answer.unwrap_or_else(|status| EligibilityResponse::strange(format!("status {status}"))));
            }
            tokio::time::sleep(PAUSE * 2u32.pow(repeats)).await;
            repeats += 1;
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One attempt: an error of the connection, no host, a status 5xx, or a response.
    async fn once(
        &self,
        token: &str,
        body: Vec<u8>,
        position: usize,
    ) -> reqwest::Result<Result<Result<EligibilityResponse, StatusCode>>> {
        let address = match self.endpoint.addresses().await {
            Ok(addresses) => addresses.http,
            Err(gone) => return Ok(Err(gone)),
        };
        let request = self.http.post(format!("{address}/workers/check-eligibility")).bearer_auth(token).body(body);
        let request = request.header("content-type", "application/json");
        let response = request.header("x-correlation-id", format!("demo-{position}")).send().await?;
        let status = response.status();
        let bytes = response.bytes().await?;
        Ok(Ok(match status {
            StatusCode::OK => Ok(match serde_json::from_slice::<Wire>(&bytes) {
                Ok(wire) => wire.into(),
                Err(error) => EligibilityResponse::strange(format!("not a response of check-eligibility: {error}")),
            }),
            status if status.is_server_error() => Err(status),
            status => Ok(EligibilityResponse::strange(format!("status {status}: {}", String::from_utf8_lossy(&bytes)))),
        }))
    }
}

#[cfg(test)]
mod tests;
