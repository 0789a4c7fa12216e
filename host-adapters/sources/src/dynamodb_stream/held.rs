//! Which shards are ours to read: listed now and then, leased where other hosts share them.

use super::Shared;
use host_adapters_delivery::drain::Drain;
use host_adapters_platform::{Leases, Shard};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// New shards are looked for so often, and whenever one ends or another host has found some (peers E4).
const SHARD_SYNC: Duration = Duration::from_secs(60);
/// A lease lasts for so many renewals (peers E2).
const RENEWALS: u32 = 3;

/// The shards of a source, and the leases on them.
pub struct Held {
    /// The shards of the stream as they were listed last.
    pub listed: Vec<Shard>,
    shared: Arc<Shared>,
    renewal: Option<Duration>,
    /// When to list again, and when to renew.
    sync: Instant,
    due: Instant,
    /// Drains of shards that are being read.
    drains: HashMap<String, Drain>,
    /// Until when the leases hold that were renewed last.
    until: Instant,
}

impl Held {
    /// Nothing is listed, nothing held.
    pub fn new(shared: &Arc<Shared>) -> Self {
        let (now, renewal) = (Instant::now(), shared.backend.lease_renewal());
        let (shared, drains) = (shared.clone(), HashMap::new());
        Self { listed: Vec::new(), shared, renewal, sync: now, due: now, drains, until: now }
    }

    /// Lists shards if it is time, takes and renews leases; reading of what is ours no more ends. `None` if `drain`
    /// came first.
    pub async fn hold(&mut self, drain: &Drain) -> Option<Leases> {
        let (shared, table) = (self.shared.clone(), self.shared.config.table.clone());
        if self.sync <= Instant::now() {
            self.listed = shared.retry_until_ok(drain, || shared.backend.shards(&table)).await?;
            self.sync = Instant::now() + SHARD_SYNC;
        }
        // Counted from before the call: the other hosts count from when they see it.
        let mut began = Instant::now();
        let leases = shared
            .retry_until_ok(drain, || {
                began = Instant::now();
                shared.backend.hold(&table, &shared.rules.invoker.worker, &self.listed)
            })
            .await?;
        self.keep(&leases.held, began);
        if leases.news {
            self.list_again();
        }
        Some(leases)
    }

    /// Renews while the last work ends; what fails to be renewed ends by itself.
    pub async fn renew(&mut self) {
        let Shared { backend, config, rules, .. } = &*self.shared;
        let began = Instant::now();
        match backend.renew(&config.table, &rules.invoker.worker).await {
            Ok(held) => self.keep(&held, began),
            Err(error) => {
                tracing::warn!(worker = rules.invoker.worker, source = rules.invoker.source, %error, "leases not renewed");
                self.due = began + self.renewal.unwrap_or(SHARD_SYNC);
            }
        }
    }

    /// Gives leases back.
    pub async fn release(&self) {
        let Shared { backend, config, rules, .. } = &*self.shared;
        if let Err(error) = backend.release(&config.table, &rules.invoker.worker).await {
            let (worker, source) = (&rules.invoker.worker, &rules.invoker.source);
            tracing::warn!(worker, source, %error, "leases not given back; they end by themselves");
        }
    }

    /// The drain of a shard's reader: it ends with its lease.
    pub fn drain_of(&mut self, shard: &str, drain: &Drain) -> Drain {
        if self.renewal.is_none() {
            return drain.clone();
        }
        let drain = drain.leased(self.until);
        self.drains.insert(shard.to_owned(), drain.clone());
        drain
    }

    /// There are shards that are not listed, or soon will be: one has ended, or another host knows of them.
    pub fn list_again(&mut self) {
        self.sync = Instant::now();
    }

    /// Waits until leases are to be renewed, or shards to be listed.
    pub async fn due(&self) {
        tokio::time::sleep_until(self.due).await;
    }

    fn keep(&mut self, held: &[String], began: Instant) {
        let Some(renewal) = self.renewal else {
            self.due = began + SHARD_SYNC;
            return;
        };
        (self.due, self.until) = (began + renewal, began + renewal * RENEWALS);
        self.drains.retain(|shard, drain| {
            let ours = held.contains(shard);
            if ours {
                drain.extend(self.until);
            } else {
                drain.abandon();
            }
            ours
        });
    }
}
