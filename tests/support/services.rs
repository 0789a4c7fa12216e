//! Requests to the fakes of the services, from outside.

use crate::support::fan::now;
use crate::{TestHost, wait};
use fake_services::{Faults, Service};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl TestHost {
    /// The Entry Service's response for an entry; null if it has none.
    pub async fn entry(&self, campaign: &str, fan: &str) -> Value {
        self.ask(Service::Entry, &format!("/{campaign}/entries/{fan}")).await
    }

    /// The User Service's response for a fan; null if it does not know the fan.
    pub async fn profile(&self, fan: &str) -> Value {
        self.ask(Service::User, &format!("/users/{fan}")).await
    }

    /// Every version of an entry that the Entry Service was sent, and whether it accepted it.
    pub fn versions(&self, campaign: &str, fan: &str) -> Vec<(String, bool)> {
        let sent = self.fakes.entries().versions(campaign, fan);
        sent.into_iter().map(|sent| (sent.version, sent.accepted)).collect()
    }

    /// Sends the Entry Service an entry without the host, like a request that was delayed on the way.
    pub async fn send_past_host(&self, campaign: &str, item: &Value) {
        let entry = json!({
            "globalUserId": item["globalUserId"], "campaignId": campaign, "date": item["date"],
            "fields": serde_json::from_str::<Value>(item["fields"].as_str().unwrap()).unwrap(),
            "version": item["date"]["updated"],
        });
        let url = format!("{}/{campaign}/entries", self.fakes.url(Service::Entry));
        let request = self.http().post(url).bearer_auth(self.app_token(Service::Entry));
        let reply = self.send(request.json(&json!({ "entries": [entry] }))).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }

    /// Codes that the Code Service reserves for a market, as a selection has it do.
    pub async fn reserve_codes(&self, campaign: &str, market: &str, count: usize) -> Vec<String> {
        self.fakes.codes().add(campaign, market, (0..count).map(|n| format!("{market}-{n:03}")));
        let url = format!("{}/{campaign}/codes/reserve", self.fakes.url(Service::Code));
        let body = json!({ "marketId": market, "count": count, "reservationId": format!("test-{market}") });
        let reply = self.send(self.http().post(url).bearer_auth(self.app_token(Service::Code)).json(&body)).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        serde_json::from_value(reply.body["codes"].clone()).unwrap()
    }

    /// How many requests a service answered, by `<operation> <status>`.
    pub async fn answers(&self, service: Service) -> BTreeMap<String, u64> {
        let answers = self.ask(service, "/_control/answers").await;
        serde_json::from_value(answers["answers"].clone()).unwrap()
    }

    /// Sets the faults of a service; the default ends them.
    pub fn faults(&self, service: Service, faults: Faults) {
        self.fakes.set_faults(service, faults);
    }

    /// Waits until the Entry Service has this version of an entry and the table's flag is removed.
    pub async fn replicated(&self, campaign: &str, fan: &str, version: &str) {
        let what = format!("{campaign}/{fan} in version {version} at the Entry Service, and no flag in the table");
        let entries = self.fakes.entries();
        wait::eventually(&what, async || {
            (entries.holds(campaign, fan, version) && !self.flagged(campaign, fan).await).then_some(())
        })
        .await;
    }

    async fn ask(&self, service: Service, path: &str) -> Value {
        let url = format!("{}{path}", self.fakes.url(service));
        let reply = self.send(self.http().get(url).bearer_auth(self.app_token(service))).await;
        match reply.status {
            200 => reply.body,
            404 => Value::Null,
            status => panic!("{path}: {status} {}", reply.body),
        }
    }

    fn app_token(&self, service: Service) -> String {
        self.signer.sign(&json!({ "sub": "tests", "aud": service.name(), "exp": now() + 3600 }))
    }
}
