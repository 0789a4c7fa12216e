//! One worker's progress through a stream: every shard has a reader, every reader has key slices, and child shards wait
//! for their parents.

use super::OrderedStreams;
use super::leases::LeasedShards;
use super::plan::ShardPlan;
use super::shard::{ReadEnd, ShardConsumer};
use crate::circuit_breaker::CircuitBreaker;
use crate::drain::{Drain, Ended};
use crate::key_slice::Rules;
use host_adapters_platform::{Checkpoint, Position, Result, Shard};
use std::sync::Arc;
use tokio::task::{JoinError, JoinSet};

/// Where a worker without a checkpoint begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// With the oldest record that the stream still has.
    Oldest,
    /// With records written from now on.
    Latest,
}

/// Feeds a worker from a stream.
pub struct StreamConsumer {
    /// The streams of the store, shared with the other workers of this host.
    pub streams: Arc<OrderedStreams>,
    /// The stream's name.
    pub stream: String,
    /// Where to begin.
    pub start: Start,
    /// Most batches of one shard that are delivered at the same time.
    pub slices: usize,
    /// Open while the stream, its leases or its checkpoints cannot be reached.
    pub intake: Arc<CircuitBreaker>,
    /// How records are delivered.
    pub rules: Arc<Rules>,
}

impl StreamConsumer {
    /// Feeds the worker until `drain` ends it.
    pub async fn run(self: &Arc<Self>, drain: Drain) -> Ended {
        if self.skip_history(&drain).await.is_none() {
            return Ended::Drained;
        }
        let (mut plan, mut readers, mut leased) = (ShardPlan::default(), JoinSet::new(), LeasedShards::new(self));
        while let Some(leases) = leased.hold(&drain).await {
            leases.done.iter().for_each(|shard| plan.done(shard));
            for shard in plan.begin(&leased.listed, &leases.owned) {
                let drain = leased.drain_of(&shard, &drain);
                let reader = ShardConsumer { consumer: self.clone(), shard: shard.clone(), drain };
                readers.spawn(async move { (shard, reader.run().await) });
            }
            tokio::select! {
                biased;
                () = drain.stopping() => break,
                Some(joined) = readers.join_next() => match ended_of(joined) {
                    (shard, ReadEnd::ShardEnd) => {
                        plan.done(&shard);
                        leased.list_again();
                    }
                    // The drain has not begun, so the lease of the shard has ended.
                    (shard, ReadEnd::Drained(_)) => plan.lost(&shard),
                },
                () = leased.due() => (),
            }
        }
        let mut ended = Ended::Drained;
        loop {
            tokio::select! {
                joined = readers.join_next() => match joined.map(ended_of) {
                    Some((_, ReadEnd::Drained(end))) => ended = ended.and(end),
                    Some((_, ReadEnd::ShardEnd)) => (),
                    None => break,
                },
                () = leased.due() => leased.renew().await,
            }
        }
        leased.release().await;
        ended
    }

    /// For [`Start::Latest`] and a worker without a checkpoint in this stream: stores the end of every shard as its
    /// checkpoint before anything is read, so that later records are found even after a restart or a split. `None` if
    /// `drain` came first.
    async fn skip_history(&self, drain: &Drain) -> Option<()> {
        if self.start == Start::Oldest {
            return Some(());
        }
        let (leases, stream, worker) = (&self.streams.leases, &self.stream, &self.rules.invoker.worker);
        let shards = self.retry_until_ok(drain, || self.streams.reader.shards(stream)).await?;
        for Shard { id, .. } in &shards {
            if self.retry_until_ok(drain, || leases.checkpoint(stream, id, worker)).await?.is_some() {
                return Some(());
            }
        }
        for Shard { id, .. } in &shards {
            let feed = self.streams.subscribe(stream, id);
            let end = self.retry_until_ok(drain, || feed.next(&Position::Latest)).await?;
            let checkpoint = match end.next() {
                None => Checkpoint::ShardEnd,
                Some(Position::After(sequence)) => Checkpoint::At(sequence.clone()),
                // An empty shard has no history.
                Some(Position::TrimHorizon | Position::Latest) => continue,
            };
            self.retry_until_ok(drain, || leases.set_checkpoint(stream, id, worker, &checkpoint)).await?;
        }
        Some(())
    }

    /// Repeats `call` until it succeeds, pausing between attempts; `None` if `drain` came first.
    pub(super) async fn retry_until_ok<T, F: Future<Output = Result<T>>>(
        &self,
        drain: &Drain,
        mut call: impl FnMut() -> F,
    ) -> Option<T> {
        loop {
            let attempt = async {
                let permit = self.intake.enter().await;
                match call().await {
                    Ok(output) => {
                        permit.works();
                        Some(output)
                    }
                    Err(error) => {
                        permit.down(format!("{}: {error}", self.rules.invoker.source));
                        None
                    }
                }
            };
            let output = tokio::select! {
                biased;
                () = drain.stopping() => return None,
                output = attempt => output,
            };
            if output.is_some() {
                return output;
            }
        }
    }
}

/// The result of a reader's task. A panic in it is a bug, and is passed on.
fn ended_of(joined: std::result::Result<(String, ReadEnd), JoinError>) -> (String, ReadEnd) {
    joined.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        // Only dropping `readers` cancels them.
        Err(_) => (String::new(), ReadEnd::Drained(Ended::Drained)),
    })
}
