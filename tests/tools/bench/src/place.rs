//! Paths: the components are in the project, everything else is beside this program.

use anyhow::{Context, Result, ensure};
use host_adapters_runtime::{ComponentSpec, Limits, Requirements, Source};
use host_adapters_sources::camel_case_name;
use std::path::{Path, PathBuf};

/// A pre-initialised component of spin.toml.
pub fn component(id: &str) -> Result<PathBuf> {
    existing(Path::new("target/components").join(id).with_extension("wasm"))
}

/// A guest of the tests, as Cargo builds it.
pub fn guest(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe().context("this program has no path")?;
    let target = program.parent().and_then(Path::parent).context("this program is in no target folder")?;
    existing(target.join("wasm32-wasip2/guest").join(name).with_extension("wasm"))
}

/// Checks that a file exists.
pub fn existing(path: PathBuf) -> Result<PathBuf> {
    ensure!(
        path.exists(),
        "{} does not exist: run `cargo bench-host` from the project's root, which builds everything",
        path.display()
    );
    Ok(path)
}

/// The specification of a component, in the environment that the host gives it by default.
pub fn spec(id: &str, source: &Path, limits: Limits) -> ComponentSpec {
    let name = camel_case_name(id);
    let environment =
        [("APP_NAME", name.as_str()), ("AWS_REGION", "us-east-1"), ("CONFIG_ENV", "local-dev"), ("LOG_LEVEL", "INFO")];
    ComponentSpec {
        id: id.to_owned(),
        source: Source::File(source.to_owned()),
        limits,
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        requirements: Requirements::default(),
    }
}
