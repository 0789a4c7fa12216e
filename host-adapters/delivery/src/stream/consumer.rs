//! One worker's way through a stream: every shard has a reader, every reader its key slices, and children wait for
//! their parents.

use super::OrderedStreams;
use super::leases::HeldShards;
use super::plan::ShardPlan;
use super::shard::{ReadEnd, ShardConsumer};
use crate::circuit_breaker::CircuitBreaker;
use crate::drain::{Drain, Ended};
use crate::key_slice::Rules;
use host_adapters_platform::{Checkpoint, Position, Result, Shard};
use std::sync::Arc;
use tokio::task::{JoinError, JoinSet};

/// Where a worker begins that has no checkpoint yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// With the oldest record kept.
    Oldest,
    /// With what is written from now on.
    Latest,
}

/// Feeds a worker from a stream.
pub struct StreamConsumer {
    /// Shared with the other workers of this host.
    pub streams: Arc<OrderedStreams>,
    /// Which of them.
    pub stream: String,
    /// Where to begin.
    pub start: Start,
    /// Batches of one shard under way at most.
    pub slices: usize,
    /// Open while the stream cannot be read, or its leases and checkpoints cannot.
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
        let (mut plan, mut readers, mut held) = (ShardPlan::default(), JoinSet::new(), HeldShards::new(self));
        while let Some(leases) = held.hold(&drain).await {
            leases.done.iter().for_each(|shard| plan.done(shard));
            for shard in plan.begin(&held.listed, &leases.held) {
                let drain = held.drain_of(&shard, &drain);
                let reader = ShardConsumer { consumer: self.clone(), shard: shard.clone(), drain };
                readers.spawn(async move { (shard, reader.run().await) });
            }
            tokio::select! {
                biased;
                () = drain.stopping() => break,
                Some(joined) = readers.join_next() => match ended_of(joined) {
                    (shard, ReadEnd::ShardEnd) => {
                        plan.done(&shard);
                        held.list_again();
                    }
                    // The drain has not begun: the lease of the shard is over.
                    (shard, ReadEnd::Drained(_)) => plan.lost(&shard),
                },
                () = held.due() => (),
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
                () = held.due() => held.renew().await,
            }
        }
        held.release().await;
        ended
    }

    /// [`Start::Latest`], for a worker that has no checkpoint in this stream: its place in every shard is stored before
    /// anything is read, so that what comes later is found even after a restart or a split. `None` if `drain` came
    /// first.
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

    /// Calls the stream until it answers, pausing between; `None` if `drain` came first.
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

/// A reader ends only by its own reasons; a panic in it is a bug, and not to be passed over in silence.
fn ended_of(joined: std::result::Result<(String, ReadEnd), JoinError>) -> (String, ReadEnd) {
    joined.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        // Only dropping `readers` cancels them.
        Err(_) => (String::new(), ReadEnd::Drained(Ended::Drained)),
    })
}
