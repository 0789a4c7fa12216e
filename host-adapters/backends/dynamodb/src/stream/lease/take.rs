//! Which leases to take: free leases up to this host's share of the shards that can be read now; if none is free, one
//! lease of the host that has the most.

use super::row::{self, Row};
use super::{LEASE, Lease, LeaseRows};
use aws_sdk_dynamodb::types::AttributeValue;
use host_adapters_platform::{Checkpoint, Result, Shard};
use host_adapters_records::ErrorKind;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::time::Instant;

/// A lease's counter, and since when this host has seen it unchanged. Expiry is measured only by this host's clock.
pub(super) struct Seen {
    counter: u64,
    since: Instant,
}

/// A shard that can be read, as input of `share`.
struct Candidate<'a> {
    row: &'a Row,
    /// The host that owns its lease, if that host is alive.
    owner: Option<&'a str>,
}

impl LeaseRows {
    /// Remembers when each counter was first seen at its value.
    pub(super) fn observe(&self, scope: &str, rows: &HashMap<String, Row>) {
        let mut state = self.state();
        state.seen.retain(|key, _| key.strip_prefix(scope).is_none_or(|shard| rows.contains_key(shard)));
        for row in rows.values() {
            let seen =
                state.seen.entry(row.key.clone()).or_insert(Seen { counter: row.counter, since: Instant::now() });
            if seen.counter != row.counter {
                *seen = Seen { counter: row.counter, since: Instant::now() };
            }
        }
    }

    /// The rows to take now.
    pub(super) fn wanted(&self, scope: &str, shards: &[Shard], rows: &HashMap<String, Row>) -> Vec<Row> {
        let state = self.state();
        let done = |shard: &str| rows.get(shard).is_some_and(|row| row.checkpoint == Some(Checkpoint::ShardEnd));
        let listed = |shard: &str| shards.iter().any(|other| other.id == shard);
        // A child can be read once its parent is settled, or has left the stream.
        let ready = shards
            .iter()
            .filter(|shard| !done(&shard.id) && shard.parents.iter().all(|parent| done(parent) || !listed(parent)));
        let candidates: Vec<Candidate<'_>> = ready
            .filter_map(|shard| {
                let row = rows.get(&shard.id)?;
                let ours = state.leases.contains_key(&row::key(scope, &row.shard));
                let alive = || state.seen.get(&row.key).is_some_and(|seen| seen.since.elapsed() < LEASE);
                let owner = row.owner.as_deref();
                // A lease under this host's name that is not among its leases is from before a restart.
                let owner =
                    if ours { Some(self.host.as_str()) } else { owner.filter(|owner| *owner != self.host && alive()) };
                Some(Candidate { row, owner })
            })
            .collect();
        share(&self.host, &candidates)
    }

    /// Takes a lease, unless another host was faster.
    pub(super) async fn take(&self, row: Row) -> Result<()> {
        let began = Instant::now();
        let update = self
            .client
            .update_item()
            .update_expression("SET leaseOwner = :host, leaseCounter = :next ADD ownerSwitchesSinceCheckpoint :one")
            .expression_attribute_values(":host", AttributeValue::S(self.host.clone()))
            .expression_attribute_values(":next", AttributeValue::N((row.counter + 1).to_string()))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        match self.write(update, &row).await {
            Ok(()) => {
                tracing::info!(shard = row.shard, from = row.owner, "lease taken");
                let row = Row { owner: Some(self.host.clone()), counter: row.counter + 1, ..row };
                let lease = Lease { row, renewed: began };
                self.state().leases.insert(lease.row.key.clone(), Arc::new(tokio::sync::Mutex::new(lease)));
                Ok(())
            }
            Err(error) if error.kind == ErrorKind::ConditionFailed => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Free shards up to this host's share; if none is free, one of the host that has the most.
fn share(host: &str, candidates: &[Candidate<'_>]) -> Vec<Row> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::from([(host, 0)]);
    for owner in candidates.iter().filter_map(|candidate| candidate.owner) {
        *counts.entry(owner).or_default() += 1;
    }
    let target = candidates.len().div_ceil(counts.len());
    let room = target.saturating_sub(counts.get(host).copied().unwrap_or(0));
    let free: Vec<&Candidate<'_>> = candidates.iter().filter(|candidate| candidate.owner.is_none()).collect();
    if !free.is_empty() || room == 0 {
        return free.iter().take(room).map(|candidate| candidate.row.clone()).collect();
    }
    let most = counts.iter().max_by_key(|(_, count)| **count).filter(|(_, count)| **count > target);
    let of_most = candidates.iter().find(|candidate| most.is_some_and(|(owner, _)| candidate.owner == Some(*owner)));
    of_most.map(|candidate| candidate.row.clone()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(owners: &[Option<&str>]) -> Vec<String> {
        let rows: Vec<Row> = (0..owners.len()).map(|n| Row::new("s:", &n.to_string(), Vec::new())).collect();
        let candidates: Vec<_> = rows.iter().zip(owners).map(|(row, owner)| Candidate { row, owner: *owner }).collect();
        share("me", &candidates).into_iter().map(|row| row.shard).collect()
    }

    #[test]
    fn shards_are_shared_evenly() {
        assert_eq!(taken(&[None, None]), ["0", "1"], "alone");
        assert_eq!(taken(&[None, None, Some("a"), None]), ["0", "1"], "half of four");
        assert_eq!(taken(&[Some("me"), Some("a"), None]), ["2"]);
        assert_eq!(taken(&[Some("me"), Some("me"), Some("a"), Some("a")]), Vec::<String>::new());
        assert_eq!(taken(&[Some("a"), Some("a"), Some("a"), Some("a")]), ["0"], "one at a time");
        assert_eq!(taken(&[Some("a"), Some("me"), Some("a")]), Vec::<String>::new(), "two and one is even");
        assert_eq!(taken(&[]), Vec::<String>::new());
    }
}
