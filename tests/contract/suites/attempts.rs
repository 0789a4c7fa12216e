//! A source of a queue: what counts as an attempt (docs/delivery.md, 3.8), and the order of a FIFO queue (3.15, 3.16).

use super::backend::{DEAD_LETTERS, FIFO_DEAD_LETTERS, FIFO_QUEUE, LOOSE_QUEUE, secs};
use crate::wait;
use host_adapters_delivery::dead_letter::Origin;
use host_adapters_delivery::dispatch::{CallError, Dispatch, Dispatched};
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::event::{Attribute, Disposition, Event};
use host_adapters_delivery::redrive::{Outcome, Redriver};
use host_adapters_delivery::retry::Backoff;
use host_adapters_platform::clock::Clock;
use host_adapters_platform::{FailureTable, QueueBackend, QueueBrowser, StreamBackend};
use host_adapters_records::queue::Message;
use host_adapters_sources::sqs::SqsConfig;
use host_adapters_sources::{SourceConfig, SourceContext, dynamodb_stream, recovery};
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

type Answer = Box<dyn FnMut(&[Event]) -> Dispatched + Send>;

/// A worker that answers with a closure and keeps its batches.
struct Worker(Mutex<Answer>, Mutex<Vec<Vec<Event>>>);

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
        let context = SourceContext {
            worker: WORKER.to_owned(),
            dispatch: worker.clone(),
            queues: self.queues.clone(),
            streams: dynamodb_stream::streams(self.streams.clone()),
            failures: self.failures.clone(),
            clock: Clock::wall(),
            backoff: Backoff::new(),
        };
        let config = SqsConfig { max_concurrency: 1, visibility_timeout_secs: VISIBILITY_SECS, ..config };
        let (source, drain) = (SourceConfig::Sqs(config).source(&context), Drain::new());
        let draining = drain.clone();
        (drain, tokio::spawn(async move { source.run(draining).await }))
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

    let origin = Origin { worker: WORKER.to_owned(), source: format!("sqs:{FIFO_QUEUE}") };
    let origins = Arc::new([(FIFO_DEAD_LETTERS.to_owned(), vec![origin])].into());
    let (queues, browser) = (host.queues.clone(), host.queues.clone());
    let redriver = Redriver { queues, browser, dispatch: worker.clone(), recoveries: recovery, origins };
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
