//! The common parts of the sources that read ordered streams: their settings, and the source itself.

use crate::{CircuitBreakers, Source, SourceContext, Status};
use host_adapters_delivery::OnReject;
use host_adapters_delivery::batch::BatchLimits;
use host_adapters_delivery::call::Invoker;
use host_adapters_delivery::dead_letter::DeadLetterSink;
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::split::Policy;
use host_adapters_delivery::stream::{OrderedStreams, Patience, Rules, Start, StreamConsumer, Wanted};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;
use std::time::Duration;

/// Declares the settings of such a source: its own, then those of all.
macro_rules! ordered_stream_settings {
    ($(#[doc = $about:literal])* pub struct $name:ident { $($own:tt)* }) => {
        host_adapters_settings::settings! {
            $(#[doc = $about])*
            pub struct $name {
                $($own)*
                /// Most records of a call.
                pub batch_size: usize = 100, 1..=10_000;
                /// How long the first record of a batch waits for others at most, in seconds.
                pub batch_window_secs: u32 = 0, $crate::BATCH_WINDOW_SECS;
                /// Most bytes of payload of a call.
                pub max_batch_bytes: usize = $crate::DEFAULT_MAX_BATCH_BYTES, $crate::MAX_BATCH_BYTES;
                /// Most batches of one shard in flight; what has one ordering key stays in order.
                pub parallelization_factor: usize = 1, 1..=10;
                /// Retries of a record after its first attempt; -1 retries until it expires and blocks its shard, which is
                /// Lambda's default.
                pub maximum_retry_attempts: i32 = 3, -1..=10_000;
                /// Records older than this become dead letters without an attempt, in seconds; -1 for no limit.
                pub maximum_record_age_secs: i32 = -1, -1..=604_800;
                /// For a worker that must get the records of a shard one batch after the other, none left out: with it
                /// `parallelization_factor` must be 1, and `maximum_retry_attempts` and `maximum_record_age_secs` -1.
                pub strict_order: bool = false, ();
                /// Whether a batch whose call failed is halved, until the record that caused it is alone.
                pub bisect: bool = true, ();
                /// The queue of dead letters; by default the worker's name in camel case and `Dlq`, as in `enqueueEntriesDlq`.
                pub dead_letter_queue: Option<String> = None, ();
                /// Whether rejected records become dead letters or are dropped, and their payload lost.
                pub on_reject: host_adapters_delivery::OnReject = host_adapters_delivery::OnReject::DeadLetter, ();
            }
        }

        impl $name {
            /// The queue that dead letters of `worker` go to.
            pub fn dead_letters(&self, worker: &str) -> String {
                self.dead_letter_queue.clone().unwrap_or_else(|| format!("{}Dlq", $crate::camel_case_name(worker)))
            }

            /// Settings that would hand records over in parallel, or leave out a readable one (docs/delivery.md, 4.18).
            fn check_order(&self, fields: &mut host_adapters_settings::Fields<'_, '_>) {
                if !self.strict_order {
                    return;
                }
                let needed = [
                    ("parallelization_factor = 1", self.parallelization_factor == 1),
                    ("maximum_retry_attempts = -1", self.maximum_retry_attempts == -1),
                    ("maximum_record_age_secs = -1", self.maximum_record_age_secs == -1),
                ];
                let missing: Vec<_> = needed.into_iter().filter(|(_, is_so)| !is_so).map(|(setting, _)| setting).collect();
                if !missing.is_empty()
                    && let Some((_, span)) = fields.item("strict_order")
                {
                    fields.diagnostic(&span, format!("strict_order = true needs {}", missing.join(", ")));
                }
            }

            fn delivery(&self) -> $crate::ordered::Delivery {
                let window = std::time::Duration::from_secs(self.batch_window_secs.into());
                $crate::ordered::Delivery {
                    limits: host_adapters_delivery::batch::BatchLimits {
                        size: self.batch_size,
                        bytes: self.max_batch_bytes,
                        window,
                    },
                    slices: self.parallelization_factor,
                    policy: host_adapters_delivery::split::Policy {
                        // Only -1, which stands for no limit, does not fit.
                        max_retries: u32::try_from(self.maximum_retry_attempts).ok(),
                        bisect: self.bisect,
                    },
                    max_age: u64::try_from(self.maximum_record_age_secs).ok().map(std::time::Duration::from_secs),
                    on_reject: self.on_reject,
                }
            }
        }
    };
}

pub(crate) use ordered_stream_settings;

/// The JSON Schema of what `strict_order` needs.
pub(crate) fn strict_order_rules() -> Map<String, Json> {
    let strict = json!({"properties": {"strict_order": {"const": true}}, "required": ["strict_order"]});
    let settings = json!({
        "properties": {
            "parallelization_factor": {"const": 1},
            "maximum_retry_attempts": {"const": -1},
            "maximum_record_age_secs": {"const": -1},
        },
        "required": ["maximum_retry_attempts"],
    });
    [("if".to_owned(), strict), ("then".to_owned(), settings)].into_iter().collect()
}

/// How the records of a stream are delivered.
pub(crate) struct Delivery {
    pub(crate) limits: BatchLimits,
    pub(crate) slices: usize,
    pub(crate) policy: Policy,
    pub(crate) max_age: Option<Duration>,
    pub(crate) on_reject: OnReject,
}

/// A stream that feeds a worker.
pub(crate) struct OrderedStream {
    /// `<kind>:<stream>`.
    pub(crate) source: String,
    /// The stream's name, and the streams among which it is.
    pub(crate) stream: String,
    pub(crate) streams: Arc<OrderedStreams>,
    /// The name under which leases and checkpoints are stored, if it is not the worker's.
    pub(crate) group: Option<String>,
    pub(crate) start: Start,
    /// Which records the worker gets; `None` for all.
    pub(crate) wanted: Option<Wanted>,
    pub(crate) dead_letter_queue: String,
    /// Lambda's name of this kind of source in the envelope of a dead letter.
    pub(crate) batch_info: &'static str,
    pub(crate) delivery: Delivery,
}

/// The source of a stream.
struct OrderedSource {
    consumer: Arc<StreamConsumer>,
    breakers: CircuitBreakers,
}

impl OrderedStream {
    /// Connects the stream to `context.worker`.
    pub(crate) fn source(self, context: &SourceContext) -> Arc<dyn Source> {
        let Self { source, stream, streams, group, start, wanted, dead_letter_queue, batch_info, delivery } = self;
        let invoker =
            Invoker::new(&context.worker, source.clone(), context.dispatch.clone()).with_clock(context.clock.clone());
        let breakers = CircuitBreakers::new(&source, &context.backoff, &invoker.meter.paused);
        let rules = Rules {
            invoker,
            breaker: breakers.worker.clone(),
            backoff: context.backoff.clone(),
            clock: context.clock.clone(),
            limits: delivery.limits,
            patience: Patience::default(),
            policy: delivery.policy,
            max_age: delivery.max_age,
            on_reject: delivery.on_reject,
            dead_letters: DeadLetterSink::new(context.stores.queues.clone(), dead_letter_queue, &context.worker),
            batch_info,
        };
        let consumer = StreamConsumer {
            streams,
            stream,
            group: group.unwrap_or_else(|| context.worker.clone()),
            start,
            wanted,
            slices: delivery.slices,
            intake: breakers.intake.clone(),
            rules: Arc::new(rules),
        };
        Arc::new(OrderedSource { consumer: Arc::new(consumer), breakers })
    }
}

#[async_trait::async_trait]
impl Source for OrderedSource {
    fn status(&self) -> Status {
        let invoker = &self.consumer.rules.invoker;
        self.breakers.status(&invoker.worker, &invoker.source)
    }

    async fn run(&self, drain: Drain) -> Ended {
        self.consumer.run(drain).await
    }
}
