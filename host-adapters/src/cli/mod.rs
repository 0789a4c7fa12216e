//! The command line. Exit codes: 0 done; 1 it ran and the outcome is bad; 2 it cannot run (usage, manifest, not built).

mod build;
mod dead_letters;
mod dev;
mod events;
mod invoke;
mod operator;
mod provision;
mod queues;
mod swap;
mod tasks;
mod up;
mod validate;
mod versions;

use crate::manifest::runtime_config::RuntimeConfig;
use crate::manifest::{self, App, ProvidedVariables};
use clap::{Args, Parser, Subcommand};
use host_adapters_platform::Declared;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The command ran, and the outcome is bad.
pub(crate) const FAILED: u8 = 1;
/// The command cannot run.
pub(crate) const UNUSABLE: u8 = 2;

#[derive(Parser)]
#[command(name = "host-adapters", version, about = "A WebAssembly plugin host for registration workers")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run all components of spin.toml with their sources.
    Up(up::Options),
    /// Build components and pre-initialise them.
    Build(build::Options),
    /// Check spin.toml and report every diagnostic at once.
    Validate(validate::Options),
    /// Call one worker offline with an event; the response on stdout, logs on stderr.
    Invoke(invoke::Options),
    /// Run everything as `up` does; rebuild a worker whose sources change, and swap it in.
    Dev(dev::Options),
    /// Replace one worker of a running host by another file, until the host ends or the worker's own file changes.
    Swap(swap::Options),
    /// Show which version of each worker a running host serves.
    Versions(versions::Options),
    /// Make what spin.toml declares on the servers of the runtime configuration, where it is missing.
    Provision(provision::Options),
    /// Show the queues of a running host: depths, or the oldest messages of one.
    Queues(queues::Options),
    /// Look through the dead letters of a running host, send them back, drop them.
    DeadLetters(dead_letters::Options),
    /// Start executions of a worker's tasks on a running host, see their results, stop them.
    Tasks(tasks::Options),
    /// Write events as AWS Lambda would hand them over; show records of a running host's event log.
    Events(events::Options),
}

/// The manifest, and values for its variables.
#[derive(Args)]
pub(crate) struct ManifestOptions {
    /// The manifest.
    #[arg(long, default_value = "spin.toml")]
    manifest: PathBuf,
    /// Values for application variables: one, one in a file, or any number in a file of JSON or TOML; of a name that is
    /// given twice, the last one holds. SPIN_VARIABLE_<NAME>, also in the file `.env` beside the manifest, does the
    /// same and suits secrets.
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = variables)]
    variables: Vec<Variables>,
}

/// The variables of one argument, with their values.
type Variables = Arc<Vec<(String, String)>>;

fn variables(argument: &str) -> Result<Variables, String> {
    manifest::provided_variables(argument).map(Arc::new)
}

impl ManifestOptions {
    /// The application, or the exit code after its diagnostics have been printed.
    pub(crate) fn load(&self) -> Result<App, ExitCode> {
        let named = self.variables.iter().flat_map(|pairs| pairs.iter().cloned()).collect();
        let unusable = |fault: &dyn std::fmt::Display| {
            eprintln!("{fault}");
            ExitCode::from(UNUSABLE)
        };
        let provided = ProvidedVariables::from_process(named, &self.manifest).map_err(|fault| unusable(&fault))?;
        manifest::load(&self.manifest, &provided).map_err(|diagnostics| unusable(&diagnostics))
    }
}

/// The backends of the platform.
#[derive(Args)]
pub(crate) struct RuntimeConfigOptions {
    /// The runtime configuration: the backends of tables, queues, documents, objects, data streams, topics, the cache,
    /// tasks and the event log, and the store of its secrets. Without it all backends are embedded.
    #[arg(long, value_name = "FILE", env = "HOST_ADAPTERS_RUNTIME_CONFIG")]
    runtime_config: Option<PathBuf>,
}

impl RuntimeConfigOptions {
    /// The configuration for an application that declares this, or the exit code after its diagnostics have been printed.
    pub(crate) async fn load(&self, declared: &Declared) -> Result<RuntimeConfig, ExitCode> {
        let Some(path) = &self.runtime_config else { return Ok(RuntimeConfig::default()) };
        RuntimeConfig::load(path, crate::backends::KINDS, declared).await.map_err(|diagnostics| {
            eprintln!("{diagnostics}");
            ExitCode::from(UNUSABLE)
        })
    }
}

/// The application and its backends, or the exit code after the diagnostics of both files have been printed.
pub(crate) async fn load(
    manifest: &ManifestOptions,
    runtime_config: &RuntimeConfigOptions,
) -> Result<(App, RuntimeConfig), ExitCode> {
    let app = manifest.load();
    // Of an application that cannot be read the names are not known, and the rest of the configuration can be judged.
    let declared = app.as_ref().map(App::declared).unwrap_or_default();
    let config = runtime_config.load(&declared).await;
    Ok((app?, config?))
}

/// Prints a line on stdout. A reader that has seen enough (`| head`) is not a failure.
///
/// # Errors
/// When the line cannot be written for another reason.
pub(crate) fn print(line: impl std::fmt::Display) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Runs the command line of this process.
pub async fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Up(options) => up::run(options).await,
        Command::Build(options) => build::run(options).await,
        Command::Validate(options) => validate::run(&options).await,
        Command::Invoke(options) => invoke::run(options).await,
        Command::Dev(options) => dev::run(options).await,
        Command::Swap(options) => swap::run(options).await,
        Command::Versions(options) => versions::run(options).await,
        Command::Provision(options) => provision::run(options).await,
        Command::Queues(options) => queues::run(options).await,
        Command::DeadLetters(options) => dead_letters::run(options).await,
        Command::Tasks(options) => tasks::run(options).await,
        Command::Events(options) => events::run(options).await,
    };
    result.unwrap_or_else(|error| {
        eprintln!("host-adapters: {error:#}");
        ExitCode::from(if error.is::<operator::Refused>() { FAILED } else { UNUSABLE })
    })
}
