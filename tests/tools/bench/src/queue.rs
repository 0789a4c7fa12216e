//! `queue_msgs_per_s`, `host_cpu_us_per_msg`: the embedded queue through the source `sqs` to a worker that does
//! nothing, ten messages a call. The baseline is the same source and queue with a function instead of the worker.

use crate::batch::{Memory, Outside, nothing};
use crate::place;
use crate::report::{Beside, Figure};
use crate::rounds::{Effort, interleaved, median};
use anyhow::{Result, ensure};
use backend_embedded::Embedded;
use host_adapters::dispatch::Dispatcher;
use host_adapters::telemetry::{Tracing, metrics};
use host_adapters_delivery::dispatch::{Dispatch, Dispatched};
use host_adapters_delivery::drain::Drain;
use host_adapters_delivery::event::{Disposition, Event};
use host_adapters_platform::{Declared, QueueBackend, QueueSpec};
use host_adapters_records::queue::Message;
use host_adapters_runtime::{Interfaces, Limits, Runtime, RuntimeConfig};
use host_adapters_sources::sqs::SqsConfig;
use host_adapters_sources::{SourceConfig, SourceContext, SourceStores};
use rustix::time::{ClockId, clock_gettime};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const QUEUE: &str = "benchQueue";
/// A guest of the tests that does what its records tell it.
const WORKER: &str = "probe";
const BODY: &str = r#"{"do":"ack"}"#;
/// Messages of one round.
const MESSAGES: usize = 10_000;
/// Messages in one call of the queue when it is filled.
const FILL: usize = 500;

/// Measures both figures.
///
/// # Errors
/// When the queue cannot be filled or is not emptied.
pub fn measure(effort: Effort) -> Result<Vec<Figure>> {
    let threads = tokio::runtime::Runtime::new()?;
    // The host updates metrics, so the baseline does too.
    let _metrics = threads.block_on(async { metrics::install() })?;
    let folder = tempfile::tempdir()?;
    let store = store(folder.path())?;
    let sandboxed: Arc<dyn Dispatch> = Arc::new(dispatcher(folder.path())?);
    let native: Arc<dyn Dispatch> = Arc::new(AckAll);
    let messages = effort.of(MESSAGES, 100);
    let (mut cpu, mut native_cpu) = (Vec::new(), Vec::new());
    let mut sandboxed = || {
        let emptied = threads.block_on(empty(&store, &sandboxed, messages))?;
        cpu.push(emptied.cpu_us);
        Ok(emptied.per_second)
    };
    let mut native = || {
        let emptied = threads.block_on(empty(&store, &native, messages))?;
        native_cpu.push(emptied.cpu_us);
        Ok(emptied.per_second)
    };
    let [sandboxed, native] = interleaved(effort, [&mut sandboxed, &mut native])?;
    Ok(vec![
        Figure::new("queue_msgs_per_s", sandboxed, &[Beside::Only("native_queue_msgs_per_s")]),
        Figure::new("native_queue_msgs_per_s", native, &[]),
        Figure::new("host_cpu_us_per_msg", median(cpu), &[Beside::Only("native_cpu_us_per_msg")]),
        Figure::new("native_cpu_us_per_msg", median(native_cpu), &[]),
    ])
}

fn store(folder: &Path) -> Result<Arc<Embedded>> {
    let queues = [(QUEUE.to_owned(), QueueSpec::default())].into();
    Ok(Arc::new(Embedded::open(&folder.join("queue.sqlite"), &Declared { queues, ..Declared::default() })?))
}

fn dispatcher(folder: &Path) -> Result<Dispatcher> {
    let config = RuntimeConfig { cache_dir: folder.join("compiled"), max_instances: 8, interfaces: Interfaces::All };
    let outside = Outside::new(Arc::new(Memory::new(nothing())));
    let runtime = Runtime::new(&config, Arc::new(outside)).map_err(anyhow::Error::msg)?;
    runtime.load(&place::spec(WORKER, &place::guest(WORKER)?, Limits::default()))?;
    Ok(Dispatcher::new(Arc::new(runtime), Tracing::from_env()?))
}

struct Emptied {
    per_second: f64,
    cpu_us: f64,
}

/// Fills the queue, then measures how long the source takes to empty it.
async fn empty(store: &Arc<Embedded>, dispatch: &Arc<dyn Dispatch>, messages: usize) -> Result<Emptied> {
    let body = || Message::new(BODY);
    for first in (0..messages).step_by(FILL) {
        let portion = FILL.min(messages - first);
        let sent = store.send_batch(QUEUE, std::iter::repeat_with(body).take(portion).collect()).await?;
        ensure!(sent.len() == portion, "the queue took {} of {portion} messages", sent.len());
    }
    let stores = SourceStores { failures: store.clone(), ..SourceStores::of_queues(store.clone()) };
    let context = SourceContext::new(WORKER, dispatch.clone(), stores);
    let source = SourceConfig::Sqs(SqsConfig::new(QUEUE)).source(&context);
    let drain = Drain::new();
    let (start, cpu) = (Instant::now(), cpu_time());
    let running = tokio::spawn({
        let drain = drain.clone();
        async move { source.run(drain).await }
    });
    while !is_empty(store).await? {
        ensure!(start.elapsed() < Duration::from_secs(300), "the queue is not emptied");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (took, cpu) = (start.elapsed(), cpu_time() - cpu);
    drain.finish(Duration::from_secs(10), running).await?;
    Ok(Emptied { per_second: messages as f64 / took.as_secs_f64(), cpu_us: cpu.as_secs_f64() * 1e6 / messages as f64 })
}

async fn is_empty(store: &Embedded) -> Result<bool> {
    let depth = store.depth(QUEUE).await?;
    Ok(depth.visible + depth.in_flight + depth.delayed == 0)
}

/// The CPU time that this process has used.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}

/// A worker that does nothing, without a sandbox.
struct AckAll;

#[async_trait::async_trait]
impl Dispatch for AckAll {
    async fn dispatch(&self, _: &str, batch: Vec<Event>) -> Dispatched {
        Dispatched { result: Ok(vec![Disposition::Ack; batch.len()]), ..Dispatched::default() }
    }
}
