//! `host-adapters invoke`: calls one worker with one event; no other component or source runs.
//!
//! The event is sent to `/workers/<id>` in the format of AWS Lambda. The worker has its own embedded store with the
//! fixtures' documents, and services answer as its fixtures say ([`services`]). A request worker gets a development
//! token for the fan of the event's own `userInfo`, signed by a key that lives as long as the command and that no other
//! host accepts.
//!
//! With `--dead-letter` the record of a [`dead letter`] is handed over as its source would do it.

mod dead_letter;
pub(super) mod event;
mod services;
mod token;

use super::operator::DEFAULT_GATEWAY;
use super::{FAILED, ManifestOptions, UNUSABLE, print};
use crate::backends;
use crate::components::Components;
use crate::dispatch::Dispatcher;
use crate::manifest::runtime_config::RuntimeConfig;
use crate::manifest::{App, read_text};
use crate::outgoing::TracedServices;
use crate::telemetry::{self, Tracing, logs};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Args;
use host_adapters_platform::IdentityConfig;
use host_adapters_records::documents::ReplaceOne;
use host_adapters_records::{Caller, Platform};
use serde_json::{Value, json};
use services::AnsweredServices;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The client that loads the fixtures, in the grants of this command's own store.
const SEEDER: &str = "invoke";

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    manifest: ManifestOptions,
    /// The worker, by its id (`check-eligibility`) or its name in the documents (`checkEligibility`).
    #[arg(required_unless_present = "dead_letter", conflicts_with = "dead_letter")]
    worker: Option<String>,
    /// The event: JSON, `@file`, or `-` for standard input.
    #[arg(default_value = "-")]
    event: String,
    /// A folder of documents for the worker to find, `<collection>/<any name>.json`.
    #[arg(long, default_value = "tests/fixtures/domain")]
    documents: PathBuf,
    /// A folder of answers that services give, `<service>/<path>/<method>.json`; by default `fixtures/services` of the
    /// worker. What has no file is asked of the service itself.
    #[arg(long)]
    services: Option<PathBuf>,
    /// The fan's token to send instead of a development token.
    #[arg(long, env = "HOST_ADAPTERS_FAN_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A component that is to replace the file that spin.toml names.
    #[arg(long)]
    component: Option<PathBuf>,
    /// Hand over the record of a dead letter: its id at a running host, or `@file` or `-` with what `dead-letters show
    /// --json` printed. The exit code is 0 only if the record is done.
    #[arg(long, value_name = "ID")]
    dead_letter: Option<String>,
    /// The running host's gateway, for `--dead-letter ID`.
    #[arg(long, default_value = DEFAULT_GATEWAY)]
    gateway: String,
    /// The token of a client of spin.toml that may read the dead letter's queue.
    #[arg(long, env = "HOST_ADAPTERS_TOKEN", hide_env_values = true)]
    operator_token: Option<String>,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let mut app = match options.manifest.load() {
        Ok(app) => app,
        Err(code) => return Ok(code),
    };
    log()?;
    if let Some(dead_letter) = &options.dead_letter {
        return dead_letter::run(app, &options, dead_letter).await;
    }
    let named = options.worker.as_deref().unwrap_or_default();
    let worker = match open(&mut app, named, &options) {
        Ok(worker) => worker,
        Err(why) => {
            eprintln!("{why}");
            return Ok(ExitCode::from(UNUSABLE));
        }
    };
    let (text, event) = event::read(&options.event)?;
    let data = tempfile::tempdir().context("cannot make a temporary folder")?;
    let bearer = prepare(&mut app, &worker, &options, &event, data.path())?;
    let own = || Path::new("components").join(&worker).join("fixtures/services");
    let answers = options.services.clone().unwrap_or_else(own);
    let fixtures = Fixtures { documents: &options.documents, answers: Some(answers) };
    let answer = call(app, &worker, fixtures, data.path(), &bearer, text).await?;
    report(&answer)
}

/// What the worker finds.
struct Fixtures<'a> {
    /// The folder of the documents.
    documents: &'a Path,
    /// The folder of the services' answers; without one the services are called.
    answers: Option<PathBuf>,
}

/// Leaves only the worker in the application, with the file to call. Returns its id, or why it cannot run.
fn open(app: &mut App, named: &str, options: &Options) -> Result<String, String> {
    let worker = event::component(app, named).ok_or_else(|| event::unknown(app, named))?;
    app.components.retain(|id, _| *id == worker);
    for component in app.components.values_mut() {
        if let Some(file) = &options.component {
            component.source.clone_from(file);
        }
        match (component.source.exists(), &options.component) {
            (true, _) => {}
            (false, Some(file)) => return Err(format!("there is no component {}", file.display())),
            (false, None) => return Err(format!("{worker} is not built; run `host-adapters build {worker}`")),
        }
    }
    Ok(worker)
}

