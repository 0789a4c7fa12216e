//! From a file to something that can be called: compile or load from the cache, link, check what it exports.

use crate::bindings::exports::registration::workers::batch_worker;
use crate::limits::Limits;
use crate::state::State;
use sha2::{Digest, Sha256};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime_wasi_http::p3::bindings::ServicePre;

/// A component to load.
#[derive(Clone, Debug)]
pub struct ComponentSpec {
    /// Its id in the manifest.
    pub id: String,
    /// The `.wasm` file.
    pub source: PathBuf,
    /// What it may use.
    pub limits: Limits,
    /// Environment variables of the guest.
    pub environment: Vec<(String, String)>,
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
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a component, or one that this engine cannot compile.
    #[error("{component}: {path} does not compile: {reason}")]
    Compile {
        /// The component's id.
        component: String,
        /// The file.
        path: PathBuf,
        /// What the compiler said.
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
        "{component}: exports neither registration:workers/batch-worker@1.0.0 nor wasi:http/handler@0.3.0: it cannot be called"
    )]
    NoExports {
        /// The component's id.
        component: String,
    },
}

/// A version of a component, ready to be instantiated.
pub(crate) struct Version {
    pub(crate) component: Arc<str>,
    /// SHA-256 of the file, hex.
    pub(crate) digest: Arc<str>,
    pub(crate) limits: Limits,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) instance: InstancePre<State>,
    pub(crate) batch: Option<batch_worker::GuestIndices>,
    pub(crate) http: Option<ServicePre<State>>,
}

impl Version {
    pub(crate) fn load(
        engine: &Engine,
        linker: &Linker<State>,
        cache_dir: &Path,
        spec: &ComponentSpec,
    ) -> Result<Self, LoadError> {
        let component = || spec.id.clone();
        let wasm = std::fs::read(&spec.source).map_err(|source| LoadError::Read {
            component: component(),
            path: spec.source.clone(),
            source,
        })?;
        let digest: Arc<str> = hex(&Sha256::digest(&wasm)).into();
        let compiled = compile(engine, cache_dir, &digest, &wasm).map_err(|error| LoadError::Compile {
            component: component(),
            path: spec.source.clone(),
            reason: format!("{error:#}"),
        })?;
        let instance = linker
            .instantiate_pre(&compiled)
            .map_err(|error| LoadError::Link { component: component(), reason: format!("{error:#}") })?;
        let batch = batch_worker::GuestIndices::new(&instance).ok();
        let http = ServicePre::new(instance.clone()).ok();
        if batch.is_none() && http.is_none() {
            return Err(LoadError::NoExports { component: component() });
        }
        Ok(Self {
            component: spec.id.as_str().into(),
            digest,
            limits: spec.limits.clone(),
            environment: spec.environment.clone(),
            instance,
            batch,
            http,
        })
    }
}

/// Compiled code by digest of the component and of the engine's version and settings.
fn compile(engine: &Engine, cache_dir: &Path, digest: &str, wasm: &[u8]) -> wasmtime::Result<Component> {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let path = cache_dir.join(format!("{digest}-{:016x}.cwasm", hasher.finish()));
    if let Some(component) = cached(engine, &path) {
        return Ok(component);
    }
    let component = Component::new(engine, wasm)?;
    if let Err(error) = store(&path, &component.serialize()?) {
        tracing::warn!(path = %path.display(), %error, "a compiled component could not be cached; the next start compiles again");
    }
    Ok(component)
}

#[expect(unsafe_code, reason = "the file was written by `store`, whole or not at all, in a folder of ours")]
fn cached(engine: &Engine, path: &Path) -> Option<Component> {
    if !path.exists() {
        return None;
    }
    // A file of another engine is refused by its header and compiled again.
    unsafe { Component::deserialize_file(engine, path) }.ok()
}

/// Writes beside and renames, so that a reader never sees half a file.
fn store(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(folder)?;
    // A name of its own for each writer: several hosts, and several loads of one host, may share the folder.
    static WRITERS: AtomicU64 = AtomicU64::new(0);
    let writer = WRITERS.fetch_add(1, Ordering::Relaxed);
    let partial = path.with_extension(format!("{}-{writer}.partial", std::process::id()));
    std::fs::write(&partial, bytes)?;
    std::fs::rename(partial, path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
