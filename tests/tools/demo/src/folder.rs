//! The folder of a run's files.

use anyhow::{Context, Result, bail};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Writes a file that only its owner may read.
pub fn write_secret(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("writing {}", path.display()))
}

/// Whether a folder contains at most an entry of this name, or does not exist.
fn holds_at_most(folder: &Path, name: &str) -> Result<bool> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        entries => {
            let others = entries?.filter(|entry| !entry.as_ref().is_ok_and(|entry| entry.file_name() == name));
            Ok(others.count() == 0)
        }
    }
}

/// Lets a host with a new data folder use the compiled components of `host-adapters validate`, if there are any: it would
/// compile for ten seconds and more.
pub fn share_compiled(data: &Path, manifest: &Path) -> Result<()> {
    let shared = manifest.parent().unwrap_or(Path::new("")).join(".host-adapters/compiled");
    let own = data.join("compiled");
    let Ok(shared) = shared.canonicalize() else { return Ok(()) };
    if own.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(data).with_context(|| format!("making {}", data.display()))?;
    std::os::unix::fs::symlink(shared, &own).with_context(|| format!("making {}", own.display()))
}

/// The folder of keys, log and data: the user's, or a temporary one.
pub enum Folder {
    /// The user's.
    Named(PathBuf),
    /// Removed in the end, unless it is kept.
    Temporary(TempDir),
}

impl Folder {
    /// Makes the folder, which must hold nothing of another run.
    pub fn new(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Temporary(
                TempDir::with_prefix("registration-demo-").context("making a temporary folder")?,
            ));
        };
        std::fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
        // Entries of another run would be unexpected in this one.
        if !holds_at_most(path, "host")? || !holds_at_most(&path.join("host"), "compiled")? {
            bail!("the data folder {} is not empty: empty it, or name another with --data-dir", path.display());
        }
        // The host may have another working folder, so it gets absolute paths.
        Ok(Self::Named(path.canonicalize()?))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Named(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }

    /// Keeps the folder.
    pub fn keep(self) -> PathBuf {
        match self {
            Self::Named(path) => path,
            Self::Temporary(folder) => folder.keep(),
        }
    }
}
