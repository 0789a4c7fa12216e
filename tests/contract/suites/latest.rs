//! A worker that begins at `LATEST` with an empty table, on any backend.

use super::backend::TABLE;
use super::stream::put_number_in;
use crate::wait;
use host_adapters_delivery::dispatch::{Dispatch, Dispatched};
use host_adapters_delivery::drain::{Drain, Ended};
use host_adapters_delivery::event::{Disposition, Event};
use host_adapters_platform::{QueueBackend, StreamBackend, TableBackend};
use host_adapters_sources::dynamodb_stream::{DynamodbStreamConfig, StartingPosition};
use host_adapters_sources::{SourceConfig, SourceContext, SourceStores};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// What the worker was handed, each time.
#[derive(Default)]
struct Heard(Mutex<Vec<Event>>);

#[async_trait::async_trait]
impl Dispatch for Heard {
    async fn dispatch(&self, _worker: &str, batch: Vec<Event>) -> Dispatched {
        let dispositions = vec![Disposition::Ack; batch.len()];
        self.0.lock().unwrap().extend(batch);
        Dispatched { result: Ok(dispositions), ..Dispatched::default() }
    }
}

/// A start of the worker, as with `up`.
fn start(
    heard: &Arc<Heard>,
    streams: &Arc<dyn StreamBackend>,
    queues: &Arc<dyn QueueBackend>,
) -> (Drain, JoinHandle<Ended>) {
    let stores = SourceStores { streams: streams.clone(), ..SourceStores::of_queues(queues.clone()) };
    let context = SourceContext::new("latest", heard.clone(), stores);
    let config =
        DynamodbStreamConfig { starting_position: StartingPosition::Latest, ..DynamodbStreamConfig::new(TABLE) };
    let (source, drain) = (SourceConfig::DynamodbStream(config).source(&context), Drain::new());
    let draining = drain.clone();
    (drain, tokio::spawn(async move { source.run(draining).await }))
}

/// `up`, SIGTERM, one put, `up`: it is handled, once.
pub async fn counts_from_the_first_start_of_an_empty_table(
    tables: &dyn TableBackend,
    streams: Arc<dyn StreamBackend>,
    queues: Arc<dyn QueueBackend>,
) {
    let heard = Arc::new(Heard::default());
    let (drain, source) = start(&heard, &streams, &queues);
    let begun = async || streams.has_begun(TABLE, "latest").await.unwrap().then_some(());
    wait::eventually("the worker has begun", begun).await;
    assert_eq!(drain.finish(Duration::from_secs(10), source).await.unwrap(), Ended::Drained);
    put_number_in(tables, "s", 1).await;
    let (drain, source) = start(&heard, &streams, &queues);
    wait::eventually("the put", async || (!heard.0.lock().unwrap().is_empty()).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(drain.finish(Duration::from_secs(10), source).await.unwrap(), Ended::Drained);
    assert_eq!(heard.0.lock().unwrap().len(), 1);
}
