//! `host-adapters dev`: like `up`, with components built by the profile `dev`; a component whose sources change is
//! rebuilt and swapped.

use super::build::{Took, build};
use super::{print, up};
use crate::components::watch::Watch;
use crate::components::{Components, Swapped};
use crate::manifest::{App, Build, Component};
use anyhow::{Context, Result};
use clap::Args;
use glob::{MatchOptions, Pattern};
use host_adapters_runtime::Source;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The build profile, `[component.<id>.profile.dev]`. What spin.toml leaves out follows from the id.
const PROFILE: &str = "dev";

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    up: up::Options,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let mut app = match options.up.manifest.load() {
        Ok(app) => app,
        Err(code) => return Ok(code),
    };
    // Taken again after the builds, which take long.
    options.up.addresses().reserve().map(drop)?;
    let workers = workers(&mut app, &options.up.data)?;
    let mut watch = Watch::new({
        let patterns: BTreeSet<_> = workers.iter().flat_map(|worker| worker.watch.clone()).collect();
        move || patterns.iter().flat_map(files).collect()
    });
    watch.catch_up().await;
    for worker in &workers {
        print(format!("{}: building", worker.component.id))?;
        let took = build(&worker.component).await.with_context(|| format!("{} does not build", worker.component.id))?;
        print(format!("{}: {}", worker.component.id, phases(&took)))?;
    }
    up::serve(app, options.up, |components| follow(components, workers, watch)).await
}

/// A worker as `dev` builds it, and the patterns of its source files.
struct Worker {
    component: Component,
    watch: Vec<Pattern>,
}

/// The components that are called, built with the profile `dev` into a separate folder, so that files made by `build`
/// are kept. The application serves them from that folder.
fn workers(app: &mut App, data: &Path) -> Result<Vec<Worker>> {
    let called: Vec<_> = app.components.values().filter(|it| app.is_called(it)).map(|it| it.id.clone()).collect();
    let shared = shared_crates(app);
    let mut workers = Vec::new();
    for component in app.components.values_mut().filter(|component| called.contains(&component.id)) {
        let made = component.artifact.clone().unwrap_or_else(|| component.source.clone());
        let profile = component.profiles.get(PROFILE).cloned().unwrap_or_default();
        component.artifact = Some(profile.source.unwrap_or(made));
        component.source = data.join(PROFILE).join(&component.id).with_extension("wasm");
        component.environment.extend(profile.environment);
        if let Some(build) = component.build.as_mut().filter(|_| !profile.commands.is_empty()) {
            build.commands = profile.commands;
        }
        let watch = component.build.as_ref().map(|build| patterns(build, &component.id, &shared));
        let watch = watch.transpose()?.unwrap_or_default();
        workers.push(Worker { component: component.clone(), watch });
    }
    Ok(workers)
}

/// The crates that components share: folders next to those of the components, without a block in the manifest.
fn shared_crates(app: &App) -> Vec<String> {
    let folders = std::fs::read_dir(app.path.with_file_name("components")).into_iter().flatten().flatten();
    let names = folders.filter_map(|folder| folder.file_name().into_string().ok());
    names.filter(|name| !app.components.contains_key(name)).collect()
}

/// The patterns of a component's source files, from the folder of this process. By default they are its own crate and
/// the shared ones.
fn patterns(build: &Build, id: &str, shared: &[String]) -> Result<Vec<Pattern>> {
    let pattern = |entry: &String| {
        let folder = Pattern::escape(&build.workdir.to_string_lossy());
        let pattern = Path::new(&folder).join(entry);
        Pattern::new(&pattern.to_string_lossy()).with_context(|| format!("watch = \"{entry}\" is not a pattern"))
    };
    if !build.watch.is_empty() {
        return build.watch.iter().map(pattern).collect();
    }
    let crates = shared.iter().map(String::as_str).chain([id]);
    crates.map(|name| pattern(&format!("components/{name}/src/**/*.rs"))).collect()
}

/// `*` matches within a folder, `**` across folders.
fn matching() -> MatchOptions {
    MatchOptions { require_literal_separator: true, ..MatchOptions::new() }
}

