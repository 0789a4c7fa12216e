//! Checks the components of a manifest without serving them.

use super::spec;
use crate::manifest::App;
use anyhow::Result;
use host_adapters_runtime::{ComponentSpec, LoadError};
use std::path::Path;

/// What a check of all components found.
pub struct Checked {
    /// Why components cannot serve.
    pub faults: Vec<LoadError>,
    /// Components whose files do not exist yet, so that they cannot be checked.
    pub missing: Vec<ComponentSpec>,
}

/// Opens every component that has a trigger, as `up` would.
///
/// # Errors
/// When there is no engine.
pub async fn check(app: &App) -> Result<Checked> {
    let called = app.components.values().filter(|component| app.is_called(component));
    let specs = called.map(|component| spec::of(app, component));
    let (there, missing): (Vec<_>, _) = specs.partition(|spec| super::file(spec).is_none_or(Path::exists));
    // Compiled code is shared with `up` and `invoke`.
    let compiled = app.path.parent().unwrap_or(Path::new("")).join(".host-adapters/compiled");
    let checking = tokio::task::spawn_blocking(move || host_adapters_runtime::check(compiled, &there));
    Ok(Checked { faults: checking.await?.map_err(anyhow::Error::msg)?, missing })
}