fn log() -> Result<()> {
    let variable = |name| std::env::var(name).ok();
    telemetry::install(logs::level(variable("LOG_LEVEL").as_deref(), variable("CONFIG_ENV").as_deref())).map(drop)
}

/// Gives the worker what authentication needs. Returns the bearer token to send.
fn prepare(app: &mut App, worker: &str, options: &Options, event: &Value, data: &Path) -> Result<String> {
    let component = app.components.get_mut(worker).context("the worker has gone")?;
    let takes_worker_token = !component.sources.is_empty();
    // By a source of tasks the host knows that HTTP requests are the worker's own endpoint's.
    component.sources.retain(|source| source.does_tasks());
    if takes_worker_token {
        let secret = uuid::Uuid::new_v4().to_string();
        component.variables.insert("worker_token".to_owned(), crate::manifest::Value::secret(secret.clone()));
        return Ok(secret);
    }
    if let Some(token) = &options.token {
        return Ok(token.clone());
    }
    let jwks = data.join("jwks.json");
    let identity = IdentityConfig {
        issuer: "host-adapters invoke".to_owned(),
        audience: "host-adapters invoke".to_owned(),
        jwks: jwks.display().to_string(),
    };
    let token = token::development(&identity, &event::user_info(event), &jwks)?;
    app.host.identity = Some(identity);
    Ok(token)
}

async fn call(
    app: App,
    worker: &str,
    fixtures: Fixtures<'_>,
    data: &Path,
    bearer: &str,
    event: String,
) -> Result<http::Response<Bytes>> {
    let route = app.routes.of(worker).next().map(|route| route.route.clone());
    let route = route.with_context(|| format!("{worker} has no [[trigger.http]] in spin.toml"))?;
    let components = load(app, fixtures, data).await?;
    let request = http::Request::post(format!("http://localhost{route}"))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {bearer}"))
        .body(Bytes::from(event))?;
    let called = Dispatcher::new(components.runtime().clone(), Tracing::from_env()?).http(worker, request).await;
    called.result.with_context(|| format!("{worker} did not answer"))
}

/// Makes a store with the fixtures' documents, and loads the worker.
async fn load(mut app: App, fixtures: Fixtures<'_>, data: &Path) -> Result<Components> {
    app.host.clients.insert(SEEDER.to_owned(), event::seeder(&app));
    let project = app.path.parent().unwrap_or(Path::new("")).to_owned();
    let app = Arc::new(app);
    let tracing = Tracing::from_env()?;
    let services = TracedServices { services: backends::services(&app, None)?, tracing: tracing.clone() };
    let services = AnsweredServices { folder: fixtures.answers.map(|answers| project.join(answers)), services };
    let backends = backends::open(&app, data, &RuntimeConfig::default(), services).await?;
    load_documents(&app, &*backends.platform, &project.join(fixtures.documents)).await?;
    // Compiled components are shared with `up`, so that the next call starts at once.
    let compiled = project.join(".host-adapters");
    Components::load(&app, &compiled, &backends, tracing).await
}

/// Puts every document of the declared collections into the store.
async fn load_documents(app: &App, platform: &dyn Platform, folder: &Path) -> Result<()> {
    for collection in &app.host.declared.collections {
        let Ok(entries) = std::fs::read_dir(folder.join(collection)) else { continue };
        for entry in entries {
            let path = entry?.path();
            let text = read_text(&path).with_context(|| format!("cannot read the document {}", path.display()))?;
            let document: Value =
                serde_json::from_str(&text).with_context(|| format!("{} is not a JSON document", path.display()))?;
            let Some(id) = document.get("id") else { bail!("{} has no `id`", path.display()) };
            let replace =
                ReplaceOne { collection: collection.clone(), filter: json!({ "id": id }).to_string(), document: text };
            platform.documents_replace_one(Caller::client(SEEDER), replace).await?;
        }
    }
    Ok(())
}

/// Prints the response on stdout. The outcome is good if the status is, and if every record of a batch is done: none
/// failed, and none was rejected. A skipped one is listed among the rejected, and is done.
fn report(answer: &http::Response<Bytes>) -> Result<ExitCode> {
    let text = std::str::from_utf8(answer.body()).context("the answer is not UTF-8")?;
    let body: Value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
    print(serde_json::to_string_pretty(&body)?)?;
    let records = |list: &str| body.get(list).and_then(Value::as_array).into_iter().flatten();
    let is_skipped = |record: &Value| record.get("skipped") == Some(&Value::Bool(true));
    let good = answer.status().is_success()
        && records("batchItemFailures").next().is_none()
        && records("rejected").all(is_skipped);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}
