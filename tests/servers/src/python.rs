//! Installs packages from PyPI into a separate environment.

use crate::install::SHOWN;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// Makes an environment in `program` and installs the packages in it.
///
/// # Errors
/// When a download fails; with pip's last lines and what to do.
pub fn install(name: &str, program: &Path, packages: &[&str]) -> Result<()> {
    eprintln!("installing {name} from PyPI: {}", packages.join(", "));
    run(Command::new("python3").args(["-m", "venv"]).arg(program), name)?;
    let mut pip = Command::new(program.join("bin/python"));
    pip.args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--quiet"]).args(packages);
    run(&mut pip, name)
}

fn run(command: &mut Command, name: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<_> = said.lines().collect();
        let end = lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n");
        bail!(
            "pip cannot install {name} ({}):\n{end}\nIt needs PyPI, or a mirror named in pip's configuration, the first \
             time; run the command again.",
            output.status
        );
    }
    Ok(())
}
