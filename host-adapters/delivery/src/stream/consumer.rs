//! One worker's progress through a stream: every shard has a reader, every reader has key slices, and child shards wait
//! for their parents.

use super::OrderedStreams;
use super::leases::LeasedShards;
use super::plan::ShardPlan;
use super::shard::{ReadEnd, ShardConsumer};
use crate::circuit_breaker::CircuitBreaker;
use crate::drain::{Drain, Ended};
use crate::event::Event;
use crate::key_slice::Rules;
use host_adapters_platform::{Checkpoint, Position, Result, Shard};
use host_adapters_records::ErrorKind;
use std::sync::Arc;
use tokio::task::{JoinError, JoinSet};

/// Where a worker without a checkpoint begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// With the oldest record that the stream still has.
    Oldest,
    /// With records written from now on.
    Latest,
    /// With the first record that came at or after this time, milliseconds since 1970 (UTC).
    At(u64),
}

/// Whether a record is for the worker, by the filter of its source.
pub type Wanted = Arc<dyn Fn(&Event) -> bool + Send + Sync>;

/// Feeds a worker from a stream.
pub struct StreamConsumer {
    /// The streams of the store, shared with the other workers of this host.
    pub streams: Arc<OrderedStreams>,
    /// The stream's name.
    pub stream: String,
    /// The name under which leases and checkpoints are stored: the worker's, or that of its group.
    pub group: String,
    /// Where to begin.
    pub start: Start,
    /// Which records are for the worker; `None` for all. The others are settled when they are read.
    pub wanted: Option<Wanted>,
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
        let begun = tokio::select! {
            begun = self.skip_history(&drain) => begun,
            () = self.keep_asking() => None,
        };
        if begun.is_none() {
            return Ended::Drained;
        }
        let (mut plan, mut readers, mut leased) = (ShardPlan::default(), JoinSet::new(), LeasedShards::new(self));
        while let Some(leases) = leased.hold(&drain).await {
            leases.done.iter().for_each(|shard| plan.done(shard));
            for shard in plan.unread(&leases.leaving) {
                leased.leave(&shard).await;
            }
            for shard in plan.begin(&leased.listed, &leases.staying()) {
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
                    // The drain has not begun, so the lease of the shard has ended or is to be given up.
                    (shard, ReadEnd::Drained(_)) => {
                        plan.lost(&shard);
                        leased.leave(&shard).await;
                    }
                },
                () = leased.due() => (),
            }
        }
        let mut ended = Ended::Drained;
        loop {
            tokio::select! {
                joined = readers.join_next() => match joined.map(ended_of) {
                    Some((shard, ReadEnd::Drained(end))) => {
                        ended = ended.and(end);
                        leased.leave(&shard).await;
                    }
                    Some((_, ReadEnd::ShardEnd)) => (),
                    None => break,
                },
                () = leased.due() => leased.renew().await,
            }
        }
        leased.release().await;
        ended
    }

    /// For a worker that has not begun this stream: stores its starting position in every existing shard before
    /// anything is read. So the starting position is applied once: records that are written later are read even after a
    /// restart, and the children of these shards are read from their first records. `None` if `drain` came first.
    async fn skip_history(&self, drain: &Drain) -> Option<()> {
        if self.start == Start::Oldest {
            return Some(());
        }
        let (leases, stream, group) = (&self.streams.leases, &self.stream, &self.group);
        if self.retry_until_ok(drain, || leases.has_begun(stream, group)).await? {
            return Some(());
        }
        let shards = self.retry_until_ok(drain, || self.streams.reader.shards(stream)).await?;
        // All positions are determined before the first is stored, so an interrupted start begins again.
        let mut places = Vec::with_capacity(shards.len());
        for Shard { id, .. } in shards {
            let place = match self.start {
                Start::At(time_ms) => Some(Position::AtTimestamp(time_ms)),
                Start::Oldest | Start::Latest => self.end_of(&id, drain).await?,
            };
            places.push((id, place));
        }
        for (id, place) in places {
            self.retry_until_ok(drain, || self.begin_at(&id, place.as_ref())).await?;
        }
        Some(())
    }

    /// Shows that this source is alive, without end: it may take longer to begin than the store waits for one that no longer
    /// renews its leases.
    async fn keep_asking(&self) {
        let (leases, stream, group) = (&self.streams.leases, &self.stream, &self.group);
        let Some(renewal) = leases.lease_renewal() else { return std::future::pending().await };
        loop {
            tokio::time::sleep(renewal).await;
            // What is wrong is found out where it matters, by the calls that store the beginning.
            let _ = leases.renew(stream, group).await;
        }
    }

    /// The present end of a shard; `Some(None)` if it is closed.
    async fn end_of(&self, shard: &str, drain: &Drain) -> Option<Option<Position>> {
        let subscription = self.streams.subscribe(&self.stream, shard);
        let end = self.retry_until_ok(drain, || subscription.next(&Position::Latest)).await?;
        Some(end.next().cloned())
    }

    /// Stores where the worker begins a shard: at this position, or nowhere in it.
    async fn begin_at(&self, shard: &str, place: Option<&Position>) -> Result<()> {
        let (leases, stream, group) = (&self.streams.leases, &self.stream, &self.group);
        let checkpoint = match place {
            None => Some(Checkpoint::ShardEnd),
            Some(Position::After(sequence)) => Some(Checkpoint::At(sequence.clone())),
            Some(Position::AtTimestamp(time_ms)) => Some(Checkpoint::AtTimestamp(*time_ms)),
            Some(Position::TrimHorizon | Position::Latest) => None,
        };
        let stored = match &checkpoint {
            Some(checkpoint) => leases.set_checkpoint(stream, shard, group, checkpoint).await,
            None => leases.begin(stream, shard, group).await,
        };
        match stored {
            // Another host has begun meanwhile.
            Err(error) if error.kind == ErrorKind::ConditionFailed => Ok(()),
            stored => stored,
        }
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
