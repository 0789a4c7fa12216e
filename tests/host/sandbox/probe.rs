//! The probe, cold and pre-initialised, in its own runtime.

use super::world::World;
use host_adapters_runtime::{
    CallError, Called, ComponentSpec, Disposition, Event, Interfaces, Limits, Payload, Requirements, Retry, Runtime,
    RuntimeConfig, Source, preinit,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tests::programs;
use tokio::sync::OnceCell;

/// The component id under which tests load it.
pub const PROBE: &str = "probe";

/// The two files of the probe.
pub struct Files {
    /// As Cargo builds it.
    pub cold: PathBuf,
    /// Pre-initialised, as `host-adapters build` makes it.
    pub warm: PathBuf,
}

/// The files, made and compiled once for all tests of the process.
pub async fn files() -> &'static Files {
    static FILES: OnceCell<Files> = OnceCell::const_new();
    FILES
        .get_or_init(|| async {
            let files = Files { cold: programs::guest("probe"), warm: programs::scratch().join("probe-warm.wasm") };
            let frozen = preinit::preinitialize(&std::fs::read(&files.cold).unwrap()).await.unwrap();
            std::fs::write(&files.warm, frozen.expect("the probe exports wizer-initialize")).unwrap();
            let runtime = runtime(World::new());
            for file in [&files.cold, &files.warm] {
                runtime.load(&spec(file, Limits::default())).unwrap();
            }
            files
        })
        .await
}

/// A runtime without components.
pub fn runtime(world: Arc<World>) -> Arc<Runtime> {
    runtime_for(world, 16)
}

/// A runtime with room for this many instances.
pub fn runtime_for(world: Arc<World>, max_instances: u32) -> Arc<Runtime> {
    let cache_dir = programs::scratch().join("compiled");
    let config = RuntimeConfig { cache_dir, max_instances, interfaces: Interfaces::All };
    Arc::new(Runtime::new(&config, world).unwrap())
}

pub fn spec(source: &Path, limits: Limits) -> ComponentSpec {
    ComponentSpec {
        id: PROBE.to_owned(),
        source: Source::File(source.to_owned()),
        environment: vec![],
        limits,
        requirements: Requirements::default(),
    }
}

/// One instance, small limits.
pub fn tight() -> Limits {
    Limits { max_instances: 1, request_timeout_secs: Some(2), max_cpu_ms: 200, max_memory_mb: 32, ..Limits::default() }
}

/// The warm probe under `limits`.
pub struct Probe {
    pub runtime: Arc<Runtime>,
    pub world: Arc<World>,
}

impl Probe {
    pub async fn start(limits: Limits) -> Self {
        Self::start_in(World::new(), limits).await
    }

    /// In a world of the test's own.
    pub async fn start_in(world: Arc<World>, limits: Limits) -> Self {
        let probe = Self { runtime: runtime(world.clone()), world };
        probe.runtime.load(&spec(&files().await.warm, limits)).unwrap();
        probe
    }

    /// A batch with one record for each order; dispositions as [`words`].
    pub async fn batch(&self, orders: &[Value]) -> Called<Vec<String>> {
        let Called { result, digest, outages, refusing } =
            self.runtime.batch(PROBE, orders.iter().map(event).collect()).await;
        let result = result.map(|dispositions| dispositions.into_iter().map(words).collect());
        Called { result, digest, outages, refusing }
    }

    /// The result of a batch with one order.
    pub async fn order(&self, order: Value) -> Result<String, CallError> {
        let mut dispositions = self.batch(&[order]).await.result?;
        assert_eq!(dispositions.len(), 1);
        Ok(dispositions.remove(0))
    }

    /// The reason with which the probe rejected its one record.
    pub async fn told(&self, order: Value) -> String {
        let word = self.order(order).await.unwrap();
        word.strip_prefix("reject ").unwrap().to_owned()
    }

    pub async fn serves(&self) -> bool {
        self.order(json!({"do": "ack"})).await == Ok("ack".to_owned())
    }
}

/// A disposition as text, for comparisons: `ack`, `retry 5`, `reject reason`.
pub fn words(disposition: Disposition) -> String {
    match disposition {
        Disposition::Ack => "ack".to_owned(),
        Disposition::Retry(Retry { after_ms: None, .. }) => "retry".to_owned(),
        Disposition::Retry(Retry { after_ms: Some(after_ms), .. }) => format!("retry {after_ms}"),
        Disposition::Reject(reason) => format!("reject {reason}"),
        Disposition::Skip(reason) => format!("skip {reason}"),
        Disposition::GiveUp(reason) => format!("give up {reason}"),
    }
}

/// A record whose payload is `payload`.
pub fn event(payload: &Value) -> Event {
    Event {
        id: "1".to_owned(),
        source: "sqs:probeQueue".to_owned(),
        ordering_key: None,
        payload: Payload::Json(payload.to_string()),
        attributes: vec![],
        attempt: 1,
        time_ms: 0,
        correlation_id: "correlation-1".to_owned(),
        traceparent: None,
    }
}
