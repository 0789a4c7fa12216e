//! Which host reads which shard, in a DynamoDB table with the KCL's columns (docs/delivery.md, 9). Every write is
//! conditional on the counter that this host saw: a host that has lost a lease can neither renew it nor move its
//! checkpoint.

mod row;
mod take;

use crate::table::{check, describe, make};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use backend_aws::{Aws, error, side_by_side};
use host_adapters_platform::{Checkpoint, Leases, Result, Shard};
use host_adapters_records::{Error, ErrorKind};
pub use row::scope;
use row::{Row, forward};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use take::Seen;
use tokio::time::Instant;

/// How long a lease lasts without a renewal (`failoverTimeMillis`).
const LEASE: Duration = Duration::from_secs(10);
/// How often a lease is renewed: a third of its length, less 25 ms.
pub const RENEWAL: Duration = Duration::from_millis(3_308);

/// The name of the lease table, after the prefix, unless it is configured.
pub const DEFAULT_TABLE: &str = "host-adapters-leases";
/// The key of the lease table.
const KEY: [&str; 1] = ["leaseKey"];

/// The lease table, as one host sees it. The errors are those of DynamoDB.
pub struct LeaseRows {
    client: Client,
    table: String,
    host: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    leases: HashMap<String, SharedLease>,
    seen: HashMap<String, Seen>,
    /// Rows of shards that this host has not listed, and since when.
    unlisted: HashMap<String, Instant>,
}

/// A lease that this host owns. It is locked while its row is written, because renewals and checkpoints increment the
/// same counter.
type SharedLease = Arc<tokio::sync::Mutex<Lease>>;

struct Lease {
    row: Row,
    /// When this host last knew that it owned the lease.
    renewed: Instant,
}

