//! The host in a separate process.

use crate::programs::make_data;
use crate::support::settings::root;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

/// How long the host may take to start. Compiling the components takes seconds, on a busy machine minutes.
const START_LIMIT: Duration = Duration::from_secs(180);

/// A running `host-adapters up`; it is killed when this is dropped.
pub struct Child {
    /// Base URL of the components.
    pub http: String,
    /// Base URL of the gateway.
    pub gateway: String,
    process: tokio::process::Child,
    // Kept open, so that the host can write to it.
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts the host on the project's manifest, with these variables of the manifest and of the environment.
    pub async fn start(
        data: &Path,
        variables: &BTreeMap<String, String>,
        environment: &BTreeMap<String, String>,
    ) -> Self {
        Self::of(&root().join("spin.toml"), data, variables, environment, Stdio::inherit()).await
    }

    /// Starts the host on any manifest; its log goes to `log`.
    pub async fn of(
        manifest: &Path,
        data: &Path,
        variables: &BTreeMap<String, String>,
        environment: &BTreeMap<String, String>,
        log: Stdio,
    ) -> Self {
        let mut command = Command::new(program());
        command.envs(variables.iter().map(|(name, value)| (format!("SPIN_VARIABLE_{}", name.to_uppercase()), value)));
        Self::run(command.envs(environment), manifest, data, log).await
    }

    /// Starts a host by a command that is to get its arguments here.
    pub async fn run(command: &mut Command, manifest: &Path, data: &Path, log: Stdio) -> Self {
        make_data(data);
        command.arg("up").arg("--manifest").arg(manifest).arg("--data").arg(data).stderr(log);
        command.args(["--listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stdout = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(START_LIMIT, stdout.next_line()).await.expect("the host starts in time");
        let line = line.unwrap().expect("the host says where it listens; its log above says why not");
        let said: Value = serde_json::from_str(&line).unwrap();
        let url = |name: &str| format!("http://{}", said[name].as_str().unwrap());
        Self { http: url("http"), gateway: url("gateway"), process, _stdout: stdout }
    }

    /// Kills the process, as `kill -9` does, and waits until it is gone.
    pub async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.process.id().expect("the host runs until this is dropped")
    }
}

/// The program: `HOST_ADAPTERS_BIN`, else the one beside the running test.
fn program() -> PathBuf {
    let beside = || std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("host-adapters");
    let program = std::env::var_os("HOST_ADAPTERS_BIN").map_or_else(beside, PathBuf::from);
    assert!(program.exists(), "{} is not built: run `cargo verify`, which builds all", program.display());
    program
}
