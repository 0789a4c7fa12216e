//! Which version of each component serves. A first load is handled like a swap.

use crate::call::{CallError, Called, Disposition, Event};
use crate::compiled::{self, Cache};
use crate::component::{ComponentSpec, LoadError, Version};
use crate::engine::{self, EpochTicker, RuntimeConfig, Shared, SharedHost};
use crate::pool::{Job, Pool, Retired};
use crate::state::State;
use crate::{instance, response};
use arc_swap::ArcSwap;
use bytes::Bytes;
use host_adapters_event::{Request, Response};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::sync::oneshot;
use wasmtime::Engine;
use wasmtime::component::Linker;

/// The runtime: all components and their instances.
pub struct Runtime {
    engine: Engine,
    linker: Linker<State>,
    cache: Cache,
    shared: Arc<Shared>,
    /// Instances that the components may have together. Locked by the one load that checks against it.
    capacity: Mutex<usize>,
    serving: ArcSwap<HashMap<String, Pool>>,
    retired: Mutex<HashMap<String, Vec<Retired>>>,
    _ticker: EpochTicker,
}

/// The result of a load.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// SHA-256 of the file that serves now, hex.
    pub digest: Arc<str>,
    /// That of the file that served before; the same where nothing had to be replaced.
    pub replaced: Option<Arc<str>>,
    /// Whether it was compiled already.
    pub cached: bool,
}

impl Loaded {
    /// Whether another file serves than before.
    pub fn is_new(&self) -> bool {
        self.replaced.as_ref() != Some(&self.digest)
    }
}

/// What serves under a component's id.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The component's id.
    pub component: String,
    /// SHA-256 of its file, hex.
    pub digest: Arc<str>,
    /// Where the file came from.
    pub source: String,
    /// When it began to serve.
    pub since: SystemTime,
    /// Whether it takes batches of events.
    pub handles_batches: bool,
    /// Whether it answers HTTP.
    pub handles_http: bool,
    /// Instances alive now.
    pub instances: usize,
    /// Versions before it that are not gone yet, each with its calls in flight.
    pub retiring: Vec<usize>,
}

impl Runtime {
    /// A runtime without components.
    ///
    /// # Errors
    /// When the engine cannot reserve its address space, or no thread can be started.
    pub fn new(config: &RuntimeConfig, host: SharedHost) -> Result<Self, String> {
        let engine = engine::engine(config.max_instances).map_err(|error| {
            let wanted = config.max_instances;
            format!("no address space for {wanted} instances, the sum of all max_instances; lower some: {error:#}")
        })?;
        let linker = engine::linker(&engine, config.interfaces).map_err(|error| format!("{error:#}"))?;
        let ticker = EpochTicker::start(&engine).map_err(|error| error.to_string())?;
        let cache = Cache::new(&engine, config.cache_dir.clone());
        let (serving, retired) = (ArcSwap::default(), Mutex::default());
        let shared = Shared::new(host, config.max_instances).map_err(|error| error.to_string())?;
        let shared = Arc::new(shared);
        let capacity = Mutex::new(config.max_instances.try_into().unwrap_or(usize::MAX));
        Ok(Self { engine, linker, cache, shared, capacity, serving, retired, _ticker: ticker })
    }

    /// Compiles (or takes from the cache), links and checks a component, then lets it serve in place of the version
    /// before. Calls in flight end on the old version, which then goes. A file that already serves continues to serve,
    /// with its instances. Blocks while it compiles: call it off the async threads.
    ///
    /// # Errors
    /// Says why the file cannot serve; the previous version continues to serve.
    pub fn load(&self, spec: &ComponentSpec) -> Result<Loaded, LoadError> {
        let wasm = spec.source.read(&spec.id)?;
        let digest: Arc<str> = compiled::digest(&wasm).into();
        if self.serving.load().get(&spec.id).is_some_and(|pool| pool.version().digest == digest) {
            return Ok(Loaded { replaced: Some(digest.clone()), digest, cached: true });
        }
        let version = Version::load(&self.engine, &self.linker, &self.cache, spec, (&wasm, digest.clone()))?;
        let cached = version.cached;
        let capacity = self.capacity.lock().unwrap_or_else(PoisonError::into_inner);
        let complaint = self.too_many(spec, *capacity).or_else(|| {
            let reason = instance::try_out(&version, &self.shared.host).err()?;
            Some(format!("cannot be instantiated: {reason}"))
        });
        if let Some(complaint) = complaint {
            return Err(LoadError::Unfit { component: spec.id.clone(), complaints: vec![complaint] });
        }
        let replaced = self.publish(version);
        drop(capacity);
        if !cached {
            self.cache.prune(&self.serving.load().values().map(|pool| pool.version().compiled.clone()).collect());
        }
        Ok(Loaded { digest, replaced, cached })
    }