/// The files that match at the moment.
fn files(pattern: &Pattern) -> Vec<PathBuf> {
    glob::glob_with(pattern.as_str(), matching()).into_iter().flatten().filter_map(Result::ok).collect()
}

/// Rebuilds and swaps components that change, one after the other.
async fn follow(components: Arc<Components>, workers: Vec<Worker>, mut watch: Watch) {
    loop {
        let changed = watch.next().await;
        let is_of = |worker: &Worker, path: &PathBuf| {
            worker.watch.iter().any(|pattern| pattern.matches_path_with(path, matching()))
        };
        for worker in workers.iter().filter(|worker| changed.iter().any(|path| is_of(worker, path))) {
            let line = match rebuild(&components, worker).await {
                Ok((took, swapped)) => told(&took, &swapped, age(&changed)),
                Err(error) => format!("{}: {error:#}; the previous version serves on", worker.component.id),
            };
            // A failure to print is ignored.
            let _ = print(line);
        }
    }
}

async fn rebuild(components: &Components, worker: &Worker) -> Result<(Took, Swapped)> {
    let Component { id, source, .. } = &worker.component;
    print(format!("{id}: building"))?;
    let took = build(&worker.component).await.context("does not build")?;
    let swapped = components.swap(id, Source::File(source.clone())).await?;
    Ok((took, swapped))
}

fn told(took: &Took, swapped: &Swapped, age: Duration) -> String {
    let Swapped { worker, loaded, took: swap } = swapped;
    let digest: String = loaded.digest.chars().take(12).collect();
    let (swap, age) = (swap.as_secs_f64(), age.as_secs_f64());
    let what = if loaded.is_new() { "serves" } else { "serves already" };
    let phases = phases(took);
    format!("{worker}: {phases}, compiled and swapped in {swap:.2} s: {digest} {what}, {age:.2} s after the change")
}

fn phases(took: &Took) -> String {
    let (commands, freezing) = (took.commands.as_secs_f64(), took.freezing.as_secs_f64());
    format!("built in {commands:.2} s, pre-initialised in {freezing:.2} s")
}

/// How long ago the last of the files changed.
fn age(changed: &BTreeSet<PathBuf>) -> Duration {
    let modified = changed.iter().filter_map(|path| path.metadata().ok()?.modified().ok()).max();
    modified.and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let make = |path: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            path
        };
        let (deep, flat, _) = (make("src/a/b.rs"), make("src/c.rs"), make("src/c.txt"));
        let watch = |patterns: &[&str]| {
            let watch = patterns.iter().map(ToString::to_string).collect();
            patterns_of(folder.path(), watch).iter().flat_map(files).collect::<Vec<_>>()
        };
        assert_eq!(watch(&["src/**/*.rs"]), [deep, flat.clone()]);
        assert_eq!(watch(&["src/*.rs"]), [flat]);
        assert_eq!(watch(&["other/**"]), Vec::<PathBuf>::new());
    }

    fn patterns_of(workdir: &Path, watch: Vec<String>) -> Vec<Pattern> {
        patterns(&Build { commands: vec![], workdir: workdir.to_owned(), watch }, "id", &[]).unwrap()
    }

    #[test]
    fn every_worker_is_made_of_its_own_crate_and_the_shared_ones() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("spin.toml");
        let mut app = crate::manifest::load(&manifest, &Default::default()).unwrap();
        let workers = workers(&mut app, Path::new("data")).unwrap();
        assert!(workers.len() > 4, "{} workers", workers.len());
        let of = |name: &str| manifest.with_file_name("components").join(name).join("src/lib.rs");
        for worker in &workers {
            let is_made_of = |name: &str| worker.watch.iter().any(|it| it.matches_path_with(&of(name), matching()));
            for other in app.components.keys() {
                assert_eq!(is_made_of(other), *other == worker.component.id, "{}: {other}", worker.component.id);
            }
            assert!(is_made_of("registration") && is_made_of("worker-kit"), "{}", worker.component.id);
        }
    }
}
