//! `host-adapters build`: runs each component's own build command, then freezes its initialised state into the file.

use super::{ManifestOptions, UNUSABLE};
use crate::manifest::Component;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use host_adapters_runtime::identity;
use indicatif::{ProgressBar, ProgressStyle};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::process::Command;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    manifest: ManifestOptions,
    /// Build only these components; by default all.
    components: Vec<String>,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let app = match options.manifest.load() {
        Ok(app) => app,
        Err(code) => return Ok(code),
    };
    let known = |name: &String| app.components.contains_key(name);
    if let Some(unknown) = options.components.iter().find(|name| !known(name)) {
        eprintln!("there is no [component.{unknown}] in {}", app.path.display());
        return Ok(ExitCode::from(UNUSABLE));
    }
    let wanted = |component: &&Component| options.components.is_empty() || options.components.contains(&component.id);
    let components: Vec<_> = app.components.values().filter(wanted).collect();
    let bar = ProgressBar::new(components.len() as u64)
        .with_style(ProgressStyle::with_template("{spinner} building components {pos}/{len} {wide_msg} {elapsed}")?);
    bar.enable_steady_tick(Duration::from_millis(200));
    for component in components {
        bar.set_message(component.id.clone());
        build(component).await.with_context(|| format!("{} does not build", component.id))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(ExitCode::SUCCESS)
}

/// Builds a component. Returns how long its own commands took, and how long freezing its state took.
pub(super) async fn build(component: &Component) -> Result<Took> {
    let began = Instant::now();
    run_commands(component).await?;
    let built = Instant::now();
    if let Some(artifact) = &component.artifact {
        freeze(&component.id, &artifact_path(artifact), &component.source).await?;
    }
    Ok(Took { commands: built - began, freezing: built.elapsed() })
}

/// The durations of the parts of a build.
pub(super) struct Took {
    pub(super) commands: Duration,
    pub(super) freezing: Duration,
}

async fn run_commands(component: &Component) -> Result<()> {
    let Some(build) = &component.build else { return Ok(()) };
    // `current_dir("")` is an error, not the current folder.
    let workdir = if build.workdir.as_os_str().is_empty() { Path::new(".") } else { &build.workdir };
    for command in &build.commands {
        let status = Command::new("sh").args(["-c", command]).current_dir(workdir).kill_on_drop(true).status().await?;
        if !status.success() {
            bail!("`{command}` failed ({status})");
        }
    }
    Ok(())
}

/// Writes the pre-initialised component with its id, unless it exists and is newer than its artifact.
async fn freeze(id: &str, artifact: &Path, source: &Path) -> Result<()> {
    let made = std::fs::metadata(artifact);
    let made = made.with_context(|| format!("the build command made no {}", artifact.display()))?;
    if is_made_of(id, source, &made) {
        return Ok(());
    }
    let wasm = std::fs::read(artifact)?;
    identity::check(&wasm, id).map_err(|reason| anyhow!("{} {reason}", artifact.display()))?;
    let frozen = host_adapters_runtime::preinit::preinitialize(&wasm).await.map_err(anyhow::Error::msg)?;
    let frozen = identity::marked(frozen.unwrap_or(wasm), id);
    if let Some(folder) = source.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // Written beside the file and renamed, so that a host that watches the file never reads half of it.
    let partial = source.with_extension("partial");
    std::fs::write(&partial, frozen)?;
    std::fs::rename(&partial, source).with_context(|| format!("cannot write {}", source.display()))
}

/// Whether a frozen component is newer than its artifact, and has its id. An artifact that was moved into place with
/// its old time, as Cargo and `cp -p` do, shows by the time at which its inode changed.
fn is_made_of(id: &str, source: &Path, artifact: &std::fs::Metadata) -> bool {
    let modified = |metadata: &std::fs::Metadata| (metadata.mtime(), metadata.mtime_nsec());
    let made = modified(artifact).max((artifact.ctime(), artifact.ctime_nsec()));
    std::fs::metadata(source).is_ok_and(|frozen| modified(&frozen) > made)
        && std::fs::read(source).is_ok_and(|frozen| identity::ids(&frozen).contains(id))
}

/// Cargo's target folder may be elsewhere; `target/` in the manifest stands for it.
fn artifact_path(artifact: &Path) -> PathBuf {
    match (std::env::var_os("CARGO_TARGET_DIR"), artifact.components().position(|part| part.as_os_str() == "target")) {
        (Some(folder), Some(at)) => {
            artifact.components().skip(at + 1).fold(folder.into(), |path: PathBuf, part| path.join(part))
        }
        _ => artifact.to_owned(),
    }
}
