//! `cargo xtask fuzz`: builds the targets of `tests/fuzz` with `cargo fuzz` and runs each for a while. Findings are
//! kept in the target folder: inputs that reach new code, for the next run, and inputs that break a rule, for the fix.

use crate::build;
use crate::setup::output;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

const FOLDER: &str = "tests/fuzz";
/// The version of `cargo-fuzz` from crates.io.
const VERSION: &str = "0.13.2";
/// Targets that run at the same time.
const AT_ONCE: usize = 2;
/// An input that takes more time or memory than this also breaks a rule.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=2048"];

#[derive(Args)]
pub struct Options {
    /// How long each target runs, seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Targets; without any, all of tests/fuzz/fuzz_targets.
    targets: Vec<String>,
}

impl Options {
    /// All targets, each for this many seconds.
    pub fn all(seconds: u64) -> Self {
        Self { seconds, targets: Vec::new() }
    }
}

/// The folder of all files of fuzzing, inside Cargo's target folder.
struct Place(PathBuf);

pub fn run(options: &Options) -> Result<()> {
    let all = targets()?;
    if let Some(unknown) = options.targets.iter().find(|name| !all.contains(name)) {
        bail!("there is no fuzz target {unknown}; there is {}", all.join(", "));
    }
    let place = Place(build::target_dir()?.join("fuzz"));
    let programs = place.build()?;
    let wanted = if options.targets.is_empty() { &all } else { &options.targets };
    let mut broken = false;
    for some in wanted.chunks(AT_ONCE) {
        let outcomes: Vec<_> = thread::scope(|scope| {
            let runs: Vec<_> =
                some.iter().map(|name| scope.spawn(|| place.run(&programs, name, options.seconds))).collect();
            runs.into_iter().map(|run| run.join().unwrap_or_else(|_| bail!("a run ended unexpectedly"))).collect()
        });
        for outcome in outcomes {
            broken |= !outcome?;
        }
    }
    if broken {
        bail!("a rule is broken: fix the code, and add the input to {FOLDER}/corpus as a test");
    }
    Ok(())
}

/// The names of all targets.
fn targets() -> Result<Vec<String>> {
    let folder = Path::new(FOLDER).join("fuzz_targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).context("run this from the project's root")? {
        names.extend(entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

impl Place {
    /// Builds all targets; returns the folder of their programs. They have no sanitizer, which would need a nightly
    /// compiler, because the project has no unsafe code.
    fn build(&self) -> Result<PathBuf> {
        let cargo_fuzz = self.cargo_fuzz()?;
        let manifest = Path::new(FOLDER).join("Cargo.toml");
        let mut locked = build::cargo(build::Linting::Off);
        locked.args(["metadata", "--locked", "--format-version", "1", "--manifest-path"]).arg(&manifest);
        if !locked.output().context("cannot run cargo metadata")?.status.success() {
            let update = format!("cargo update --workspace --manifest-path {}", manifest.display());
            bail!("{FOLDER}/Cargo.lock is not up to date: run {update}");
        }
        eprintln!("building the fuzz targets (the first time takes some minutes)");
        let mut build = Command::new(cargo_fuzz);
        build.args(["fuzz", "build", "--sanitizer", "none", "--fuzz-dir", FOLDER, "--target-dir"]).arg(&self.0);
        build::run(&mut build)?;
        let version = output("rustc", &["-vV"])?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
        Ok(self.0.join(host).join("release"))
    }

    /// The program `cargo-fuzz`, installed if it is missing.
    fn cargo_fuzz(&self) -> Result<PathBuf> {
        let root = self.0.join("tools");
        let program = root.join("bin").join("cargo-fuzz");
        let is_there = program.exists() && output(&program.to_string_lossy(), &["--version"])?.contains(VERSION);
        if !is_there {
            eprintln!("installing cargo-fuzz {VERSION}");
            let mut install = build::cargo(build::Linting::Off);
            install.args(["install", "cargo-fuzz", "--locked", "--force", "--version", VERSION, "--root"]).arg(root);
            // In a temporary folder, which is removed afterwards.
            build::run(install.env_remove("CARGO_TARGET_DIR"))?;
        }
        Ok(program)
    }

    /// Runs one target; returns whether no rule was broken.
    fn run(&self, programs: &Path, name: &str, seconds: u64) -> Result<bool> {
        let (found, broken) = (self.0.join("found").join(name), self.0.join("broken").join(name));
        std::fs::create_dir_all(&found)?;
        std::fs::create_dir_all(&broken)?;
        let (program, log) = (programs.join(name), self.0.join(format!("{name}.log")));
        let mut command = Command::new(&program);
        // The first folder receives new inputs.
        command.arg(&found).arg(Path::new(FOLDER).join("corpus").join(name));
        command.arg(format!("-dict={FOLDER}/dictionaries/{name}.dict")).arg(format!("-max_total_time={seconds}"));
        command.arg(format!("-artifact_prefix={}/", broken.display())).arg("-print_final_stats=1").args(LIMITS);
        command.env("LOG_LEVEL", "ERROR").stdout(File::create(&log)?).stderr(File::options().append(true).open(&log)?);
        let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
        let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
        let inputs = text.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        println!(
            "{name}: {} inputs{}",
            inputs.unwrap_or_default().trim(),
            if status.success() { "" } else { ", broken" }
        );
        if !status.success() {
            report(&text, &program, &log);
        }
        Ok(status.success())
    }
}

/// Prints what broke, the input that did it, and how to run that again.
fn report(text: &str, program: &Path, log: &Path) {
    let lines: Vec<_> = text.lines().collect();
    let from = lines.iter().position(|line| line.contains("panicked at") || line.contains("ERROR: libFuzzer"));
    lines.iter().skip(from.unwrap_or_default()).take(4).for_each(|line| eprintln!("  {line}"));
    eprintln!("  the whole log: {}", log.display());
    for input in lines.iter().filter_map(|line| line.split_once("Test unit written to ")).map(|(_, input)| input) {
        eprintln!("  to run it again: {} {input}", program.display());
    }
}
