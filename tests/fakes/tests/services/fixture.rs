//! The fakes over HTTP with a host's tokens, and checks of their answers against the contracts.

use fake_services::contract::{self, Contract};
use fake_services::{FakeServices, Faults, Options, Service};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// A key for this test only.
const PRIVATE_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg11p2d9Wn6x6UKzJt
kDjGDBADx6cldLRiwXAnCZwP24GhRANCAAScJViGQN73G3oB3xU5b/OCDlYcaoVK
vXzNvTrKGsQvEgMC43OCd4Q+BtK8dMUrI6Cr0zccnQ6Pn4fSm+B503rb
-----END PRIVATE KEY-----";

const PUBLIC_KEY: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEnCVYhkDe9xt6Ad8VOW/zgg5WHGqF
Sr18zb06yhrELxIDAuNzgneEPgbSvHTFKyOgq9M3HJ0Oj5+H0pvgedN62w==
-----END PUBLIC KEY-----";

/// A time far ahead, seconds since 1970.
pub const FAR: u64 = 4_102_444_800;
pub const V1: &str = "2026-01-01T00:00:00.001Z";
pub const V2: &str = "2026-01-01T00:00:00.002Z";

/// The fakes, and a client of them.
pub struct Fixture {
    pub services: FakeServices,
    pub client: Client,
    contracts: [(Service, Contract); 5],
}

impl Fixture {
    pub async fn new(faults: Faults) -> Self {
        let options = Options { public_key: Some(PUBLIC_KEY.to_owned()), faults, ..Options::default() };
        let parse = |service, text| (service, Contract::parse(text).unwrap());
        let contracts = [
            parse(Service::Entry, contract::ENTRY),
            parse(Service::User, contract::USER),
            parse(Service::Campaign, contract::CAMPAIGN),
            parse(Service::Code, contract::CODE),
            parse(Service::Slack, contract::SLACK),
        ];
        Self { services: FakeServices::start(options).await.unwrap(), client: Client::new(), contracts }
    }

    /// Sends a request with a token, on a separate connection. Returns status and body.
    pub async fn send(
        &self,
        service: Service,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<(StatusCode, Value)> {
        let response = self.request(service, method, path, body).send().await?;
        Ok((response.status(), response.json().await?))
    }

    /// A request with a token.
    pub fn request(&self, service: Service, method: Method, path: &str, body: Option<Value>) -> RequestBuilder {
        let url = format!("{}{path}", self.services.url(service));
        let request = self.client.request(method, url).bearer_auth(token(service.name(), FAR));
        body.into_iter().fold(request, |request, body| request.json(&body))
    }

    /// Calls an operation. The response must be 200 and conform to the contract.
    pub async fn call(
        &self,
        service: Service,
        operation: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let (status, answer) = self.send(service, method, path, body).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{operation}: {answer}");
        let (_, contract) = self.contracts.iter().find(|(name, _)| *name == service).unwrap();
        contract.check_answer(operation, &answer).unwrap();
        answer
    }

    pub async fn upsert(&self, campaign: &str, entries: Vec<Value>) -> Value {
        let body = json!({ "entries": entries });
        self.call(Service::Entry, "upsertEntries", Method::POST, &format!("/{campaign}/entries"), Some(body)).await
    }
}

pub fn token(audience: &str, exp: u64) -> String {
    signed(&json!({ "aud": audience, "exp": exp }))
}

/// A token with these claims.
pub fn signed(claims: &Value) -> String {
    let key = EncodingKey::from_ec_pem(PRIVATE_KEY.as_bytes()).unwrap();
    jsonwebtoken::encode(&Header::new(Algorithm::ES256), claims, &key).unwrap()
}

pub fn entry(id: &str, version: &str) -> Value {
    json!({ "globalUserId": id, "campaignId": "c1", "fields": { "markets": [version] }, "version": version,
            "date": { "created": V1, "updated": version, "fanModified": version } })
}

pub fn statuses(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().unwrap().iter().map(|result| result["status"].as_str().unwrap()).collect()
}
