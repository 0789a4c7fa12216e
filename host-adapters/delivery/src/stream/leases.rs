//! Which shards this host may read. They are listed regularly, and leased if hosts share them.

use super::consumer::StreamConsumer;
use crate::drain::Drain;
use host_adapters_platform::{Leases, Shard};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often shards are listed. They are also listed when one ends, or when another host has found new ones.
const SHARD_SYNC: Duration = Duration::from_secs(60);
/// How often a lease is renewed in its lifetime.
const RENEWALS: u32 = 3;

/// The shards of a source, and the leases on them.
pub(super) struct LeasedShards {
    /// The shards of the stream as they were listed last.
    pub(super) listed: Vec<Shard>,
    consumer: Arc<StreamConsumer>,
    renewal: Option<Duration>,
    /// When to list again, and when to renew.
    sync: Instant,
    due: Instant,
    /// Drains of shards that are being read.
    drains: HashMap<String, Drain>,
    /// Until when the leases are valid, by the last renewal.
    until: Instant,
}

impl LeasedShards {
    /// No shards are listed or leased yet.
    pub(super) fn new(consumer: &Arc<StreamConsumer>) -> Self {
        let (now, renewal) = (Instant::now(), consumer.streams.leases.lease_renewal());
        let (consumer, drains) = (consumer.clone(), HashMap::new());
        Self { listed: Vec::new(), consumer, renewal, sync: now, due: now, drains, until: now }
    }

    /// Lists shards if it is time, takes and renews leases, and ends the reading of shards whose lease is lost. `None`
    /// if `drain` came first.
    pub(super) async fn hold(&mut self, drain: &Drain) -> Option<Leases> {
        let consumer = self.consumer.clone();
        let (streams, stream) = (&consumer.streams, &consumer.stream);
        if self.sync <= Instant::now() {
            self.listed = consumer.retry_until_ok(drain, || streams.reader.shards(stream)).await?;
            self.sync = Instant::now() + SHARD_SYNC;
        }
        // Measured from before the call: other hosts measure from when they see its effect.
        let mut began = Instant::now();
        let leases = consumer
            .retry_until_ok(drain, || {
                began = Instant::now();
                streams.leases.hold(stream, &consumer.group, &self.listed)
            })
            .await?;
        self.keep(&leases.owned, began);
        for drain in leases.leaving.iter().filter_map(|shard| self.drains.get(shard)) {
            drain.stop();
        }
        if leases.news {
            self.list_again();
        }
        Some(leases)
    }

    /// Renews leases while the last work ends. A lease that fails to be renewed expires.
    pub(super) async fn renew(&mut self) {
        let StreamConsumer { streams, stream, group, rules, .. } = &*self.consumer;
        let began = Instant::now();
        match streams.leases.renew(stream, group).await {
            Ok(owned) => self.keep(&owned, began),
            Err(error) => {
                tracing::warn!(worker = rules.invoker.worker, source = rules.invoker.source, %error, "leases not renewed");
                self.due = began + self.renewal.unwrap_or(SHARD_SYNC);
            }
        }
    }

    /// Releases leases.
    pub(super) async fn release(&self) {
        let StreamConsumer { streams, stream, group, rules, .. } = &*self.consumer;
        if let Err(error) = streams.leases.release(stream, group).await {
            let (worker, source) = (&rules.invoker.worker, &rules.invoker.source);
            tracing::warn!(worker, source, %error, "leases not given back: they expire");
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

    /// Lists shards now: there are new ones, because one has ended or another host has found them.
    pub(super) fn list_again(&mut self) {
        self.sync = Instant::now();
    }

    /// Says that the work on a shard has ended, and its checkpoint is stored.
    pub(super) async fn leave(&self, shard: &str) {
        let StreamConsumer { streams, stream, group, .. } = &*self.consumer;
        streams.leases.leave(stream, group, shard).await;
    }

    /// Waits until it is time to renew leases or list shards.
    pub(super) async fn due(&self) {
        let StreamConsumer { streams, stream, group, .. } = &*self.consumer;
        tokio::select! {
            () = tokio::time::sleep_until(self.due) => (),
            () = streams.leases.reassigned(stream, group) => (),
        }
    }

    fn keep(&mut self, owned: &[String], began: Instant) {
        let Some(renewal) = self.renewal else {
            self.due = began + SHARD_SYNC;
            return;
        };
        (self.due, self.until) = (began + renewal, began + renewal * RENEWALS);
        self.drains.retain(|shard, drain| {
            let ours = owned.contains(shard);
            if ours {
                drain.extend(self.until);
            } else {
                drain.abandon();
            }
            ours
        });
    }
}
