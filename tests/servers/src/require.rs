//! Checks which programs the machine has, and reports what is missing.

use crate::server::{Install, Server};
use anyhow::{Result, bail};
use std::process::{Command, Stdio};

/// The oldest version that runs DynamoDB Local.
const JAVA: u32 = 17;
/// The package with `java` and `javac`; version 17 from Debian 12 on.
const JAVA_PACKAGE: &str = "default-jdk-headless";

/// Checks everything that these servers need to run and, if they are not installed yet, to be installed.
///
/// # Errors
/// When something is missing; lists all of it, and what to do.
pub fn check(servers: &[&Server], to_install: &[&Server]) -> Result<()> {
    let mut missing = Vec::new();
    if servers.iter().any(|it| is_java(it)) && java_version().is_none_or(|version| version < JAVA) {
        missing.push(("Java 17 or later", JAVA_PACKAGE));
    }
    if to_install.iter().any(|it| is_java(it)) {
        missing.extend(missing_of_java());
    }
    if to_install.iter().any(|it| matches!(it.install, Install::Python { .. })) && !has_venv() {
        missing.push(("Python 3.11 with venv", "python3-venv"));
    }
    if to_install.iter().any(|it| is_npm(it)) && !runs("npm") {
        missing.push(("npm", "npm"));
    }
    if servers.iter().any(|it| is_npm(it)) && !runs("node") {
        missing.push(("Node.js", "nodejs"));
    }
    for server in servers {
        if let Install::Debian { program, package } = server.install
            && !runs(program)
        {
            missing.push((program, package));
        }
    }
    refuse("the servers need", &missing)
}

/// Checks what a program in Java needs to be installed.
///
/// # Errors
/// When something is missing; lists all of it, and what to do.
pub fn java(name: &str) -> Result<()> {
    refuse(&format!("{name} needs"), &missing_of_java().collect::<Vec<_>>())
}

/// A missing tool for compiling, and the package that it is in.
fn missing_of_java() -> impl Iterator<Item = (&'static str, &'static str)> {
    let needed = [("javac", "a Java compiler", JAVA_PACKAGE), ("mvn", "Maven", "maven")];
    needed.into_iter().filter(|(program, ..)| !runs(program)).map(|(_, what, package)| (what, package))
}

fn refuse(needs: &str, missing: &[(&str, &str)]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let what: Vec<_> = missing.iter().map(|(what, _)| *what).collect();
    let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    bail!("{needs} {}; on Debian: apt-get install {}", what.join(", "), packages.join(" "));
}

/// The version that a program reports, such as `7.0.15`; `None` if the program does not exist.
pub fn version_of(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    first_version(&String::from_utf8_lossy(&output.stdout))
}

fn is_java(server: &Server) -> bool {
    matches!(server.install, Install::Maven { .. })
}

fn is_npm(server: &Server) -> bool {
    matches!(server.install, Install::Npm { .. })
}

pub fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Whether environments can be made: Debian has that in a package of its own.
fn has_venv() -> bool {
    let mut python = Command::new("python3");
    python.args(["-c", "import ensurepip, venv"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}

fn java_version() -> Option<u32> {
    let output = Command::new("java").arg("-version").stdin(Stdio::null()).output().ok()?;
    java_major(&first_version(&String::from_utf8_lossy(&output.stderr))?)
}

/// The first word of digits and dots.
fn first_version(text: &str) -> Option<String> {
    let mut words = text.split(|it: char| !it.is_ascii_digit() && it != '.').map(|it| it.trim_matches('.'));
    words.find(|word| word.contains('.') || word.len() > 1).map(str::to_owned)
}

/// 17 of `17.0.15`, and 8 of `1.8.0`.
fn java_major(version: &str) -> Option<u32> {
    let mut numbers = version.split('.').map(|it| it.parse().ok());
    match numbers.next()?? {
        1 => numbers.next()?,
        major => Some(major),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn java(text: &str) -> Option<u32> {
        java_major(&first_version(text)?)
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(first_version("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0").unwrap(), "7.0.15");
        assert_eq!(java("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment"), Some(17));
        assert_eq!(java("openjdk version \"25\" 2025-09-16"), Some(25));
        assert_eq!(java("java version \"1.8.0_402\""), Some(8));
        assert_eq!(java("command not found"), None);
    }

    #[test]
    fn missing_programs_are_named_with_their_package() {
        let install = Install::Debian { program: "no-such-program", package: "no-such-package" };
        let server = Server { install, ..crate::server::tests::sleeper() };
        let error = check(&[&server], &[]).unwrap_err().to_string();
        assert_eq!(error, "the servers need no-such-program; on Debian: apt-get install no-such-package");
    }
}
