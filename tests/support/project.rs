//! Copies of the project that tests may change and build.

use crate::support::programs;
use crate::support::settings::root;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What a build reads: workspace members count even where they are not built.
const COPIED: [&str; 10] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "spin.toml",
    "components",
    "host-adapters",
    "schemas",
    "tests",
    "wit",
    "xtask",
];

/// A copy of the project, and a target folder for it.
pub struct ProjectCopy {
    folder: PathBuf,
    target: PathBuf,
}

impl ProjectCopy {
    /// A new copy in place of the one before with this name. The same place and times let Cargo know its crates again.
    pub fn new(name: &str) -> Self {
        let scratch = programs::scratch();
        // Of its own: in the project's, Cargo would take what it made of the copy for what the project makes.
        let copy =
            Self { folder: scratch.join(format!("{name}-project")), target: scratch.join(format!("{name}-target")) };
        if copy.folder.exists() {
            std::fs::remove_dir_all(&copy.folder).unwrap();
        }
        COPIED.iter().for_each(|name| copy_into(&root().join(name), &copy.folder.join(name), &copy_file));
        copy
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a build of it makes.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// A program that runs in it, offline.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env("CARGO_TARGET_DIR", &self.target).env("CARGO_NET_OFFLINE", "true");
        // The lints of `cargo verify` would build all dependencies a second time.
        for name in ["RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS", "LOG_LEVEL", "CONFIG_ENV"] {
            command.env_remove(name);
        }
        command
    }

    /// Writes a file that it does not have.
    pub fn add(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        assert!(!path.exists(), "{} is there already", path.display());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Prepares a fast build: its own crates are not optimised, and others' are those that the project has compiled. What
    /// is missing of them Cargo makes.
    pub fn prepare(&self) {
        let ours = self.packages();
        // A profile that is another for all crates would be one for others' build scripts too, and so for what needs them.
        let unoptimised = ours.iter().map(|name| format!("[profile.release.package.{name}]\nopt-level = 0\n"));
        self.add(".cargo/config.toml", &unoptimised.collect::<String>());
        let ours = ours.into_iter().map(|name| name.replace('-', "_")).collect();
        for profile in ["release", "guest", "wasm32-wasip2/guest"] {
            for part in ["deps", "build", ".fingerprint"] {
                let from = programs::target().join(profile).join(part);
                let entries = std::fs::read_dir(&from).into_iter().flatten().map(|entry| entry.unwrap().file_name());
                for name in entries.filter(|name| is_of_others(&name.to_string_lossy(), &ours)) {
                    let to = self.target.join(profile).join(part).join(&name);
                    if !to.exists() {
                        copy_into(&from.join(&name), &to, &link);
                    }
                }
            }
        }
    }

    /// The names of its own packages.
    fn packages(&self) -> BTreeSet<String> {
        let arguments = ["metadata", "--no-deps", "--format-version", "1"];
        let metadata = succeeded(self.command(env!("CARGO")).args(arguments));
        let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
        let packages = metadata["packages"].as_array().unwrap().iter();
        packages.map(|package| package["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// Runs a command, which is to succeed.
pub fn succeeded(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Whether a file or folder that Cargo made, `<name>-<hash>…` or `lib<name>-<hash>…`, belongs to none of `ours`.
fn is_of_others(file: &str, ours: &BTreeSet<String>) -> bool {
    let Some((name, _)) = file.rsplit_once('-') else { return false };
    let name = name.replace('-', "_");
    !ours.contains(&name) && !name.strip_prefix("lib").is_some_and(|name| ours.contains(name))
}

/// A second name for what Cargo never writes again in place, which is most of the bytes; a copy of the rest.
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    let is_code = from.extension().is_some_and(|it| ["rlib", "rmeta", "so"].iter().any(|code| it == *code));
    if is_code && std::fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    copy_file(from, to)
}

/// With the time of its last change, which Cargo compares.
fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::copy(from, to)?;
    std::fs::File::open(to)?.set_modified(std::fs::metadata(from)?.modified()?)
}

fn copy_into(from: &Path, to: &Path, copy: &impl Fn(&Path, &Path) -> std::io::Result<()>) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    if from.is_file() {
        copy(from, to).unwrap();
        return;
    }
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy_into(&entry.path(), &to.join(entry.file_name()), copy);
    }
}
