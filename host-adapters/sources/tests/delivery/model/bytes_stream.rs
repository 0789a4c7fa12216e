//! A source whose records are bytes under a partition key, as in Kinesis: all that a new ordered source consists of.

use super::BytesRecord;
use host_adapters_delivery::OnReject;
use host_adapters_delivery::batch::Limits;
use host_adapters_delivery::call::Invoker;
use host_adapters_delivery::circuit_breaker::CircuitBreaker;
use host_adapters_delivery::dead_letter::DeadLetterSink;
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::event::{Event, Payload};
use host_adapters_delivery::split::Policy;
use host_adapters_delivery::stream::{OrderedStreams, Patience, Rules, Start, StreamConsumer, shard_attributes};
use host_adapters_platform::{LeaseTable, Shard, ShardReader};
use host_adapters_sources::SourceContext;
use std::sync::Arc;
use std::time::Duration;

/// Settings of a source that reads a stream of bytes.
#[derive(Clone, Debug)]
pub struct BytesStreamConfig {
    pub stream: String,
    pub limits: Limits,
    pub slices: usize,
    pub policy: Policy,
    pub max_age: Option<Duration>,
    pub on_reject: OnReject,
    pub dead_letter_queue: String,
}

impl BytesStreamConfig {
    pub fn new(stream: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            limits: Limits { size: 100, bytes: 6 << 20, window: Duration::ZERO },
            slices: 1,
            policy: Policy { max_retries: Some(3), bisect: true },
            max_age: None,
            on_reject: OnReject::default(),
            dead_letter_queue: "bytesDlq".to_owned(),
        }
    }
}

/// The streams of a store whose records are bytes.
pub fn bytes_streams<S: ShardReader<BytesRecord> + LeaseTable>(store: Arc<S>) -> Arc<OrderedStreams> {
    OrderedStreams::new::<BytesRecord>(store.clone(), store, events)
}

fn events(stream: &str, shard: &Shard, records: Vec<BytesRecord>) -> Vec<Event> {
    let event = |record: BytesRecord| Event {
        correlation_id: record.sequence.clone(),
        id: record.sequence,
        source: format!("bytes:{stream}"),
        ordering_key: Some(record.partition_key),
        payload: Payload::Bytes(record.data),
        attributes: shard_attributes(shard),
        attempt: 0,
        time_ms: record.arrived_ms,
        traceparent: None,
    };
    records.into_iter().map(event).collect()
}

/// Feeds the worker of `context` until `drain` ends it.
pub async fn run_bytes_stream(config: BytesStreamConfig, context: SourceContext, drain: Drain) -> Ended {
    let source = format!("bytes:{}", config.stream);
    let invoker = Invoker::new(&context.worker, source.clone(), context.dispatch.clone());
    let breaker = || Arc::new(CircuitBreaker::new(&source, context.backoff.clone(), invoker.meter.paused.clone()));
    let (intake, breaker) = (breaker(), breaker());
    let dead_letters = DeadLetterSink::new(context.queues.clone(), config.dead_letter_queue, &context.worker);
    let rules = Rules {
        invoker,
        breaker,
        backoff: context.backoff.clone(),
        clock: context.clock.clone(),
        limits: config.limits,
        policy: config.policy,
        patience: Patience::default(),
        max_age: config.max_age,
        on_reject: config.on_reject,
        dead_letters,
        batch_info: "KinesisBatchInfo",
    };
    let (streams, stream, slices) = (context.streams.clone(), config.stream, config.slices);
    let consumer = StreamConsumer { streams, stream, start: Start::Oldest, slices, intake, rules: Arc::new(rules) };
    Arc::new(consumer).run(drain).await
}
