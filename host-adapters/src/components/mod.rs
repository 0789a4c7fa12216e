//! The components that serve. A file is loaded in one way: at the start, when it has changed, and when an operator
//! sends it.

mod check;
mod requirements;
mod spec;
pub mod watch;

pub use check::{Checked, check};

use crate::backends::Backends;
use crate::host::ComponentHost;
use crate::manifest::App;
use crate::secrets::Secrets;
use crate::telemetry::Tracing;
use anyhow::Result;
use host_adapters_outbound::Web;
use host_adapters_runtime::registry::Serving;
use host_adapters_runtime::{ComponentSpec, Interfaces, LoadError, Loaded, Runtime, RuntimeConfig, Source};
use host_adapters_sources::camel_case_name;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::JoinError;

/// Every component of the manifest that has a trigger, and the settings it is loaded with.
pub struct Components {
    runtime: Arc<Runtime>,
    specs: BTreeMap<String, ComponentSpec>,
    /// Locked by the load in progress.
    loads: Arc<Mutex<Loads>>,
}

/// The digest of each component's file when the serving version was loaded, even if it was not loaded from the file: only
/// another content is newer than that version. A file that was moved or touched is the same.
type Loads = BTreeMap<String, Option<String>>;

/// The result of a swap.
#[derive(Clone, Debug)]
pub struct Swapped {
    /// The component's id.
    pub worker: String,
    /// The digests of the new and the previous version, and whether the code was already compiled.
    pub loaded: Loaded,
    /// The time from reading the file to serving it.
    pub took: Duration,
}

/// Why another file does not serve. The previous version serves on.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// No worker has this name.
    #[error("there is no worker `{name}`; there are: {known}")]
    Unknown {
        /// The name in the request.
        name: String,
        /// The ids of all workers.
        known: String,
    },
    /// The file cannot serve.
    #[error(transparent)]
    Refused(#[from] LoadError),
    /// The host is ending, or the compiler panicked.
    #[error("{0}: loading ended without a result; the log says why")]
    Ended(String),
}

impl Components {
    /// Loads every component of the manifest that has a trigger. Compiled code is kept in `data`.
    ///
    /// # Errors
    /// When a component cannot serve; names it, and the reason.
    pub async fn load(app: &Arc<App>, data: &Path, backends: &Backends, tracing: Tracing) -> Result<Self> {
        let called = app.components.values().filter(|component| app.is_called(component));
        let specs: BTreeMap<_, _> = called.map(|it| (it.id.clone(), spec::of(app, it))).collect();
        let max_instances: usize = specs.values().map(|spec| spec.limits.max_instances).sum();
        let config = RuntimeConfig {
            cache_dir: data.join("compiled"),
            max_instances: u32::try_from(max_instances)?,
            interfaces: Interfaces::All,
        };
        let host = ComponentHost {
            platform: backends.platform.clone(),
            components: app.components.clone(),
            secrets: Secrets::of(&app.components),
            cache: backends.cache.clone(),
            web: Web::new()?,
            tracing,
        };
        let runtime = Runtime::new(&config, Arc::new(host)).map_err(anyhow::Error::msg)?;
        let components = Self { runtime: Arc::new(runtime), specs, loads: Arc::default() };
        for spec in components.specs.values() {
            components.swap(&spec.id, spec.source.clone()).await?;
        }
        Ok(components)
    }

    /// Verifies a file and lets it serve as `worker` (its id, or its name in the documents) until another does or the
    /// host ends. Calls in flight end on the previous version. One swap runs at a time.
    ///
    /// # Errors
    /// When the file cannot serve. The previous version serves on.
    pub async fn swap(&self, worker: &str, source: Source) -> Result<Swapped, SwapError> {
        let known = |(id, _): &(&String, &ComponentSpec)| *id == worker || camel_case_name(id) == worker;
        let Some((id, spec)) = self.specs.iter().find(known) else {
            let known = self.specs.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(SwapError::Unknown { name: worker.to_owned(), known });
        };
        let (file, spec) = (file(spec).map(Path::to_owned), ComponentSpec { source, ..spec.clone() });
        let loaded = self.one_at_a_time(move |runtime, loads| {
            // The file is read first: a change while it is loaded counts as newer than this load.
            let content = file.as_deref().and_then(digest);
            load(runtime, loads, &spec, content)
        });
        Ok(loaded.await.map_err(|_| SwapError::Ended(id.clone()))??)
    }

    /// Lets a file of the manifest serve as all its components, except those whose version was loaded since the file
    /// changed. The outcomes are logged.
    async fn follow(&self, path: &Path) {
        let specs: Vec<_> = self.specs.values().filter(|spec| file(spec) == Some(path)).cloned().collect();
        let path = path.to_owned();
        let followed = self.one_at_a_time(move |runtime, loads| {
            let Some(now) = digest(&path) else { return };
            for spec in specs {
                if loads.get(&spec.id).and_then(Option::as_ref) != Some(&now) {
                    let _ = load(runtime, loads, &spec, Some(now.clone()));
                }
            }
        });
        let _ = followed.await;
    }

    /// Loads on a separate thread, because compiling takes CPU time. The load completes even if the request for it is
    /// dropped.
    async fn one_at_a_time<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Runtime, &mut Loads) -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        // Of two files, the one that came later has to serve, however long each takes to compile.
        let mut loads = self.loads.clone().lock_owned().await;
        let runtime = self.runtime.clone();
        tokio::task::spawn_blocking(move || work(&runtime, &mut loads)).await
    }

    /// The serving versions, by component id.
    pub fn serving(&self) -> Vec<Serving> {
        self.runtime.serving()
    }

    /// The files that the manifest names.
    fn files(&self) -> Vec<PathBuf> {
        self.specs.values().filter_map(file).map(Path::to_owned).collect()
    }

    /// The runtime that calls them.
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }
}

/// The file that the manifest names.
fn file(spec: &ComponentSpec) -> Option<&Path> {
    match &spec.source {
        Source::File(path) => Some(path),
        Source::Sent(_) => None,
    }
}

/// The digest of a file, if it is there.
fn digest(path: &Path) -> Option<String> {
    std::fs::read(path).ok().map(|wasm| host_adapters_runtime::digest(&wasm))
}

/// Loads a component and logs the result. `content` is the digest of its file before that.
fn load(
    runtime: &Runtime,
    loads: &mut Loads,
    spec: &ComponentSpec,
    content: Option<String>,
) -> Result<Swapped, LoadError> {
    let began = Instant::now();
    let loaded = runtime.load(spec).inspect_err(|error| {
        tracing::warn!(worker = spec.id, %error, "component refused, the previous version serves on");
    })?;
    loads.insert(spec.id.clone(), content);
    let swapped = Swapped { worker: spec.id.clone(), loaded, took: began.elapsed() };
    swapped.log();
    Ok(swapped)
}

impl Swapped {
    /// Milliseconds with a fraction.
    pub fn ms(&self) -> f64 {
        (self.took.as_secs_f64() * 1e6).round() / 1e3
    }

    fn log(&self) {
        let Loaded { digest, replaced, cached } = &self.loaded;
        if !self.loaded.is_new() {
            return;
        }
        let (worker, ms, replaced) = (&self.worker, self.ms(), replaced.as_deref().unwrap_or_default());
        tracing::info!(worker, digest = &**digest, replaced, ms, cached, "component serves");
    }
}
