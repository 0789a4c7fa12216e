//! Loads a component: compile it or read it from the cache, link it, check its exports and imports.

use crate::compiled::Cache;
use crate::identity;
use crate::requirements::{Export, Requirements};
use crate::state::State;
use bytes::Bytes;
use host_adapters_limits::Limits;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime_wasi_http::p3::bindings::ServicePre;

/// A component to load.
#[derive(Clone, Debug)]
pub struct ComponentSpec {
    /// Its id in the manifest.
    pub id: String,
    /// Where its WebAssembly comes from.
    pub source: Source,
    /// What it may use.
    pub limits: Limits,
    /// Environment variables of the guest.
    pub environment: Vec<(String, String)>,
    /// What it must export and may not import.
    pub requirements: Requirements,
}

/// Where a component's WebAssembly comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The content of a file that somebody sent.
    Sent(Bytes),
}

impl Source {
    pub(crate) fn read(&self, component: &str) -> Result<Bytes, LoadError> {
        match self {
            Self::Sent(wasm) => Ok(wasm.clone()),
            Self::File(path) => std::fs::read(path).map(Bytes::from).map_err(|source| LoadError::Read {
                component: component.to_owned(),
                path: path.clone(),
                source,
            }),
        }
    }
}

/// The path, or "the file sent".
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Sent(_) => f.write_str("the file sent"),
        }
    }
}

/// Why a component does not serve.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("{component}: cannot read {path}: {source}; build it with `host-adapters build`")]
    Read {
        /// The component's id.
        component: String,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is another component's.
    #[error("{component}: {from} {reason}")]
    Another {
        /// The component's id.
        component: String,
        /// The file.
        from: String,
        /// Whose it is.
        reason: String,
    },
    /// Not a component, or one that this engine cannot compile.
    #[error("{component}: {from} does not compile: {reason}")]
    Compile {
        /// The component's id.
        component: String,
        /// The file.
        from: String,
        /// The compiler's error.
        reason: String,
    },
    /// It imports what the host does not have.
    #[error("{component}: does not link: {reason}")]
    Link {
        /// The component's id.
        component: String,
        /// Which import.
        reason: String,
    },
    /// It exports nothing that the host can call.
    #[error(
        "{component}: exports neither registration:workers/batch-worker@1.0.0 nor wasi:http/handler@0.3.0 \
         (or, of WASI 0.2, wasi:http/incoming-handler): it cannot be called"
    )]
    NoExports {
        /// The component's id.
        component: String,
    },
    /// It lacks an export that is needed, imports what it is not granted, or can never be instantiated.
    #[error("{component}: {}", complaints.join("; "))]
    Unfit {
        /// The component's id.
        component: String,
        /// All that is wrong, each with what to do about it.
        complaints: Vec<String>,
    },
}

/// A version of a component, ready to be instantiated.
pub(crate) struct Version {
    pub(crate) component: Arc<str>,
    /// SHA-256 of the file, hex.
    pub(crate) digest: Arc<str>,
    /// Where it came from, for people.
    pub(crate) source: String,
    /// Its compiled code in the cache, and whether that was there.
    pub(crate) compiled: PathBuf,
    pub(crate) cached: bool,
    pub(crate) limits: Limits,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) instance: InstancePre<State>,
    /// `handle` of `batch-worker`.
    pub(crate) batch: Option<ComponentExportIndex>,
    /// `handle` of `request-worker`, which is taken for HTTP too where there is one, unless the worker does tasks.
    pub(crate) request: Option<ComponentExportIndex>,
    /// Whether a trigger hands it requests that do not come over HTTP. Those that do are handed over as HTTP then, so that
    /// its own endpoint tells who may make them.
    pub(crate) does_tasks: bool,
    pub(crate) http: Option<Http>,
}

/// How a component takes HTTP requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Http {
    /// By `wasi:http/handler`.
    Wasi03,
    /// By `handle` of `wasi:http/incoming-handler`.
    Wasi02(ComponentExportIndex),
}

