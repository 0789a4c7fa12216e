//! DynamoDB stream → worker: [`host_adapters_delivery::stream`] with changes of items as records.

mod canned;
mod config;

pub(crate) use canned::CANNED;
pub(in crate::dynamodb_stream) use config::name;
pub use config::DynamodbStreamConfig as Config;
pub use config::{DynamodbStreamConfig, StartingPosition};

use super::event::{events, ordering_key_of};
use crate::{CircuitBreakers, Source, SourceContext, SourceSettings, Status};
use host_adapters_delivery::call::Invoker;
use host_adapters_delivery::dead_letter::{DeadLetter, DeadLetterSink};
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::event::Event;
use host_adapters_delivery::redrive::{Recovery, Way};
use host_adapters_delivery::stream::{OrderedStreams, Patience, Rules, Start, StreamConsumer};
use host_adapters_platform::StreamBackend;
use std::sync::Arc;

/// A change goes to its worker: streams cannot take records back.
pub(crate) const RECOVERY: Option<Recovery> = Some(Recovery { way: Way::Worker, event: event_of });

/// The event of a dead letter's change, with the item as its ordering key.
fn event_of(dead_letter: &DeadLetter) -> Result<Event, String> {
    let event = dead_letter.stream_event()?;
    Ok(Event { ordering_key: ordering_key_of(&event.payload), ..event })
}

/// A table's change stream that feeds a worker.
pub struct DynamodbStreamSource {
    consumer: Arc<StreamConsumer>,
    breakers: CircuitBreakers,
}

/// The change streams of tables, for all workers of this host.
pub fn streams(backend: Arc<dyn StreamBackend>) -> Arc<OrderedStreams> {
    OrderedStreams::new(backend.clone(), backend, events)
}

impl DynamodbStreamSource {
    /// Connects the stream of `config.table` to `context.worker`.
    pub fn new(config: DynamodbStreamConfig, context: &SourceContext) -> Self {
        let source = config.name();
        let invoker = Invoker::new(&context.worker, source.clone(), context.dispatch.clone()).with_clock(context.clock.clone());
        let breakers = CircuitBreakers::new(&source, &context.backoff, &invoker.meter.paused);
        let dead_letter_queue = config.dead_letters(&context.worker);
        let rules = Rules {
            invoker,
            breaker: breakers.worker.clone(),
            backoff: context.backoff.clone(),
            clock: context.clock.clone(),
            limits: config.limits(),
            patience: Patience::default(),
            policy: config.policy(),
            max_age: config.max_age(),
            on_reject: config.on_reject,
            dead_letters: DeadLetterSink::new(context.queues.clone(), dead_letter_queue, &context.worker),
            batch_info: "DDBStreamBatchInfo",
        };
        let consumer = StreamConsumer {
            streams: context.streams.clone(),
            start: match config.starting_position {
                StartingPosition::TrimHorizon => Start::Oldest,
                StartingPosition::Latest => Start::Latest,
            },
            slices: config.parallelization_factor,
            stream: config.table,
            intake: breakers.intake.clone(),
            rules: Arc::new(rules),
        };
        Self { consumer: Arc::new(consumer), breakers }
    }
}

#[async_trait::async_trait]
impl Source for DynamodbStreamSource {
    fn status(&self) -> Status {
        let invoker = &self.consumer.rules.invoker;
        self.breakers.status(&invoker.worker, &invoker.source)
    }

    async fn run(&self, drain: Drain) -> Ended {
        self.consumer.run(drain).await
    }
}
