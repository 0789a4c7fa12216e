//! Reads the services for the checks: over their own interfaces, page by page.

use crate::selection::{CodeState, EntryCode, Stats};
use crate::tokens::Key;
use anyhow::{Context, Result, bail};
use backon::{ExponentialBuilder, Retryable};
use fake_services::{FakeServices, Service};
use reqwest::{Client, Method};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

const PAGE: usize = 1_000;

/// Reads are repeated: the services may have been told to fail.
const REPEATS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(50))
    .with_max_delay(Duration::from_secs(1))
    .with_max_times(8);

/// A client of the services.
pub struct Services {
    http: Client,
    entry: Base,
    user: Base,
    campaign: Base,
    code: Base,
}

/// A code as the Code Service's control API shows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PooledCode {
    code: String,
    market_id: String,
    state: CodeState,
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
        let [entry, user] = [base(Service::Entry)?, base(Service::User)?];
        let [campaign, code] = [base(Service::Campaign)?, base(Service::Code)?];
        Ok(Self { http, entry, user, campaign, code })
    }

    /// All entries of a campaign in the Entry Service.
    pub async fn entries(&self, campaign: &str) -> Result<Vec<Value>> {
        self.pages(&self.entry, &format!("/{campaign}/entries?"), "entries").await
    }

    /// All campaigns of which the Entry Service was ever sent an entry.
    pub async fn campaigns_of_entries(&self) -> Result<Vec<String>> {
        let mut answer = self.read(&self.entry, "/_control/campaigns").await?;
        let campaigns = answer.get_mut("campaigns").map(Value::take).unwrap_or_default();
        serde_json::from_value(campaigns).context("the campaigns of the Entry Service")
    }

    /// Entries whose score failed and was not computed again: campaign and fan.
    pub async fn unscored(&self) -> Result<Vec<(String, String)>> {
        let mut answer = self.read(&self.entry, "/_control/unscored").await?;
        let entries = answer.get_mut("unscored").map(Value::take).unwrap_or_default();
        serde_json::from_value(entries).context("the entries without a score")
    }

    /// All profiles in the User Service.
    pub async fn profiles(&self) -> Result<Vec<Value>> {
        self.pages(&self.user, "/users?", "users").await
    }

    /// The codes that the Entry Service has for winners of a market, by globalUserId.
    pub async fn entry_codes(&self, campaign: &str, market: &str) -> Result<Vec<(String, EntryCode)>> {
        let path = format!("/{campaign}/scoring-records?marketId={market}&state=assigned&");
        let records = self.pages(&self.entry, &path, "records").await?.into_iter();
        let code = |mut record: Value| {
            let fan = record.get("globalUserId").and_then(Value::as_str).context("an assigned record has no fan")?;
            let fan = fan.to_owned();
            let code = record.get_mut("code").map(Value::take).unwrap_or_default();
            Ok((fan, serde_json::from_value(code).context("an assigned record has no code")?))
        };
        records.map(code).collect()
    }

    /// What was reported about the selection of a market, in order.
    pub async fn stats(&self, campaign: &str, market: &str) -> Result<Vec<Stats>> {
        let mut answer = self.read(&self.entry, &format!("/_control/stats/{campaign}")).await?;
        let stats = answer.get_mut("stats").map(Value::take).unwrap_or_default();
        let stats: Vec<Value> = serde_json::from_value(stats).context("the stats of the Entry Service")?;
        let of_market = stats.into_iter().filter(|it| it.get("marketId").is_some_and(|id| id == market));
        of_market.map(|it| serde_json::from_value(it).context("stats of the Entry Service")).collect()
    }

    /// The codes of a market, and what became of each.
    pub async fn codes(&self, campaign: &str, market: &str) -> Result<BTreeMap<String, CodeState>> {
        let codes = self.pooled(campaign).await?.into_iter().filter(|code| code.market_id == market);
        Ok(codes.map(|code| (code.code, code.state)).collect())
    }

    /// The codes of a campaign that the Code Service has as assigned.
    pub async fn assigned_codes(&self, campaign: &str) -> Result<HashSet<String>> {
        let codes = self.pooled(campaign).await?.into_iter().filter(|code| code.state == CodeState::Assigned);
        Ok(codes.map(|code| code.code).collect())
    }

    async fn pooled(&self, campaign: &str) -> Result<Vec<PooledCode>> {
        let mut answer = self.read(&self.code, &format!("/_control/codes/{campaign}")).await?;
        let codes = answer.get_mut("codes").map(Value::take).unwrap_or_default();
        serde_json::from_value(codes).context("the codes of the Code Service")
    }

    /// What the services report as a violation of their rules.
    pub async fn violations(&self) -> Result<Vec<String>> {
        let mut violations = Vec::new();
        for base in [&self.entry, &self.code] {
            let mut answer = self.read(base, "/_control/violations").await?;
            let told = answer.get_mut("violations").map(Value::take).unwrap_or_default();
            let told: Vec<String> = serde_json::from_value(told).context("the violations")?;
            violations.extend(told);
        }
        Ok(violations)
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

    /// Sends the Code Service a request of its control API.
    pub async fn tell_code(&self, path: &str, body: Value) -> Result<()> {
        self.send(&self.code, Method::POST, path, Some(body)).await.map(drop)
    }

    /// Puts a document into the Campaign Service by its control API.
    pub async fn put_campaign(&self, path: &str, body: Value) -> Result<()> {
        self.send(&self.campaign, Method::PUT, path, Some(body)).await.map(drop)
    }

    /// All records of a path that ends with `?` or `&`.
    async fn pages(&self, base: &Base, path: &str, name: &str) -> Result<Vec<Value>> {
        let (mut records, mut after) = (Vec::new(), None);
        loop {
            let after_it = after.map(|after| format!("&after={after}")).unwrap_or_default();
            let path = format!("{path}limit={PAGE}{after_it}");
            let mut page = self.read(base, &path).await?;
            match page.get_mut(name).map(Value::take) {
                Some(Value::Array(found)) => records.extend(found),
                _ => bail!("{path}: the answer has no {name}"),
            }
            match page.get("next").and_then(Value::as_str) {
                Some(next) => after = Some(next.to_owned()),
                None => return Ok(records),
            }
        }
    }

    async fn read(&self, base: &Base, path: &str) -> Result<Value> {
        (|| self.send(base, Method::GET, path, None)).retry(REPEATS).await
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
