//! A source of a queue: what counts as an attempt (docs/delivery.md, 3.8) and as a receive (7.7), the order of a FIFO queue
//! (3.15, 3.16), and dead letters that come back as they were (6.6, 6.7, 6.9).

use super::backend::{DEAD_LETTERS, FIFO_DEAD_LETTERS, FIFO_QUEUE, LOOSE_QUEUE, MAX_RECEIVES, QUEUE, secs};
use super::queue::typed_attributes;
use crate::wait;
use host_adapters_delivery::dead_letter::{Cause, DeadLetterSink, Origin};
use host_adapters_delivery::dispatch::{CallError, Dispatch, Dispatched};
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::event::{Attribute, Disposition, Event, Payload};
use host_adapters_delivery::redrive::{Outcome, Redriver};
use host_adapters_platform::limits::message::{MAX_MESSAGE_BYTES, bytes};
use host_adapters_platform::{FailureTable, QueueBackend, QueueBrowser, StreamBackend};
use host_adapters_records::queue::Message;
use host_adapters_sources::sqs::SqsConfig;
use host_adapters_sources::{SourceConfig, SourceContext, SourceStores, recovery};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

const WORKER: &str = "counted";
const VISIBILITY_SECS: u32 = 2;

/// The backends of a host, with a clock that runs.
#[derive(Clone)]
pub struct Host<Q> {
    pub queues: Arc<Q>,
    pub failures: Arc<dyn FailureTable>,
    pub streams: Arc<dyn StreamBackend>,
}

type Handler = Box<dyn FnMut(&[Event]) -> Dispatched + Send>;

/// A worker that answers with a closure and keeps its batches.
struct Worker(Mutex<Handler>, Mutex<Vec<Vec<Event>>>);

#[async_trait::async_trait]
impl Dispatch for Worker {
    async fn dispatch(&self, _: &str, batch: Vec<Event>) -> Dispatched {
        let answer = (self.0.lock().unwrap())(&batch);
        self.1.lock().unwrap().push(batch);
        answer
    }
}

impl Worker {
    fn new(answer: impl FnMut(&[Event]) -> Dispatched + Send + 'static) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Box::new(answer)), Mutex::default()))
    }

    fn calls(&self) -> Vec<Vec<Event>> {
        self.1.lock().unwrap().clone()
    }
}

fn answered(result: Result<Vec<Disposition>, CallError>, outages: &[&str]) -> Dispatched {
    let outages = outages.iter().map(ToString::to_string).collect();
    Dispatched { result, digest: "d1".into(), outages, ..Dispatched::default() }
}

impl<Q: QueueBackend + QueueBrowser> Host<Q> {
    /// `up`, with one poller.
    fn start(&self, config: SqsConfig, worker: &Arc<Worker>) -> (Drain, JoinHandle<Ended>) {
        let (streams, failures) = (self.streams.clone(), self.failures.clone());
        let stores = SourceStores { streams, failures, ..SourceStores::of_queues(self.queues.clone()) };
        let context = SourceContext::new(WORKER, worker.clone(), stores);
        let config = SqsConfig { max_concurrency: 1, visibility_timeout_secs: VISIBILITY_SECS, ..config };
        let (source, drain) = (SourceConfig::Sqs(config).source(&context), Drain::new());
        let draining = drain.clone();
        (drain, tokio::spawn(async move { source.run(draining).await }))
    }

    /// An operator's work on the dead letters of a source.
    fn redriver(&self, worker: &Arc<Worker>, dead_letters: &str, source: &str) -> Redriver {
        let queue = source.strip_prefix("sqs:").map(str::to_owned);
        let origin = Origin { worker: WORKER.to_owned(), source: source.to_owned(), queue };
        let origins = Arc::new([(dead_letters.to_owned(), vec![origin])].into());
        let (queues, browser) = (self.queues.clone(), self.queues.clone());
        Redriver { queues, browser, dispatch: worker.clone(), recoveries: recovery, origins }
    }

    async fn send(&self, queue: &str, messages: Vec<Message>) {
        let sent = self.queues.send_batch(queue, messages).await.unwrap();
        assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    }