    /// The fault if the components could have more instances than the pool has room for: their calls would wait for one
    /// another.
    fn too_many(&self, spec: &ComponentSpec, capacity: usize) -> Option<String> {
        let serving = self.serving.load();
        let others = serving.iter().filter(|(id, _)| **id != spec.id);
        let taken: usize = others.map(|(_, pool)| pool.version().limits.max_instances).sum();
        let wanted = spec.limits.max_instances;
        (taken.saturating_add(wanted) > capacity).then(|| {
            format!("wants {wanted} instances; of {capacity} in all the others may have {taken}: lower max_instances")
        })
    }

    /// Atomically makes a version serve; returns the digest of the previous one.
    fn publish(&self, version: Version) -> Option<Arc<str>> {
        let id = version.component.to_string();
        let pool = Pool::new(version, self.shared.clone());
        let before = self.serving.rcu(|serving| {
            let mut serving = HashMap::clone(serving);
            serving.insert(id.clone(), pool.clone());
            serving
        });
        let old = before.get(&id)?;
        let digest = old.version().digest.clone();
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let retired = retired.entry(id).or_default();
        retired.retain(|version| version.calls().is_some());
        retired.push(old.retire());
        Some(digest)
    }

    /// What serves now, by id.
    pub fn serving(&self) -> Vec<Serving> {
        let serving = self.serving.load();
        let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> = serving
            .iter()
            .map(|(component, pool)| Serving {
                component: component.clone(),
                digest: pool.version().digest.clone(),
                source: pool.version().source.clone(),
                since: pool.since(),
                handles_batches: pool.version().batch.is_some(),
                handles_http: pool.version().http.is_some(),
                instances: pool.instances(),
                retiring: retired.get(component).into_iter().flatten().filter_map(Retired::calls).collect(),
            })
            .collect();
        list.sort_by(|a, b| a.component.cmp(&b.component));
        list
    }

    /// Hands a batch to a worker, waiting while all its instances are busy.
    pub async fn batch(&self, component: &str, events: Vec<Event>) -> Called<Vec<Disposition>> {
        let mut called = self.call(component, |reply| Job::Batch { events, reply }).await;
        for disposition in called.result.iter_mut().flatten() {
            if let Some(reason) = response::reason(disposition) {
                self.hide_secrets(component, reason);
            }
        }
        called
    }

    /// Hands a request to a worker that did not come over HTTP, waiting while all its instances are busy.
    pub async fn request(&self, component: &str, request: Request) -> Called<Response> {
        let request = Box::new(request);
        let mut called = self.call(component, |reply| Job::Request { request, reply }).await;
        // A refusal is a reason, as those of records are.
        if let Ok(response) = &mut called.result
            && !response.is_success()
        {
            self.hide_secrets(component, &mut response.body);
        }
        called
    }

    /// Hands an HTTP request to a worker, waiting while all its instances are busy.
    pub async fn http(&self, component: &str, request: http::Request<Bytes>) -> Called<http::Response<Bytes>> {
        let request = Box::new(request);
        self.call(component, |reply| Job::Http { request, reply }).await
    }

    async fn call<T>(&self, component: &str, job: impl FnOnce(oneshot::Sender<Called<T>>) -> Job) -> Called<T> {
        let (reply, answer) = oneshot::channel();
        let mut job = job(reply);
        let (digest, _in_flight) = loop {
            let Some(pool) = self.serving.load().get(component).cloned() else {
                return failed(CallError::NotCallable(format!("there is no component `{component}`")), "".into());
            };
            let in_flight = pool.in_flight();
            match pool.submit(job).await {
                Ok(()) => break (pool.version().digest.clone(), in_flight),
                // Replaced meanwhile: the next version takes it.
                Err(back) => job = back,
            }
        };
        let mut called = answer
            .await
            .unwrap_or_else(|_| failed(CallError::Trapped("its instance ended without an answer".into()), digest));
        if let Err(CallError::Failed(message) | CallError::Permanent(message)) = &mut called.result {
            self.hide_secrets(component, message);
        }
        called
    }

    fn hide_secrets(&self, component: &str, said: &mut String) {
        if let Cow::Owned(hidden) = self.shared.host.hide_secrets(component, said) {
            *said = hidden;
        }
    }
}

fn failed<T>(error: CallError, digest: Arc<str>) -> Called<T> {
    Called { result: Err(error), digest, outages: Vec::new(), refusing: Vec::new() }
}
