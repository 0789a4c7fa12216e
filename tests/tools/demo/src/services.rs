//! Reads the services for the checks: over their own interfaces, page by page.

use crate::tokens::Key;
use anyhow::{Context, Result, bail};
use fake_services::{FakeServices, Service};
use reqwest::{Client, Method};
use serde_json::{Value, json};

const PAGE: usize = 1_000;

/// A client of the services.
pub struct Services {
    http: Client,
    entry: Base,
    user: Base,
    campaign: Base,
}

/// The address of a service, and its token.
struct Base {
    url: String,
    token: String,
}

impl Services {
    /// A client of the fakes with tokens of its own.
    pub fn new(http: Client, fakes: &FakeServices, key: &Key) -> Result<Self> {
        let base = |service: Service| {
            let token = key.sign(json!({ "iss": "demo", "sub": "checker", "aud": service.name() }))?;
            anyhow::Ok(Base { url: fakes.url(service), token })
        };
        Ok(Self { http, entry: base(Service::Entry)?, user: base(Service::User)?, campaign: base(Service::Campaign)? })
    }

    /// All entries of a campaign in the Entry Service.
    pub async fn entries(&self, campaign: &str) -> Result<Vec<Value>> {
        self.pages(&self.entry, &format!("/{campaign}/entries"), "entries").await
    }

    /// All campaigns of which the Entry Service was ever sent an entry.
    pub async fn campaigns_of_entries(&self) -> Result<Vec<String>> {
        let mut answer = self.send(&self.entry, Method::GET, "/_control/campaigns", None).await?;
        let campaigns = answer.get_mut("campaigns").map(Value::take).unwrap_or_default();
        serde_json::from_value(campaigns).context("the campaigns of the Entry Service")
    }

    /// Entries whose score failed and was not computed again: campaign and fan.
    pub async fn unscored(&self) -> Result<Vec<(String, String)>> {
        let mut answer = self.send(&self.entry, Method::GET, "/_control/unscored", None).await?;
        let entries = answer.get_mut("unscored").map(Value::take).unwrap_or_default();
        serde_json::from_value(entries).context("the entries without a score")
    }

    /// All profiles in the User Service.
    pub async fn profiles(&self) -> Result<Vec<Value>> {
        self.pages(&self.user, "/users", "users").await
    }

    /// Sends the Entry Service an entry as the host does.
    pub async fn upsert(&self, campaign: &str, entry: Value) -> Result<Value> {
        let body = json!({ "entries": [entry] });
        self.send(&self.entry, Method::POST, &format!("/{campaign}/entries"), Some(body)).await
    }

    /// Sends the Entry Service a request of its control API.
    pub async fn tell_entry(&self, path: &str, body: Value) -> Result<()> {
        self.send(&self.entry, Method::POST, path, Some(body)).await.map(drop)
    }

    /// Sends the User Service a request of its control API.
    pub async fn tell_user(&self, path: &str, body: Value) -> Result<()> {
        self.send(&self.user, Method::POST, path, Some(body)).await.map(drop)
    }

    /// Puts a document into the Campaign Service by its control API.
    pub async fn put_campaign(&self, path: &str, body: Value) -> Result<()> {
        self.send(&self.campaign, Method::PUT, path, Some(body)).await.map(drop)
    }

    async fn pages(&self, base: &Base, path: &str, name: &str) -> Result<Vec<Value>> {
        let (mut records, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("{path}?limit={PAGE}&after={after}");
            let mut page = self.send(base, Method::GET, &path, None).await?;
            match page.get_mut(name).map(Value::take) {
                Some(Value::Array(found)) => records.extend(found),
                _ => bail!("{path}: the answer has no {name}"),
            }
            match page.get("next").and_then(Value::as_str) {
                Some(next) => after = next.to_owned(),
                None => return Ok(records),
            }
        }
    }

    async fn send(&self, base: &Base, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let mut request = self.http.request(method, format!("{}{path}", base.url)).bearer_auth(&base.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?.error_for_status()?;
        response.json().await.with_context(|| format!("{path}: the answer is not JSON"))
    }
}
