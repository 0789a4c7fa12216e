//! The application that the host runs here: a worker that does nothing, with one source.

use super::{SECRET, SECRET_VARIABLE};
use crate::place;
use crate::process::Process;
use anyhow::Result;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A guest of the tests that does what its records tell it.
pub const WORKER: &str = "probe";

/// The queue and the table that a source may read.
pub const QUEUE: &str = "messages";
pub const TABLE: &str = "records";

/// A manifest, and the data of the hosts that run it one after the other.
pub struct Application {
    program: PathBuf,
    folder: TempDir,
}

impl Application {
    /// Writes the manifest, with these keys of the source. The worker is granted its imports and uses none.
    pub fn new(program: &Path, source: &str) -> Result<Self> {
        let (program, folder) = (program.to_owned(), tempfile::tempdir()?);
        let component = place::guest(WORKER)?;
        let text = format!(
            r#"spin_manifest_version = 2

[application]
name = "bench"
version = "0.1.0"

[application.tool.host-adapters]
queues = {{ {QUEUE} = {{ visibility_timeout_secs = 30 }} }}
tables = {{ {TABLE} = {{ stream = true }} }}
collections = ["unused"]
buckets = ["unused"]
data_streams = {{ unused = {{}} }}
topics = {{ unused = {{}} }}
services = {{ unused = {{ upstream = "http://127.0.0.1:1" }} }}

[component.{WORKER}]
source = "{}"
allowed_outbound_hosts = ["http://127.0.0.1"]

[component.{WORKER}.tool.host-adapters]
grants = {{ tables = {{ {TABLE} = "read" }}, documents = {{ unused = "read" }}, objects = {{ unused = ["read"] }}, data_streams = {{ unused = "put" }}, topics = ["unused"], services = ["unused"] }}
source = [{{ {source} }}]
"#,
            component.display()
        );
        std::fs::write(folder.path().join("spin.toml"), text)?;
        Ok(Self { program, folder })
    }

    /// Starts the host with a runtime configuration.
    pub fn start(&self, runtime_config: &str) -> Result<Process> {
        let (folder, config) = (self.folder.path(), self.folder.path().join("runtime-config.toml"));
        std::fs::write(&config, runtime_config)?;
        let mut command = Process::up(&self.program, &folder.join("spin.toml"), &folder.join("data"))?;
        command.arg("--runtime-config").arg(config);
        command.env(SECRET_VARIABLE, SECRET);
        Process::start(command)
    }
}
