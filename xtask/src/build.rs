//! Builds two selections of packages: the whole native workspace for tests and lints, and the one for `cargo demo`.
//! Dependencies have the same features in both, so they are built once.

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Whether clippy compiles the project's crates: it lints and builds them in one step.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Linting {
    On,
    Off,
}

/// The folder of the native programs.
pub struct Built {
    pub programs: PathBuf,
}

impl Built {
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

/// Cargo, with the lints of [`Linting::On`] as errors.
pub fn cargo(linting: Linting) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    if linting == Linting::On {
        cargo.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver").env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__");
    }
    cargo
}

/// Builds every native crate and test.
pub fn native(linting: Linting) -> Result<Built> {
    eprintln!("building the native workspace (the first time takes some ten minutes on two cores)");
    run(cargo(linting).args(["build", "--release", "--locked", "--workspace", "--all-targets"]))?;
    Ok(Built { programs: target_dir()?.join("release") })
}

/// Builds the host with only its embedded backends, and the demo: no SDK of a server is compiled. Dependencies are
/// built as [`native`] builds them (`tests/project/tidy.rs` compares the two).
pub fn embedded() -> Result<Built> {
    eprintln!("building the host and the demo (the first time takes some minutes on two cores)");
    run(cargo(Linting::Off).args(["build", "--release", "--locked"]).args(EMBEDDED))?;
    Ok(Built { programs: target_dir()?.join("release") })
}

/// The options with which [`embedded`] selects packages. `tests/project/tidy.rs` reads them here.
const EMBEDDED: [&str; 7] = [
    "--package",
    "host-adapters",
    "--package",
    "demo",
    "--no-default-features",
    "--features",
    "host-adapters/embedded",
];

/// Builds and pre-initialises components: all of spin.toml, or those named.
///
/// Each is built only by its own command. Built together with others, a crate may get more features of shared
/// dependencies, and Cargo would rebuild it each time that it is built the other way.
pub fn components(built: &Built, names: &[String]) -> Result<()> {
    run(Command::new(built.program("host-adapters")).arg("build").args(names))
}

/// Compiles the components of spin.toml to native code, which `host-adapters` keeps in `.host-adapters`.
pub fn compile(built: &Built) -> Result<()> {
    eprintln!("compiling the components (the first time takes some twenty seconds)");
    run(Command::new(built.program("host-adapters")).arg("validate").stdout(Stdio::null()))
}

/// Builds the guests of the tests.
pub fn guests() -> Result<()> {
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}")?);
    bar.set_message("building guests of the tests");
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut build = cargo(Linting::Off);
    build.args(["build", "--quiet", "--locked", "--profile", "guest", "--target", "wasm32-wasip2"]);
    for entry in std::fs::read_dir("tests/fixtures/guests").context("run this from the project's root")? {
        build.arg("--package").arg(entry?.file_name());
    }
    run(&mut build)?;
    bar.finish_and_clear();
    Ok(())
}

/// One of the programs just built.
pub fn program(built: &Built, name: &str, options: &[impl AsRef<OsStr>]) -> Command {
    let mut program = Command::new(built.program(name));
    program.args(options).env("HOST_ADAPTERS_BIN", built.program("host-adapters"));
    program
}

/// Cargo's target folder.
pub fn target_dir() -> Result<PathBuf> {
    let metadata = cargo(Linting::Off)
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo metadata")?;
    let metadata = String::from_utf8_lossy(&metadata.stdout);
    let (_, rest) = metadata.split_once("\"target_directory\":\"").context("cargo metadata names no target folder")?;
    let (folder, _) = rest.split_once('"').context("cargo metadata names no target folder")?;
    Ok(Path::new(folder).to_owned())
}

/// Runs a command and fails with its line if it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(())
}
