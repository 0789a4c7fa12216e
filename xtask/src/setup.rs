//! Checks for tools that a new machine may lack, with a clear message for each.

use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};

const WASM_TARGET: &str = "wasm32-wasip2";

/// System programs that the native build needs, and the Debian package with each.
const SYSTEM: &[(&str, &str)] = &[("cc", "build-essential"), ("cmake", "cmake"), ("pkg-config", "pkg-config")];

/// Installs the wasm target if it is missing. If a system package is missing, the error says which to install.
pub fn check() -> Result<()> {
    let mut missing: Vec<_> =
        SYSTEM.iter().filter(|(program, _)| !runs(program)).map(|(_, package)| *package).collect();
    if !has_openssl() {
        missing.push("libssl-dev");
    }
    if !missing.is_empty() {
        bail!("the native build needs {0}; on Debian: apt-get install {0}", missing.join(" "));
    }
    let sysroot = output("rustc", &["--print", "sysroot"])?;
    if std::path::Path::new(sysroot.trim()).join("lib/rustlib").join(WASM_TARGET).exists() {
        return Ok(());
    }
    eprintln!("installing the Rust target {WASM_TARGET}");
    let status = Command::new("rustup")
        .args(["target", "add", WASM_TARGET])
        .status()
        .context("rustup is needed to install the wasm target: https://rustup.rs")?;
    if !status.success() {
        bail!("`rustup target add {WASM_TARGET}` failed");
    }
    Ok(())
}

fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Whether OpenSSL is there to compile librdkafka with.
fn has_openssl() -> bool {
    let mut asked = Command::new("pkg-config");
    asked.args(["--exists", "openssl"]).status().is_ok_and(|status| status.success())
}

pub fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("cannot run {program}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
