//! Which shards this host may read: listed from time to time, and leased where hosts share them.

use super::consumer::StreamConsumer;
use crate::drain::Drain;
use host_adapters_platform::{Leases, Shard};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often shards are listed. They are also listed when one ends or another host has found new ones.
const SHARD_SYNC: Duration = Duration::from_secs(60);
/// Renewals in the lifetime of a lease.
const RENEWALS: u32 = 3;

/// The shards of a source, and the leases on them.
pub(super) struct HeldShards {
    /// The shards of the stream as they were listed last.
    pub(super) listed: Vec<Shard>,
    consumer: Arc<StreamConsumer>,
    renewal: Option<Duration>,
    /// When to list again, and when to renew.
    sync: Instant,
    due: Instant,
    /// Drains of shards that are being read.
    drains: HashMap<String, Drain>,
    /// Until when the leases hold that were renewed last.
    until: Instant,
}

impl HeldShards {
    /// Nothing is listed, nothing held.
    pub(super) fn new(consumer: &Arc<StreamConsumer>) -> Self {
        let (now, renewal) = (Instant::now(), consumer.streams.leases.lease_renewal());
        let (consumer, drains) = (consumer.clone(), HashMap::new());
        Self { listed: Vec::new(), consumer, renewal, sync: now, due: now, drains, until: now }
    }

    /// Lists shards if it is time, takes and renews leases; reading of shards whose lease is lost ends. `None` if
    /// `drain` came first.
    pub(super) async fn hold(&mut self, drain: &Drain) -> Option<Leases> {
        let consumer = self.consumer.clone();
        let (streams, stream) = (&consumer.streams, &consumer.stream);
        if self.sync <= Instant::now() {
            self.listed = consumer.retry_until_ok(drain, || streams.reader.shards(stream)).await?;
            self.sync = Instant::now() + SHARD_SYNC;
        }
        // Counted from before the call: the other hosts count from when they see it.
        let mut began = Instant::now();
        let leases = consumer
            .retry_until_ok(drain, || {
                began = Instant::now();
                streams.leases.hold(stream, &consumer.rules.invoker.worker, &self.listed)
            })
            .await?;
        self.keep(&leases.held, began);
        if leases.news {
            self.list_again();
        }
        Some(leases)
    }

    /// Renews while the last work ends; what fails to be renewed ends by itself.
    pub(super) async fn renew(&mut self) {
        let StreamConsumer { streams, stream, rules, .. } = &*self.consumer;
        let began = Instant::now();
        match streams.leases.renew(stream, &rules.invoker.worker).await {
            Ok(held) => self.keep(&held, began),
            Err(error) => {
                tracing::warn!(worker = rules.invoker.worker, source = rules.invoker.source, %error, "leases not renewed");
                self.due = began + self.renewal.unwrap_or(SHARD_SYNC);
            }
        }
    }

    /// Gives leases back.
    pub(super) async fn release(&self) {
        let StreamConsumer { streams, stream, rules, .. } = &*self.consumer;
        if let Err(error) = streams.leases.release(stream, &rules.invoker.worker).await {
            let (worker, source) = (&rules.invoker.worker, &rules.invoker.source);
            tracing::warn!(worker, source, %error, "leases not given back; they end by themselves");
        }
    }

    /// The drain of a shard's reader: it ends with its lease.
    pub(super) fn drain_of(&mut self, shard: &str, drain: &Drain) -> Drain {
        if self.renewal.is_none() {
            return drain.clone();
        }
        let drain = drain.leased(self.until);
        self.drains.insert(shard.to_owned(), drain.clone());
        drain
    }

    /// There are shards that are not listed, or soon will be: one has ended, or another host knows of them.
    pub(super) fn list_again(&mut self) {
        self.sync = Instant::now();
    }

    /// Waits until leases are to be renewed, or shards to be listed.
    pub(super) async fn due(&self) {
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
