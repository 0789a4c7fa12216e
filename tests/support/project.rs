//! Copies of the project that tests may change and build.

use crate::support::programs;
use crate::support::settings::root;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What a build reads. Workspace members are needed even if they are not built.
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

/// Folders of the target folder: native programs; what compiles components, such as macros; components.
const NATIVE: &str = "release";
const GUEST_HOST: &str = "guest";
const GUEST: &str = "wasm32-wasip2/guest";

/// A copy of the project, and a target folder for it.
pub struct ProjectCopy {
    folder: PathBuf,
    target: PathBuf,
}

impl ProjectCopy {
    /// Copies the project, in place of an earlier copy of this name. The files are new to Cargo: with their old times, it
    /// would take what it built of an earlier copy that a test had edited for what it would build of this one.
    pub fn new(name: &str) -> Self {
        let scratch = programs::scratch();
        // A target folder of its own: in the project's, Cargo would confuse what it builds of the copy with what it builds
        // of the project.
        let copy =
            Self { folder: scratch.join(format!("{name}-project")), target: scratch.join(format!("{name}-target")) };
        if copy.folder.exists() {
            std::fs::remove_dir_all(&copy.folder).unwrap();
        }
        let copy_file = |from: &Path, to: &Path| std::fs::copy(from, to).map(drop);
        COPIED.iter().for_each(|name| copy_into(&root().join(name), &copy.folder.join(name), &copy_file));
        copy
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its target folder.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// A command that runs in the copy, offline.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env("CARGO_TARGET_DIR", &self.target).env("CARGO_NET_OFFLINE", "true");
        // With the lints of `cargo verify`, all dependencies would be built a second time.
        for name in ["RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS", "LOG_LEVEL", "CONFIG_ENV"] {
            command.env_remove(name);
        }
        command
    }

    /// Writes a new file.
    pub fn add(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        assert!(!path.exists(), "{} is there already", path.display());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Prepares a fast build of everything: the project's own crates are not optimised, and dependencies that are compiled
    /// already are taken from the project's target folder. Cargo compiles the rest.
    pub fn prepare(&self) {
        self.prepare_profiles(&[NATIVE, GUEST_HOST, GUEST]);
    }

    /// The same for components alone.
    pub fn prepare_components(&self) {
        self.prepare_profiles(&[GUEST_HOST, GUEST]);
    }

    fn prepare_profiles(&self, profiles: &[&str]) {
        let ours = self.packages();
        // Crate by crate: a setting for all would change the build scripts of dependencies, and so everything that needs
        // them.
        let unoptimised = ours.iter().map(|name| format!("[profile.release.package.{name}]\nopt-level = 0\n"));
        self.add(".cargo/config.toml", &unoptimised.collect::<String>());
        let ours = ours.into_iter().map(|name| name.replace('-', "_")).collect();
        for profile in profiles {
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

/// Runs a command that must succeed.
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

/// Hard links for compiled code, which is most of the bytes and which Cargo replaces but never overwrites; copies of the
/// rest.
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
