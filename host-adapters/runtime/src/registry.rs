//! Which version of which component serves. A first load is a swap from nothing.

use crate::call::{BatchCall, CallError, Called, Disposition};
use crate::component::{ComponentSpec, LoadError, Version};
use crate::engine::{self, EpochTicker, RuntimeConfig, SharedHost};
use crate::pool::{Job, Pool};
use crate::state::State;
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;
use wasmtime::Engine;
use wasmtime::component::Linker;

/// The runtime: all components and their instances.
pub struct Runtime {
    engine: Engine,
    linker: Linker<State>,
    cache_dir: PathBuf,
    host: SharedHost,
    serving: ArcSwap<HashMap<String, Pool>>,
    _ticker: EpochTicker,
}

/// What serves under a component's id.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The component's id.
    pub component: String,
    /// SHA-256 of its file, hex.
    pub digest: Arc<str>,
    /// Whether it takes batches of events.
    pub handles_batches: bool,
    /// Whether it answers HTTP.
    pub handles_http: bool,
    /// Instances alive now.
    pub instances: usize,
}

impl Runtime {
    /// A runtime without components.
    ///
    /// # Errors
    /// When the engine cannot reserve its address space, or no thread can be started.
    pub fn new(config: &RuntimeConfig, host: SharedHost) -> Result<Self, String> {
        let engine = engine::engine(config.max_instances).map_err(|error| format!("{error:#}"))?;
        let linker = engine::linker(&engine, config.interfaces).map_err(|error| format!("{error:#}"))?;
        let ticker = EpochTicker::start(&engine).map_err(|error| error.to_string())?;
        let cache_dir = config.cache_dir.clone();
        Ok(Self { engine, linker, cache_dir, host, serving: ArcSwap::default(), _ticker: ticker })
    }

    /// Compiles (or takes from the cache), links and checks a component, then lets it serve in place of the version
    /// before. Calls in flight end on the old version. Blocks while it compiles: call it off the async threads.
    ///
    /// # Errors
    /// Says why the file cannot serve; the version before serves on.
    pub fn load(&self, spec: &ComponentSpec) -> Result<Arc<str>, LoadError> {
        let version = Version::load(&self.engine, &self.linker, &self.cache_dir, spec)?;
        let digest = version.digest.clone();
        let pool = Pool::new(version, self.host.clone());
        let before = self.serving.rcu(|serving| {
            let mut serving = HashMap::clone(serving);
            serving.insert(spec.id.clone(), pool.clone());
            serving
        });
        if let Some(old) = before.get(&spec.id) {
            old.close();
        }
        Ok(digest)
    }

    /// What serves now, by id.
    pub fn serving(&self) -> Vec<Serving> {
        let serving = self.serving.load();
        let mut list: Vec<_> = serving
            .iter()
            .map(|(component, pool)| Serving {
                component: component.clone(),
                digest: pool.version().digest.clone(),
                handles_batches: pool.version().batch.is_some(),
                handles_http: pool.version().http.is_some(),
                instances: pool.instances(),
            })
            .collect();
        list.sort_by(|a, b| a.component.cmp(&b.component));
        list
    }

    /// Hands a batch to a worker, waiting while all its instances are busy.
    pub async fn batch(&self, component: &str, events: BatchCall) -> Called<Vec<Disposition>> {
        self.call(component, |reply| Job::Batch { events, reply }).await
    }

    /// Hands an HTTP request to a worker, waiting while all its instances are busy.
    pub async fn http(&self, component: &str, request: http::Request<Bytes>) -> Called<http::Response<Bytes>> {
        let request = Box::new(request);
        self.call(component, |reply| Job::Http { request, reply }).await
    }

    async fn call<T>(&self, component: &str, job: impl FnOnce(oneshot::Sender<Called<T>>) -> Job) -> Called<T> {
        let (reply, answer) = oneshot::channel();
        let mut job = job(reply);
        let digest = loop {
            let Some(pool) = self.serving.load().get(component).cloned() else {
                return failed(CallError::NotCallable(format!("there is no component `{component}`")), "".into());
            };
            match pool.submit(job).await {
                Ok(()) => break pool.version().digest.clone(),
                // Replaced meanwhile: the next version takes it.
                Err(back) => job = back,
            }
        };
        answer
            .await
            .unwrap_or_else(|_| failed(CallError::Trapped("its instance ended without an answer".into()), digest))
    }
}

fn failed<T>(error: CallError, digest: Arc<str>) -> Called<T> {
    Called { result: Err(error), digest, outages: Vec::new() }
}
