//! What a user needs to call what `--keep` leaves running: addresses, tokens, and calls to copy. The tokens were made for
//! this run, whose servers listen on loopback only.

use crate::generate::World;
use crate::host::Addresses;
use crate::load::event;
use anyhow::{Context, Result};
use fake_services::{FakeServices, Service};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The event of an eligible registration, in the data folder.
const EVENT: &str = "registration.json";

/// A registration that is accepted, and the token of its fan.
pub struct Example {
    event: Vec<u8>,
    token: String,
}

impl Example {
    /// A registration for the smallest campaign, which nothing else of the run is about.
    pub fn of(world: &World, tokens: &HashMap<String, String>) -> Option<Self> {
        let mut campaigns: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for registration in &world.registrations {
            campaigns.entry(registration.accepted_by()).or_default().push(registration);
        }
        let accepted = campaigns.into_iter().filter(|(campaign, _)| campaign.is_some());
        let registration = accepted.min_by_key(|(_, registrations)| registrations.len())?.1.into_iter().next()?;
        let fan = world.fans.iter().find(|fan| fan.global_user_id == registration.fan)?;
        Some(Self { event: event(registration, fan), token: tokens.get(&registration.fan)?.clone() })
    }
}

/// What runs, and how it can be called.
pub struct Kept<'a> {
    /// The host.
    pub host: &'a Path,
    /// Its addresses.
    pub addresses: Addresses,
    /// The data folder.
    pub folder: &'a Path,
    /// The fakes of the services.
    pub fakes: &'a FakeServices,
    /// The secrets that the host was given as variables.
    pub secrets: &'a [(String, String)],
    /// A registration to send.
    pub example: Option<Example>,
}

impl Kept<'_> {
    /// Writes what the calls need into the data folder; returns the text for people.
    pub fn told(&self, services: &[Service]) -> Result<String> {
        let Addresses { http, gateway } = &self.addresses;
        let mut lines = vec![
            format!("serving on: components {http}, gateway {gateway}"),
            format!("data and log of the host: {}", self.folder.display()),
        ];
        lines.extend(services.iter().map(|it| format!("fake of the service {}: {}", it.name(), self.fakes.url(*it))));
        lines.extend(self.secrets.iter().map(|(name, secret)| format!("{name}: {secret}")));
        if let Some(Example { event, token }) = &self.example {
            let file = self.folder.join(EVENT);
            std::fs::write(&file, event).with_context(|| format!("writing {}", file.display()))?;
            lines.push("a fan registers:".to_owned());
            lines.push(format!(
                "curl -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' --data @{} \
                 {http}/workers/check-eligibility",
                file.display()
            ));
        }
        if let Some((_, token)) = self.secrets.iter().find(|(name, _)| name == "operator_token") {
            lines.push("what is in the queues:".to_owned());
            lines.push(format!("{} queues --gateway {gateway} --token {token}", self.host.display()));
        }
        Ok(lines.join("\n"))
    }
}