    async fn is_empty(&self, queue: &str) -> Option<()> {
        let depth = self.queues.depth(queue).await.unwrap();
        (depth.visible + depth.in_flight + depth.delayed == 0).then_some(())
    }
}

/// One message while a service is down: the host is started and drained three times, then the worker fails three times.
pub async fn case_06_only_failures_count(host: Host<impl QueueBackend + QueueBrowser>) {
    host.send(LOOSE_QUEUE, vec![Message::new("{}")]).await;
    let config = SqsConfig { dead_letter_queue: Some(DEAD_LETTERS.to_owned()), ..SqsConfig::new(LOOSE_QUEUE) };
    for _ in 0..3 {
        let down = Worker::new(|_| answered(Ok(vec![]), &["service:entry"]));
        let (drain, source) = host.start(config.clone(), &down);
        wait::eventually("a call in the outage", async || (!down.calls().is_empty()).then_some(())).await;
        drain.finish(Duration::from_secs(5), source).await.unwrap();
    }
    let broken = Worker::new(|_| answered(Err(CallError::Trapped("unreachable".into())), &[]));
    let (drain, source) = host.start(config, &broken);
    wait::eventually("the dead letter", async || host.is_empty(LOOSE_QUEUE).await).await;
    drain.finish(Duration::from_secs(5), source).await.unwrap();
    let attempts: Vec<u32> = broken.calls().concat().iter().map(|event| event.attempt).collect();
    assert_eq!(attempts, [4, 5, 6], "deliveries go on, failures begin");
    let dead = host.queues.receive(DEAD_LETTERS, 10, secs(2), secs(30)).await.unwrap();
    assert_eq!((dead.len(), Attribute::find(&dead[0].attributes, "attempt")), (1, Some("6")));
    let id = broken.calls()[0][0].id.clone();
    assert_eq!(host.failures.count_failures(LOOSE_QUEUE, &[id]).await.unwrap(), [1], "forgotten");
}

fn bodies(calls: &[Vec<Event>]) -> Vec<Vec<String>> {
    let body = |event: &Event| event.json::<String>().unwrap();
    calls.iter().map(|batch| batch.iter().map(body).collect()).collect()
}

/// The first of a group fails once; then it fails for good, and is sent back from its dead-letter queue.
pub async fn case_09_a_group_keeps_its_order(host: Host<impl QueueBackend + QueueBrowser>) {
    let message = |name: &str| Message { group_id: Some(name[..1].to_owned()), ..Message::new(format!("\"{name}\"")) };
    host.send(FIFO_QUEUE, ["a1", "b1", "a2", "a3"].map(message).into()).await;
    let fails = |event: &Event| event.attempt < 3 && event.json::<String>().unwrap() == "a1";
    let said = move |event: &Event| if fails(event) { Disposition::retry("not yet") } else { Disposition::Ack };
    let worker = Worker::new(move |batch| answered(Ok(batch.iter().map(said).collect()), &[]));
    let (drain, source) = host.start(SqsConfig { max_attempts: 2, ..SqsConfig::new(FIFO_QUEUE) }, &worker);
    wait::eventually("all to be settled", async || host.is_empty(FIFO_QUEUE).await).await;
    // Groups may come in any order.
    let (group, other): (Vec<_>, Vec<_>) =
        bodies(&worker.calls()).into_iter().flatten().partition(|body| body.starts_with('a'));
    assert_eq!(
        (group, other),
        (["a1", "a2", "a3", "a1", "a2", "a3", "a2", "a3"].map(str::to_owned).into(), vec!["b1".to_owned()])
    );

    let redriver = host.redriver(&worker, FIFO_DEAD_LETTERS, &format!("sqs:{FIFO_QUEUE}"));
    let (dead, _) = redriver.list(FIFO_DEAD_LETTERS, None, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].ordering_key.as_deref()), (1, Some("a")));
    let back = redriver.redrive(FIFO_DEAD_LETTERS, &[dead[0].summary.id.clone()]).await.unwrap();
    assert_eq!(back, [Outcome::Redriven]);
    wait::eventually("the message that was sent back", async || (worker.calls().concat().len() > 9).then_some(()))
        .await;
    let last = worker.calls().concat().pop().unwrap();
    assert_eq!((last.ordering_key.as_deref(), last.attempt), (Some("a"), 1));
    drain.finish(Duration::from_secs(5), source).await.unwrap();
}

