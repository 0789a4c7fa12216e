//! Checks components without serving them.

use crate::compiled::{self, Cache};
use crate::component::{ComponentSpec, LoadError, Version};
use crate::engine::{self, Interfaces};
use std::path::PathBuf;

/// Compiles (or takes from the cache in this folder) and links components, and checks what they export and import, as
/// [`Runtime::load`](crate::Runtime::load) does. None is instantiated. Returns why some cannot serve.
///
/// # Errors
/// When there is no engine: the system gives no address space.
pub fn check(cache_dir: PathBuf, specs: &[ComponentSpec]) -> Result<Vec<LoadError>, String> {
    let engine = engine::engine(1).map_err(|error| format!("{error:#}"))?;
    let linker = engine::linker(&engine, Interfaces::All).map_err(|error| format!("{error:#}"))?;
    let cache = Cache::new(&engine, cache_dir);
    let fault = |spec: &ComponentSpec| {
        let wasm = spec.source.read(&spec.id)?;
        let digest = compiled::digest(&wasm).into();
        Version::load(&engine, &linker, &cache, spec, (&wasm, digest)).map(drop)
    };
    Ok(specs.iter().filter_map(|spec| fault(spec).err()).collect())
}
