//! The metrics of delivery: their names and labels at `/metrics` (docs/delivery.md, 10).

use crate::model::{Reply, TaskReply, World, retry};
use crate::rows;
use host_adapters_delivery::OnReject;
use host_adapters_delivery::event::Disposition;
use host_adapters_sources::SourceConfig;
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use host_adapters_sources::sqs::SqsConfig;
use host_adapters_sources::task::TaskConfig;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Every value by `name{label=value,…}`: the sum of counters and gauges, the last value of histograms.
#[derive(Clone, Default)]
struct Measured(Arc<Mutex<BTreeMap<String, f64>>>);

struct Series(String, Measured);

impl Series {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut all = self.1.0.lock().unwrap();
        let value = all.entry(self.0.clone()).or_default();
        *value = change(*value);
    }
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
impl CounterFn for Series {
    fn increment(&self, value: u64) {
        self.change(|sum| sum + value as f64);
    }
    fn absolute(&self, value: u64) {
        self.change(|_| value as f64);
    }
}

impl GaugeFn for Series {
    fn increment(&self, value: f64) {
        self.change(|sum| sum + value);
    }
    fn decrement(&self, value: f64) {
        self.change(|sum| sum - value);
    }
    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.change(|_| value);
    }
}

impl Measured {
    fn series(&self, key: &Key) -> Arc<Series> {
        let labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let name = key.name().strip_prefix("registration_").expect("the prefix of all our metrics");
        Arc::new(Series(format!("{name}{{{}}}", labels.join(",")), self.clone()))
    }

    fn get(&self, name: &str) -> Option<f64> {
        self.0.lock().unwrap().get(name).copied()
    }
}

impl Recorder for Measured {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.series(key))
    }
}

