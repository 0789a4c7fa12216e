//! Distributions of times: latencies of responses, and replication lag.

use crate::generate::World;
use crate::load::Outcome;
use anyhow::Result;
use fake_services::FakeServices;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::collections::HashMap;

/// When each version of each entry first took effect in the Entry Service, milliseconds since 1970 (UTC).
#[derive(Default)]
pub struct Arrivals(HashMap<String, HashMap<(String, String), u64>>);

impl Arrivals {
    /// Reads the arrivals of the world's campaigns from the fake.
    pub fn read(world: &World, fakes: &FakeServices) -> Self {
        let mut arrivals = Self::default();
        for campaign in world.campaign_ids() {
            let known = arrivals.0.entry(campaign.to_owned()).or_default();
            for arrival in fakes.entries().arrivals(campaign) {
                known.entry((arrival.global_user_id, arrival.version)).or_insert(arrival.at_ms);
            }
        }
        arrivals
    }

    fn of(&self, campaign: &str, fan: &str, version: &str) -> Option<u64> {
        self.0.get(campaign)?.get(&(fan.to_owned(), version.to_owned())).copied()
    }
}

/// Times, recorded in microseconds and reported in milliseconds.
pub struct Times(Histogram<u64>);

impl Times {
    fn new() -> Result<Self> {
        // Three digits, up to an hour.
        Ok(Self(Histogram::new_with_bounds(1, 3_600_000_000, 3)?))
    }

    /// The latencies of the responses to the first `count` registrations, from when these were due.
    pub fn of_answers(outcomes: &[Option<&Outcome>], count: usize) -> Result<Self> {
        let mut times = Self::new()?;
        outcomes.iter().take(count).flatten().for_each(|outcome| times.0.saturating_record(outcome.took_us));
        Ok(times)
    }

    /// From the write of an entry's version to its arrival in the Entry Service, for the first `count` registrations.
    /// Versions that a newer one overtook never arrive, and have no lag.
    pub fn of_replication(
        world: &World,
        outcomes: &[Option<&Outcome>],
        count: usize,
        arrivals: &Arrivals,
    ) -> Result<Self> {
        let mut times = Self::new()?;
        for (registration, outcome) in world.registrations.iter().zip(outcomes).take(count) {
            let Some(written) = outcome.and_then(|outcome| outcome.written.as_ref()) else { continue };
            let campaign = registration.campaign_id.as_deref().unwrap_or_default();
            if let Some(arrived) = arrivals.of(campaign, &registration.fan, &written.version) {
                let lag_ms = arrived.saturating_sub(u64::try_from(written.at_ms).unwrap_or_default());
                times.0.saturating_record(lag_ms * 1_000);
            }
        }
        Ok(times)
    }

    /// Times in milliseconds.
    pub fn of_ms(all: impl Iterator<Item = u64>) -> Result<Self> {
        let mut times = Self::new()?;
        all.for_each(|ms| times.0.saturating_record(ms.saturating_mul(1_000)));
        Ok(times)
    }

    /// Milliseconds at a quantile.
    pub fn ms(&self, quantile: f64) -> f64 {
        let us = self.0.value_at_quantile(quantile);
        us as f64 / 1_000.0
    }

    /// The JSON for `--json`.
    pub fn to_json(&self) -> Value {
        json!({ "p50": self.ms(0.50), "p95": self.ms(0.95), "p99": self.ms(0.99), "max": self.ms(1.0) })
    }
}