/// A service refuses everything for more probes than a message may have receives, and the queue moves none.
pub async fn refusals_use_few_receives(host: Host<impl QueueBackend + QueueBrowser>) {
    host.send(QUEUE, (0..12).map(|n| Message::new(n.to_string())).collect()).await;
    let refused = Worker::new(|_| Dispatched {
        refusing: vec!["service:entry POST /x: every request is answered with 404".to_owned()],
        ..answered(Ok(vec![]), &[])
    });
    let config = SqsConfig { dead_letter_queue: Some(DEAD_LETTERS.to_owned()), ..SqsConfig::new(QUEUE) };
    let (drain, source) = host.start(config.clone(), &refused);
    let many = usize::try_from(MAX_RECEIVES).unwrap() + 3;
    wait::eventually("probes", async || (refused.calls().len() >= many).then_some(())).await;
    let first = &refused.calls()[0];
    let again = refused.calls().iter().filter(|batch| batch[0].id == first[0].id).count();
    assert!(again > usize::try_from(MAX_RECEIVES).unwrap(), "{again} probes with the same batch");
    drain.finish(Duration::from_secs(5), source).await.unwrap();
    let well = Worker::new(|batch| answered(Ok(vec![Disposition::Ack; batch.len()]), &[]));
    let (drain, source) = host.start(config, &well);
    wait::eventually("all to be done", async || host.is_empty(QUEUE).await).await;
    drain.finish(Duration::from_secs(5), source).await.unwrap();
    assert_eq!(well.calls().concat().len(), 12, "nothing was moved");
    assert_eq!(host.is_empty(DEAD_LETTERS).await, Some(()));
}

/// Bytes that cannot be compressed, so many.
pub fn incompressible(bytes: usize) -> Vec<u8> {
    let mut seed = 1u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    (0..bytes).map(|_| random()).collect()
}

/// Text that cannot be compressed much, of this many bytes.
fn noise(bytes: usize) -> String {
    let mut seed = 1u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b' ' + (seed >> 58) as u8)
    };
    (0..bytes).map(|_| random()).collect()
}

/// The largest messages, of zeros and of noise, with attributes of every type: given up, sent back and handled as they
/// were.
pub async fn case_08_case_11_the_largest_messages_come_back_as_they_were(host: Host<impl QueueBackend + QueueBrowser>) {
    let attributes = typed_attributes();
    let room = MAX_MESSAGE_BYTES - bytes(&Message { attributes: attributes.clone(), ..Message::new("") });
    let bodies = ["0".repeat(room), noise(room)];
    for body in &bodies {
        host.send(LOOSE_QUEUE, vec![Message { attributes: attributes.clone(), ..Message::new(body) }]).await;
    }
    let mut rejected = 0;
    let worker = Worker::new(move |batch| {
        rejected += batch.len();
        let said = if rejected <= 2 { Disposition::Reject("not yet".into()) } else { Disposition::Ack };
        answered(Ok(vec![said; batch.len()]), &[])
    });
    let config = SqsConfig { dead_letter_queue: Some(DEAD_LETTERS.to_owned()), ..SqsConfig::new(LOOSE_QUEUE) };
    let (drain, source) = host.start(config, &worker);
    wait::eventually("the dead letters", async || host.is_empty(LOOSE_QUEUE).await).await;
    let redriver = host.redriver(&worker, DEAD_LETTERS, &format!("sqs:{LOOSE_QUEUE}"));
    let (dead, _) = redriver.list(DEAD_LETTERS, None, 10).await.unwrap();
    let ids: Vec<String> = dead.iter().map(|dead_letter| dead_letter.summary.id.clone()).collect();
    assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), [Outcome::Redriven, Outcome::Redriven]);
    wait::eventually("the messages that were sent back", async || (worker.calls().concat().len() >= 4).then_some(()))
        .await;
    drain.finish(Duration::from_secs(5), source).await.unwrap();
    let back: Vec<Event> = worker.calls().concat().split_off(2);
    for body in &bodies {
        let payload = Payload::of_text(body.clone());
        let event = back.iter().find(|event| event.payload == payload).expect("whole");
        let own = event.attributes.iter().filter(|it| attributes.contains(it)).count();
        assert_eq!(own, attributes.len(), "{:?}", event.attributes);
    }
    assert_eq!(host.is_empty(DEAD_LETTERS).await, Some(()));
}