rows! {
    d10_1__a_queue_is_counted_by_worker_and_source {
        let measured = Measured::default();
        let _recording = metrics::set_default_local_recorder(&measured);
        let world = World::new(|batch| Reply::each(batch, |event| match event.id.as_str() {
            "m1" => Disposition::Reject("stale: 17 newer".into()),
            "m2" => retry(),
            "m3" => Disposition::Skip("stale: 18 newer".into()),
            _ => Disposition::Ack,
        }).takes(2));
        world.start(SourceConfig::Sqs(SqsConfig { max_concurrency: 1, on_reject: OnReject::Drop, ..SqsConfig::new("q") }));
        world.queues.put("q", (0..4).map(|n| n.to_string()));
        let of = |name: &str| measured.get(&format!("{name}{{worker=save-entries,source=sqs:q}}"));
        world.at(1.0).await;
        assert_eq!((of("in_flight"), of("batch_size")), (Some(4.0), Some(4.0)));
        world.at(3.0).await;
        assert_eq!((of("in_flight"), of("record_age_seconds").map(f64::round)), (Some(0.0), Some(2.0)));
        let call = "call_seconds{worker=save-entries,source=sqs:q,outcome=retried}";
        assert_eq!(measured.get(call).map(f64::round), Some(2.0));
        assert_eq!((of("received_total"), of("acked_total"), of("retried_total")), (Some(4.0), Some(1.0), Some(1.0)));
        for ended in ["rejected", "skipped"] {
            let name = format!("{ended}_total{{worker=save-entries,source=sqs:q,reason=stale}}");
            assert_eq!(measured.get(&name), Some(1.0), "{name}");
        }
        world.at(100.0).await;
        let call = "call_seconds{worker=save-entries,source=sqs:q,outcome=retried}";
        assert_eq!(measured.get(call).map(f64::round), Some(2.0));
        assert_eq!((of("received_total"), of("dead_lettered_total")), (Some(6.0), Some(1.0)));
    }

    d10_1__records_that_do_not_match_the_filter_are_counted {
        let measured = Measured::default();
        let _recording = metrics::set_default_local_recorder(&measured);
        let world = World::new(crate::model::ack_all);
        world.streams.open("s", None);
        world.streams.put_range("s", 0..5);
        let config = DynamodbStreamConfig::new("t").filtered(r#"{"dynamodb": {"Keys": {"pk": {"S": ["item-2"]}}}}"#);
        world.start(SourceConfig::DynamodbStream(config.unwrap()));
        world.at(2.0).await;
        let of = |name: &str| measured.get(&format!("{name}{{worker=save-entries,source=dynamodb-stream:t}}"));
        assert_eq!((of("filtered_total"), of("received_total"), of("acked_total")), (Some(4.0), Some(1.0), Some(1.0)));
    }

    /// Of an execution that fails once, waits once, and takes a second in the end; and of one that fails for good.
    d10_1__the_age_of_an_execution_is_measured_when_it_has_ended {
        let measured = Measured::default();
        let _recording = metrics::set_default_local_recorder(&measured);
        let world = World::new(|_| unreachable!("a task is not a batch"));
        world.worker.does(|request| match (request.body.as_str(), request.attempt) {
            ("\"a\"", 1) => TaskReply::failed("later"),
            ("\"a\"", 2) => TaskReply::status(429, "taken"),
            ("\"a\"", _) => TaskReply::status(200, "{}").takes(10),
            _ => TaskReply::status(422, "{}").takes(60),
        });
        let age = || measured.get("record_age_seconds{worker=save-entries,source=task}");
        world.executions.start(["a"]);
        world.start(SourceConfig::Task(TaskConfig::default()));
        world.at(9.0).await;
        assert_eq!(age(), None, "it has not ended");
        world.at(30.0).await;
        assert!(age().is_some_and(|age| (12.0..=17.0).contains(&age)), "{:?}", age());
        world.executions.start(["b"]);
        world.at(100.0).await;
        assert_eq!(age().map(f64::round), Some(60.0));
    }

    /// One shard idles, the other one lags: the age is that of the one that lags, and it grows.
    d10_2__the_age_of_a_stream_is_the_greatest_of_its_shards {
        let measured = Measured::default();
        let _recording = metrics::set_default_local_recorder(&measured);
        let world = World::new(|batch| Reply::each(batch, |event| match event.ordering_key.as_deref() {
            Some("item-0|s") => retry(),
            _ => Disposition::Ack,
        }));
        for shard in ["idle", "lags"] {
            world.streams.open(shard, None);
        }
        world.streams.put_range("lags", 0..1);
        world.streams.put_range("idle", 1..2);
        world.start(SourceConfig::DynamodbStream(DynamodbStreamConfig { maximum_retry_attempts: -1, ..DynamodbStreamConfig::new("t") }));
        let age = || measured.get("iterator_age_seconds{worker=save-entries,source=dynamodb-stream:t}").unwrap();
        for at in [20.0, 40.0, 90.0] {
            world.at(at).await;
            assert!((at - 6.0..=at).contains(&age()), "{} at {at}", age());
        }
        world.worker.answers(crate::model::ack_all);
        world.at(200.0).await;
        assert_eq!(age(), 0.0);
    }

    d10_2__a_pause_and_the_age_of_a_stream_are_shown {
        let measured = Measured::default();
        let _recording = metrics::set_default_local_recorder(&measured);
        let world = World::new(|batch| Reply::each(batch, |_| retry()).outage("service:entry"));
        world.streams.open("s", None);
        world.streams.put_range("s", 0..1);
        world.at(50.0).await;
        world.start(SourceConfig::DynamodbStream(DynamodbStreamConfig::new("t")));
        let of = |name: &str| measured.get(&format!("{name}{{worker=save-entries,source=dynamodb-stream:t}}"));
        world.at(50.5).await;
        assert_eq!((of("paused"), of("iterator_age_seconds").map(f64::round)), (Some(1.0), Some(50.0)));
        world.worker.answers(crate::model::ack_all);
        world.at(120.0).await;
        assert_eq!((of("paused"), of("iterator_age_seconds"), of("acked_total")), (Some(0.0), Some(0.0), Some(1.0)));
    }
}