impl Http {
    fn of(component: &Component, instance: &InstancePre<State>) -> Option<Self> {
        if ServicePre::new(instance.clone()).is_ok() {
            return Some(Self::Wasi03);
        }
        // Any version that is compatible with this one is found, too.
        handle(component, "wasi:http/incoming-handler@0.2.0").map(Self::Wasi02)
    }
}

impl Version {
    /// A version of `wasm`, whose digest is `digest`, as `spec` has it.
    pub(crate) fn load(
        engine: &Engine,
        linker: &Linker<State>,
        cache: &Cache,
        spec: &ComponentSpec,
        (wasm, digest): (&[u8], Arc<str>),
    ) -> Result<Self, LoadError> {
        let component = || spec.id.clone();
        identity::check(wasm, &spec.id).map_err(|reason| LoadError::Another {
            component: component(),
            from: spec.source.to_string(),
            reason,
        })?;
        let compiled = cache.component(engine, wasm).map_err(|error| LoadError::Compile {
            component: component(),
            from: spec.source.to_string(),
            reason: format!("{error:#}"),
        })?;
        let instance = linker
            .instantiate_pre(&compiled.component)
            .map_err(|error| LoadError::Link { component: component(), reason: format!("{error:#}") })?;
        let batch = handle(&compiled.component, Export::BatchWorker.name());
        let request = handle(&compiled.component, Export::RequestWorker.name());
        let http = Http::of(&compiled.component, &instance);
        let exports = [
            batch.as_ref().map(|_| Export::BatchWorker),
            request.as_ref().map(|_| Export::RequestWorker),
            http.as_ref().map(|_| Export::HttpHandler),
        ];
        let exports: Vec<_> = exports.into_iter().flatten().collect();
        let mut complaints = complaints(engine, &compiled.component, spec, &exports);
        if spec.requirements.id && identity::ids(wasm).is_empty() {
            complaints.push(format!(
                "does not say which component it is (no section `{}`): make it by `host-adapters build {}`",
                identity::SECTION,
                spec.id
            ));
        }
        if !complaints.is_empty() {
            return Err(LoadError::Unfit { component: component(), complaints });
        }
        if exports.is_empty() {
            return Err(LoadError::NoExports { component: component() });
        }
        Ok(Self {
            component: spec.id.as_str().into(),
            digest,
            source: spec.source.to_string(),
            compiled: compiled.path,
            cached: compiled.cached,
            limits: limits(spec, http),
            environment: spec.environment.clone(),
            instance,
            batch,
            request,
            does_tasks: spec.requirements.exports.iter().any(|it| it.export == Export::RequestWorker),
            http,
        })
    }
}

/// An instance of a component of WASI 0.2 takes one call, as on Spin: it blocks while it waits, and toolchains of that time
/// expect a fresh one.
fn limits(spec: &ComponentSpec, http: Option<Http>) -> Limits {
    let limits = spec.limits.clone();
    match http {
        Some(Http::Wasi02(_)) => {
            Limits { max_instance_reuse_count: 1, max_instance_concurrent_reuse_count: Some(1), ..limits }
        }
        _ => limits,
    }
}

/// Where a component has the function `handle` of an interface.
fn handle(component: &Component, interface: &str) -> Option<ComponentExportIndex> {
    let interface = component.get_export_index(None, interface)?;
    component.get_export_index(Some(&interface), "handle")
}

/// The fault of a component that compiles and links.
fn complaints(engine: &Engine, component: &Component, spec: &ComponentSpec, exports: &[Export]) -> Vec<String> {
    let types = component.component_type();
    let imports: Vec<_> = types.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let mut complaints = spec.requirements.complaints(exports, imports.iter().map(String::as_str));
    let pages = component.resources_required().and_then(|it| it.max_initial_memory_size).unwrap_or(0);
    let (needed_kib, max_kib) = (pages.saturating_mul(64), (spec.limits.max_memory_bytes() >> 10) as u64);
    if needed_kib > max_kib {
        complaints.push(format!("begins with {needed_kib} KiB of memory and may have {max_kib}: raise max_memory_mb"));
    }
    complaints
}