/// A change of 2 MB fits only compressed, and is handed over as it was.
pub async fn case_08_a_large_change_comes_back_as_it_was(host: Host<impl QueueBackend + QueueBrowser>) {
    let change = format!(r#"{{"keys":{{"pk":"p","sk":"s"}},"newImage":{{"a":"{}"}}}}"#, "k\\u0001".repeat(300_000));
    let event = Event {
        id: "000017".into(),
        source: "dynamodb-stream:t".into(),
        ordering_key: Some("p|s".into()),
        payload: Payload::Json(change),
        attributes: typed_attributes(),
        attempt: 4,
        time_ms: 5,
        correlation_id: "000017".into(),
        traceparent: None,
    };
    let sink = DeadLetterSink::new(host.queues.clone(), DEAD_LETTERS.to_owned(), WORKER);
    let dead_letter = sink.stream(&event, "s", json!({"version": "1.0"}), &Cause { reason: "no", ..Cause::default() });
    assert_eq!(sink.send(vec![dead_letter]).await, [None]);
    let worker = Worker::new(|_| answered(Ok(vec![Disposition::Ack]), &[]));
    let redriver = host.redriver(&worker, DEAD_LETTERS, &event.source);
    let (dead, _) = redriver.list(DEAD_LETTERS, None, 10).await.unwrap();
    let ids = [dead[0].summary.id.clone()];
    assert_eq!(redriver.redrive(DEAD_LETTERS, &ids).await.unwrap(), [Outcome::Redriven]);
    let mut back = worker.calls().concat().remove(0);
    assert!(back.attributes.pop().is_some_and(|it| it.name == "redriven"), "d11_9");
    assert!(back.payload == event.payload && back.attributes == event.attributes, "as it was");
}

/// A record of 1 MiB that cannot be compressed fits into no message, and is handed over as it was.
pub async fn case_08_a_record_in_parts_comes_back_as_it_was(host: Host<impl QueueBackend + QueueBrowser>) {
    let event = Event {
        id: "000017".into(),
        source: "kinesis:s".into(),
        ordering_key: Some("key".into()),
        payload: Payload::Bytes(incompressible(1 << 20)),
        attributes: vec![Attribute::text("partitionKey", "key"), Attribute::text("shardId", "s")],
        attempt: 4,
        time_ms: 5,
        correlation_id: "000017".into(),
        traceparent: None,
    };
    for queue in [DEAD_LETTERS, FIFO_DEAD_LETTERS] {
        let sink = DeadLetterSink::new(host.queues.clone(), queue.to_owned(), WORKER);
        let cause = Cause { reason: "no", ..Cause::default() };
        assert_eq!(sink.send(vec![sink.stream(&event, "s", json!({"version": "1.0"}), &cause)]).await, [None]);
        let worker = Worker::new(|_| answered(Ok(vec![Disposition::Ack]), &[]));
        let redriver = host.redriver(&worker, queue, &event.source);
        let (dead, _) = redriver.list(queue, None, 10).await.unwrap();
        let ids: Vec<String> = dead.iter().map(|part| part.summary.id.clone()).collect();
        assert_eq!(ids.len(), 2, "{queue}");
        let shown = redriver.find(queue, &ids[1]).await.unwrap().unwrap();
        assert_eq!((shown.messages.len(), shown.summary.part), (2, None), "{queue}");
        assert_eq!(redriver.redrive(queue, &ids).await.unwrap(), [Outcome::Redriven, Outcome::Redriven], "{queue}");
        let mut back = worker.calls().concat().remove(0);
        assert!(back.attributes.pop().is_some_and(|it| it.name == "redriven"), "d11_9");
        assert!(back.payload == event.payload && back.attributes == event.attributes, "as it was, from {queue}");
        assert_eq!(host.is_empty(queue).await, Some(()));
    }
}