impl LeaseRows {
    /// The table of this name; `host` names this process in it.
    pub fn new(aws: &Aws, table: &str, host: &str) -> Self {
        Self { client: Client::new(aws.sdk()), table: table.to_owned(), host: host.to_owned(), state: Mutex::default() }
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Checks that DynamoDB answers and has the table, with its key.
    pub async fn probe(&self) -> Result<()> {
        check(&self.table, &describe(&self.client, &self.table).await?, &KEY, false)
    }

    /// Makes the table if it does not exist.
    pub async fn provision(&self) -> Result<()> {
        make(&self.client, &self.table, &KEY, false).await
    }

    /// Renews this host's leases, takes free ones up to its share, and takes one from another host that has too many.
    pub async fn hold(&self, scope: &str, shards: &[Shard]) -> Result<Leases> {
        self.renew(scope).await;
        let mut rows = self.rows(scope).await?;
        let news = self.tidy(scope, shards, &rows).await;
        let missing: Vec<&Shard> = shards.iter().filter(|shard| !rows.contains_key(&shard.id)).collect();
        let made = side_by_side(missing.into_iter().map(|shard| self.make(scope, shard))).await;
        for made in made {
            rows.extend(made?.map(|row| (row.shard.clone(), row)));
        }
        self.observe(scope, &rows);
        let wanted = self.wanted(scope, shards, &rows);
        for taken in side_by_side(wanted.into_iter().map(|row| self.take(row))).await {
            taken?;
        }
        let done = rows.values().filter(|row| row.checkpoint == Some(Checkpoint::ShardEnd));
        let done = done.map(|row| row.shard.clone()).collect();
        Ok(Leases { owned: self.owned_shards(scope), done, news, ..Leases::default() })
    }

    /// Gives all leases back, so that other hosts need not wait until they expire.
    pub async fn release(&self, scope: &str) -> Result<()> {
        for (key, shared) in self.leases(scope) {
            let lease = shared.lock().await;
            self.forget(&key);
            let update = self.client.update_item().update_expression("REMOVE leaseOwner");
            self.write(update, &lease.row).await?;
        }
        Ok(())
    }

    /// Whether there is a row of the scope.
    pub async fn has_begun(&self, scope: &str) -> Result<bool> {
        Ok(!self.rows(scope).await?.is_empty())
    }

    /// Makes the row of a shard, whose position is its beginning, unless there is one.
    pub async fn begin(&self, scope: &str, shard: &str) -> Result<()> {
        self.make(scope, &Shard { id: shard.to_owned(), ..Shard::default() }).await.map(drop)
    }

    /// The checkpoint of a shard.
    pub async fn checkpoint(&self, scope: &str, shard: &str) -> Result<Option<Checkpoint>> {
        Ok(self.row(scope, shard).await?.and_then(|row| row.checkpoint))
    }

    /// Moves a checkpoint forward, of a shard whose lease is owned by this host or by none.
    pub async fn set_checkpoint(&self, scope: &str, shard: &str, checkpoint: &Checkpoint) -> Result<()> {
        let key = row::key(scope, shard);
        let shared = self.state().leases.get(&key).cloned();
        match shared {
            Some(shared) => {
                let mut lease = shared.lock().await;
                let moved = self.store(&mut lease.row, checkpoint).await;
                if moved.as_ref().is_err_and(|error| error.kind == ErrorKind::ConditionFailed) {
                    self.forget(&key);
                }
                moved
            }
            None => {
                let row = self.row(scope, shard).await?;
                let mut row = row.unwrap_or_else(|| Row::new(scope, shard, Vec::new()));
                if let Some(owner) = row.owner.as_ref().filter(|owner| **owner != self.host) {
                    let message = format!("shard {shard}: its lease is owned by {owner}, not by this host");
                    return Err(Error::new(ErrorKind::ConditionFailed, message));
                }
                self.store(&mut row, checkpoint).await
            }
        }
    }

    async fn store(&self, row: &mut Row, checkpoint: &Checkpoint) -> Result<()> {
        if !forward(row.checkpoint.as_ref(), checkpoint) {
            return Ok(());
        }
        let update = self
            .client
            .update_item()
            .update_expression("SET checkpoint = :checkpoint, checkpointSubSequenceNumber = :zero, ownerSwitchesSinceCheckpoint = :zero, leaseCounter = if_not_exists(leaseCounter, :zero)")
            .expression_attribute_values(":checkpoint", AttributeValue::S(row::checkpoint_text(checkpoint)))
            .expression_attribute_values(":zero", AttributeValue::N("0".to_owned()));
        self.write(update, row).await?;
        row.checkpoint = Some(checkpoint.clone());
        Ok(())
    }

    /// Renews each lease of this host and forgets those that another host has taken.
    pub async fn renew(&self, scope: &str) {
        let renewals = self.leases(scope).into_iter().map(|(key, shared)| async move {
            let mut lease = shared.lock().await;
            let next = lease.row.counter + 1;
            let update = self
                .client
                .update_item()
                .update_expression("SET leaseCounter = :next")
                .expression_attribute_values(":next", AttributeValue::N(next.to_string()));
            let began = Instant::now();
            match self.write(update, &lease.row).await {
                Ok(()) => {
                    lease.row.counter = next;
                    lease.renewed = began;
                }
                Err(error) => {
                    let lost = error.kind == ErrorKind::ConditionFailed || lease.renewed.elapsed() >= LEASE;
                    tracing::warn!(shard = lease.row.shard, %error, lost, "lease not renewed");
                    if lost {
                        self.forget(&key);
                    }
                }
            }
        });
        side_by_side(renewals).await;
    }

    /// Writes a row on condition that it is unchanged since this host read it.
    async fn write(
        &self,
        update: aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder,
        row: &Row,
    ) -> Result<()> {
        let (condition, values) = row.unchanged();
        let update = update.table_name(&self.table).key("leaseKey", AttributeValue::S(row.key.clone()));
        let update = update.condition_expression(condition);
        let update =
            values.into_iter().fold(update, |update, (name, value)| update.expression_attribute_values(name, value));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(failed) => Err(match error(&self.table, &failed) {
                Error { kind: ErrorKind::ConditionFailed, .. } => {
                    let message = format!("shard {}: this host does not own its lease any more", row.shard);
                    Error::new(ErrorKind::ConditionFailed, message)
                }
                error => error,
            }),
        }
    }

    fn leases(&self, scope: &str) -> Vec<(String, SharedLease)> {
        let state = self.state();
        let owned = state.leases.iter().filter(|(key, _)| key.starts_with(scope));
        owned.map(|(key, lease)| (key.clone(), Arc::clone(lease))).collect()
    }

    /// The shards of a scope whose leases this host owns.
    pub fn owned_shards(&self, scope: &str) -> Vec<String> {
        let state = self.state();
        state.leases.keys().filter_map(|key| key.strip_prefix(scope)).map(str::to_owned).collect()
    }

    fn forget(&self, key: &str) {
        self.state().leases.remove(key);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
