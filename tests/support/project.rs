//! Copies of the project that tests may change and build.

use crate::support::settings::root;
use std::path::Path;

/// What a build of components reads. Workspace members are needed even if they are not built.
const COPIED: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "spin.toml",
    "components",
    "host-adapters",
    "tests",
    "wit",
    "xtask",
];

/// Copies the project into a folder and replaces what was there. If the folder is the same each time, Cargo recognises
/// its crates.
pub fn copy(to: &Path) {
    if to.exists() {
        std::fs::remove_dir_all(to).unwrap();
    }
    COPIED.iter().for_each(|name| copy_into(&root().join(name), &to.join(name)));
}

fn copy_into(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy_into(&entry.path(), &to.join(entry.file_name()));
    }
}
