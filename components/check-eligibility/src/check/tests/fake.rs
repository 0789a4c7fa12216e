//! A fake of the surroundings: it returns what a test sets, fails where a test says, and records the calls.

use crate::world::{Outage, World};
use serde_json::{Value, json};
use std::{cell::RefCell, collections::BTreeMap};
use worker_kit::{
    platform::{Error, ErrorKind, identity::Claims, table::Key},
    services::entry::Invitee,
};

#[derive(Default)]
pub struct Fake {
    pub claims: Option<Claims>,
    pub cache: RefCell<BTreeMap<String, String>>,
    pub documents: BTreeMap<String, String>,
    /// `pk|sk` of items that exist.
    pub entries: Vec<String>,
    /// E-mail addresses on the invite list.
    pub invited: Vec<String>,
    pub verified: bool,
    /// The methods that fail.
    pub broken: Vec<&'static str>,
    /// The calls, in order.
    pub asked: RefCell<Vec<String>>,
    /// `LEVEL message data`.
    pub logs: RefCell<Vec<String>>,
}

impl Fake {
    /// A fake in which `sub` has a token and these campaigns are in the documents.
    pub fn new(sub: &str, campaigns: &[Value]) -> Self {
        let claims = Claims { subject: sub.into(), email: Some("Fan@Example.com".into()), member_id: None, idv: None };
        let documents = campaigns.iter().map(|campaign| {
            let slug = campaign.get("slug").and_then(Value::as_str).unwrap_or_default();
            (slug.to_owned(), campaign.to_string())
        });
        Self { claims: Some(claims), documents: documents.collect(), ..Self::default() }
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.take()
    }

    fn ask(&self, method: &'static str, about: impl ToString) -> Result<(), Outage> {
        self.asked.borrow_mut().push(format!("{method} {}", about.to_string()));
        if self.broken.contains(&method) { Err(Outage::new(method, "broken")) } else { Ok(()) }
    }

    fn log(&self, level: &str, message: &str, data: &Value) {
        self.logs.borrow_mut().push(format!("{level} {message} {data}"));
    }
}

impl World for Fake {
    type Span = ();

    async fn verify(&self, token: &str) -> Result<Claims, Error> {
        let broken = self.ask("verify", token);
        broken.map_err(|outage| Error::new(ErrorKind::Unavailable, outage.problem))?;
        self.claims.clone().ok_or_else(|| Error::new(ErrorKind::Denied, "it has expired"))
    }

    async fn cached(&self, key: &str) -> Option<Vec<u8>> {
        self.ask("cached", key).ok()?;
        self.cache.borrow().get(key).map(|text| text.clone().into_bytes())
    }

    async fn cache(&self, keys: [&str; 2], campaign: &[u8]) {
        if self.ask("cache", keys.join(" ")).is_ok() {
            let text = String::from_utf8_lossy(campaign).into_owned();
            self.cache.borrow_mut().extend(keys.map(|key| (key.to_owned(), text.clone())));
        }
    }

    async fn campaign(&self, slug: &str) -> Result<Option<String>, Outage> {
        self.ask("campaign", slug)?;
        Ok(self.documents.get(slug).cloned())
    }

    async fn entries(&self, keys: Vec<Key>) -> Result<Vec<bool>, Outage> {
        let keys: Vec<String> = keys.into_iter().map(|key| format!("{}|{}", key.pk, key.sk)).collect();
        self.ask("entries", keys.join(" "))?;
        Ok(keys.iter().map(|key| self.entries.contains(key)).collect())
    }

    async fn is_invited(&self, campaign_id: &str, fan: &Invitee) -> Result<bool, Outage> {
        self.ask("is_invited", format!("{campaign_id} {}", json!(fan)))?;
        Ok(fan.email.as_ref().is_some_and(|email| self.invited.contains(email)))
    }

    async fn is_verified(&self, _campaign_id: &str, global_user_id: &str) -> Result<bool, Outage> {
        self.ask("is_verified", global_user_id)?;
        Ok(self.verified)
    }

    fn span(&self, _name: &'static str, _campaign_id: &str, _global_user_id: &str) {}

    fn info(&self, message: &str, data: Value) {
        self.log("INFO", message, &data);
    }

    fn warn(&self, message: &str, data: Value) {
        self.log("WARN", message, &data);
    }

    fn error(&self, message: &str, data: Value) {
        self.log("ERROR", message, &data);
    }
}
