//! DynamoDB stream → worker: every shard has a reader, every reader its key groups, and children wait for their parents.

mod config;
mod decode;
mod held;
mod reader;
mod shards;

pub use config::{DynamodbStreamConfig, StartingPosition};

use super::{CircuitBreakers, Source, SourceContext, Status};
use held::Held;
use host_adapters_delivery::call::Invoker;
use host_adapters_delivery::dead_letter::DeadLetterSink;
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::key_group::Rules;
use host_adapters_platform::{Checkpoint, Position, Result, Shard, StreamBackend};
use reader::{ReadEnd, Reader};
use shards::Shards;
use std::sync::Arc;
use tokio::task::{JoinError, JoinSet};

/// The change stream of a table that feeds a worker.
pub struct DynamodbStreamSource(Arc<Shared>);

/// What all shards of a source share.
struct Shared {
    config: DynamodbStreamConfig,
    backend: Arc<dyn StreamBackend>,
    breakers: CircuitBreakers,
    rules: Arc<Rules>,
}

impl DynamodbStreamSource {
    /// Connects the stream of `config.table` to `context.worker`.
    pub fn new(config: DynamodbStreamConfig, context: &SourceContext) -> Self {
        let source = config.name();
        let invoker = Invoker::new(&context.worker, source.clone(), context.dispatch.clone());
        let breakers = CircuitBreakers::new(&source, &context.backoff, &invoker.meter.paused);
        let dead_letter_queue = config.dead_letter_queue(&context.worker);
        let rules = Rules {
            invoker,
            breaker: breakers.worker.clone(),
            backoff: context.backoff.clone(),
            clock: context.clock.clone(),
            limits: config.limits(),
            policy: config.policy(),
            max_age: config.max_age(),
            on_reject: config.on_reject,
            dead_letters: DeadLetterSink::new(context.queues.clone(), dead_letter_queue, &context.worker),
            batch_info: "DDBStreamBatchInfo",
        };
        Self(Arc::new(Shared { config, backend: context.streams.clone(), breakers, rules: Arc::new(rules) }))
    }
}

#[async_trait::async_trait]
impl Source for DynamodbStreamSource {
    fn status(&self) -> Status {
        self.0.breakers.status(&self.0.rules.invoker.worker, &self.0.rules.invoker.source)
    }

    async fn run(&self, drain: Drain) -> Ended {
        if self.0.skip_history(&drain).await.is_none() {
            return Ended::Drained;
        }
        let (mut shards, mut readers, mut held) = (Shards::default(), JoinSet::new(), Held::new(&self.0));
        while let Some(leases) = held.hold(&drain).await {
            leases.done.iter().for_each(|shard| shards.done(shard));
            for shard in shards.begin(&held.listed, &leases.held) {
                let reader =
                    Reader { shared: self.0.clone(), shard: shard.clone(), drain: held.drain_of(&shard, &drain) };
                readers.spawn(async move { (shard, reader.run().await) });
            }
            tokio::select! {
                biased;
                () = drain.stopping() => break,
                Some(joined) = readers.join_next() => match ended_of(joined) {
                    (shard, ReadEnd::ShardEnd) => {
                        shards.done(&shard);
                        held.list_again();
                    }
                    // Not the drain's word, for that has not begun.
                    (shard, ReadEnd::Drained(_)) => shards.lost(&shard),
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
}

/// A reader ends only by its own reasons; a panic in it is a bug, and not to be passed over in silence.
fn ended_of(joined: std::result::Result<(String, ReadEnd), JoinError>) -> (String, ReadEnd) {
    joined.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        // Only dropping `readers` cancels them.
        Err(_) => (String::new(), ReadEnd::Drained(Ended::Drained)),
    })
}

impl Shared {
    /// `LATEST`, for a worker that has no checkpoint in this stream: its place in every shard is written down before
    /// anything is read, so that what comes later is found even after a restart or a split. `None` if `drain` came
    /// first.
    async fn skip_history(&self, drain: &Drain) -> Option<()> {
        if self.config.starting_position == StartingPosition::TrimHorizon {
            return Some(());
        }
        let (table, worker) = (&self.config.table, &self.rules.invoker.worker);
        let shards = self.retry_until_ok(drain, || self.backend.shards(table)).await?;
        for Shard { id, .. } in &shards {
            if self.retry_until_ok(drain, || self.backend.checkpoint(table, id, worker)).await?.is_some() {
                return Some(());
            }
        }
        for Shard { id, .. } in &shards {
            let read = self.retry_until_ok(drain, || self.backend.records(table, id, &Position::Latest, 1)).await?;
            let checkpoint = match read.next {
                None => Checkpoint::ShardEnd,
                Some(Position::After(sequence)) => Checkpoint::At(sequence),
                // An empty shard has no history.
                Some(Position::TrimHorizon | Position::Latest) => continue,
            };
            self.retry_until_ok(drain, || self.backend.set_checkpoint(table, id, worker, &checkpoint)).await?;
        }
        Some(())
    }

    /// Calls the stream until it answers, pausing between; `None` if `drain` came first.
    async fn retry_until_ok<T, F: Future<Output = Result<T>>>(
        &self,
        drain: &Drain,
        mut call: impl FnMut() -> F,
    ) -> Option<T> {
        loop {
            let attempt = async {
                let permit = self.breakers.intake.enter().await;
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
