//! Programs from npm that tests run, installed once.

use crate::home::Servers;
use crate::install::empty;
use crate::require::runs;
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program from npm.
#[derive(Debug)]
pub struct Tool {
    /// Its name, also that of its package.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// Checks definitions of state machines (Amazon States Language).
pub const ASL_VALIDATOR: Tool = Tool { name: "asl-validator", version: "4.0.0" };

/// Installs a package, `name@version`, in a folder, without its scripts.
///
/// # Errors
/// When the download fails; with what npm says.
pub fn install(program: &Path, package: &str) -> Result<()> {
    eprintln!("installing {package} from npm");
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(program).arg(package);
    let output = npm.stdin(Stdio::null()).output().context("cannot run npm")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("npm cannot install {package} ({}):\n{said}\nIt needs npm's registry the first time.", output.status);
    }
    Ok(())
}

impl Servers {
    /// The path of a tool, which is installed if it is not there.
    ///
    /// # Errors
    /// When npm is missing or the download fails; says what to do.
    pub fn tool(&self, tool: &Tool) -> Result<PathBuf> {
        let _lock = self.lock()?;
        let program = self.place(tool.name).program;
        let (recipe, package) = (program.join("recipe"), format!("{}@{}", tool.name, tool.version));
        if std::fs::read_to_string(&recipe).ok().as_ref() != Some(&package) {
            ensure!(runs("npm"), "{} needs npm; on Debian: apt-get install npm", tool.name);
            empty(&program)?;
            install(&program, &package)?;
            std::fs::write(recipe, package)?;
        }
        Ok(program.join("node_modules/.bin").join(tool.name))
    }
}
