//! One process of the host.

use super::Addresses;
use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// How long the host may take to start. Compiling the components takes seconds, on a busy machine minutes.
const START_LIMIT: Duration = Duration::from_secs(180);
/// How long the host may take to stop: it drains for up to 30 s.
const STOP_LIMIT: Duration = Duration::from_secs(45);
/// The file in the data folder with the host's process id, for callers that want to kill it.
pub const PROCESS_ID_FILE: &str = "host.pid";

/// How the host is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its manifest.
    pub manifest: PathBuf,
    /// The folder of its data.
    pub data: PathBuf,
    /// The file of its log.
    pub log: PathBuf,
    /// The key of its app-to-app tokens.
    pub service_key: PathBuf,
    /// The durable step at which its first process aborts.
    pub abort_at_step: Option<String>,
    /// The servers that it uses; without it all backends are embedded.
    pub runtime_config: Option<PathBuf>,
    /// The file for its process id.
    pub process_id: PathBuf,
    /// Values of variables of the manifest that are not secret.
    pub variables: Vec<(String, String)>,
    /// Values of secret variables, passed in the environment.
    pub secrets: Vec<(String, String)>,
}

/// The line with the addresses that the host listens on.
#[derive(Deserialize)]
struct Announcement {
    event: String,
    http: String,
    gateway: String,
}

/// A running host; it is killed when this is dropped.
pub(super) struct Process {
    child: Child,
    pub(super) addresses: Addresses,
}

impl Launch {
    fn command(&self) -> Result<Command> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("opening the host's log {}", self.log.display()))?;
        let mut command = Command::new(&self.program);
        command.arg("up").arg("--manifest").arg(&self.manifest).arg("--data").arg(&self.data);
        command.arg("--service-key").arg(&self.service_key);
        command.args(["--listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0"]);
        if let Some(config) = &self.runtime_config {
            command.arg("--runtime-config").arg(config);
        }
        command.args(self.abort_at_step.iter().flat_map(|step| ["--abort-at-step", step]));
        command
            .args(self.variables.iter().flat_map(|(name, value)| ["--variable".to_owned(), format!("{name}={value}")]));
        command
            .envs(self.secrets.iter().map(|(name, value)| (format!("SPIN_VARIABLE_{}", name.to_uppercase()), value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        Ok(command)
    }

    /// Whether this end was intended: by SIGKILL, or by the abort at a failpoint.
    pub(super) fn ends(&self, status: ExitStatus) -> bool {
        let aborted = self.abort_at_step.is_some() && status.signal() == Some(Signal::ABORT.as_raw());
        aborted || status.signal() == Some(Signal::KILL.as_raw())
    }
}

impl Process {
    pub(super) async fn start(launch: &Launch) -> Result<Self> {
        let spawned = launch.command()?.spawn();
        let mut child = spawned.with_context(|| format!("starting the host {}", launch.program.display()))?;
        let stdout = child.stdout.take().context("the host has no stdout")?;
        let listening = tokio::time::timeout(START_LIMIT, listening(stdout)).await;
        let listening = listening.map_err(|_| anyhow!("it does not listen after {} s", START_LIMIT.as_secs()));
        let addresses = listening.flatten().with_context(|| {
            format!("the host does not start; the end of its log {}:\n{}", launch.log.display(), tail(&launch.log))
        })?;
        let id = child.id().unwrap_or_default();
        std::fs::write(&launch.process_id, id.to_string())
            .with_context(|| format!("writing {}", launch.process_id.display()))?;
        Ok(Self { child, addresses })
    }

    pub(super) async fn wait(&mut self) -> Result<ExitStatus> {
        self.child.wait().await.context("waiting for the host")
    }

    pub(super) fn kill(&mut self) -> Result<()> {
        self.child.start_kill().context("killing the host")
    }

    /// Sends SIGTERM, and SIGKILL when `killed` ends or if it takes longer than its drain. A host with a failpoint may
    /// still abort.
    pub(super) async fn stop(mut self, launch: &Launch, killed: impl Future<Output = ()>) -> Result<()> {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            kill_process(id, Signal::TERM).context("telling the host to stop")?;
        }
        let stopped = tokio::select! {
            stopped = tokio::time::timeout(STOP_LIMIT, self.wait()) => stopped,
            () = killed => {
                self.kill()?;
                return self.wait().await.map(drop);
            }
        };
        match stopped {
            Ok(status) => match status? {
                status if status.success() || launch.ends(status) => Ok(()),
                status => bail!("the host did not stop cleanly: {status}"),
            },
            Err(_) => {
                self.kill()?;
                bail!("the host did not stop within {} s and was killed", STOP_LIMIT.as_secs())
            }
        }
    }
}

/// Reads stdout until the host prints its addresses, and reads on so that the host never blocks on it.
async fn listening(stdout: ChildStdout) -> Result<Addresses> {
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        let Ok(said) = serde_json::from_str::<Announcement>(&line) else { continue };
        if said.event == "listening" {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            let url = |address| format!("http://{address}");
            return Ok(Addresses { http: url(said.http), gateway: url(said.gateway) });
        }
    }
    bail!("it ended before it listened")
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(20)).copied().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::Host;
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A shell script to launch in place of the host.
    fn launch(folder: &Path, script: &str) -> Launch {
        let program = folder.join("host");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = |name| folder.join(name);
        let (data, log, process_id) = (path("data"), path("log"), path(PROCESS_ID_FILE));
        let secrets = vec![("worker_token".to_owned(), "s3cret".to_owned())];
        let variables = vec![("issuer".to_owned(), "me".to_owned())];
        Launch {
            runtime_config: None,
            program,
            manifest: path("spin.toml"),
            data,
            log,
            process_id,
            abort_at_step: None,
            service_key: path("key.pem"),
            variables,
            secrets,
        }
    }

    const SERVE: &str = r#"trap 'exit 0' TERM
echo "$SPIN_VARIABLE_WORKER_TOKEN $*" >&2
echo starting
echo '{"event":"listening","http":"127.0.0.1:1","gateway":"127.0.0.1:2"}'
while :; do sleep 0.02; done"#;

    #[tokio::test]
    async fn it_is_started_with_its_variables_and_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let launch = launch(folder.path(), SERVE);
        let host = Host::start(launch.clone(), || {}).await.unwrap();
        let addresses = host.endpoint().addresses().await.unwrap();
        assert_eq!(addresses, Addresses { http: "http://127.0.0.1:1".into(), gateway: "http://127.0.0.1:2".into() });
        host.stop().await.unwrap();
        let log = std::fs::read_to_string(&launch.log).unwrap();
        assert!(log.starts_with("s3cret up --manifest ") && log.trim().ends_with("--variable issuer=me"), "{log}");
    }

    #[tokio::test]
    async fn when_killed_it_is_restarted_and_callers_wait_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let launch = launch(folder.path(), SERVE);
        let host = Host::start(launch.clone(), || {}).await.unwrap();
        let before = std::fs::read_to_string(&launch.process_id).unwrap();
        host.killer().kill().await;
        let mut waited = 0;
        while host.restarts() == 0 && waited < 500 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            waited += 1;
        }
        host.endpoint().addresses().await.unwrap();
        assert_ne!(before, std::fs::read_to_string(&launch.process_id).unwrap());
        host.stop().await.unwrap();
    }

    #[tokio::test]
    async fn after_an_abort_at_its_failpoint_it_is_restarted_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let aborts = r#"case "$*" in *"--abort-at-step delete:7"*)
            echo '{"event":"listening","http":"a","gateway":"b"}'; kill -ABRT $$;; esac"#;
        let launch = launch(folder.path(), &format!("{aborts}\n{SERVE}"));
        let host =
            Host::start(Launch { abort_at_step: Some("delete:7".to_owned()), ..launch.clone() }, || {}).await.unwrap();
        let mut waited = 0;
        while host.restarts() == 0 && waited < 500 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            waited += 1;
        }
        assert_eq!(host.endpoint().addresses().await.unwrap().http, "http://127.0.0.1:1");
        host.stop().await.unwrap();

        let untold = "echo '{\"event\":\"listening\",\"http\":\"a\",\"gateway\":\"b\"}'; kill -ABRT $$";
        std::fs::write(&launch.program, format!("#!/bin/sh\n{untold}\n")).unwrap();
        let error = Host::start(launch, || {}).await.unwrap().watcher_error().await;
        assert!(error.contains("ended by itself"), "{error}");
    }

    #[tokio::test]
    async fn a_failpoint_set_later_stops_the_host_and_is_reached_after_that() {
        let folder = tempfile::tempdir().unwrap();
        let aborts = r#"case "$*" in *"--abort-at-step commit:2"*)
            echo '{"event":"listening","http":"a","gateway":"b"}'; sleep 0.2; kill -ABRT $$;; esac"#;
        let host = Host::start(launch(folder.path(), &format!("{aborts}\n{SERVE}")), || {}).await.unwrap();
        host.arm("commit:2").await.unwrap();
        assert_eq!((host.restarts(), host.endpoint().addresses().await.unwrap().http.as_str()), (0, "http://a"));
        let mut waited = 0;
        while host.restarts() == 0 && waited < 500 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            waited += 1;
        }
        assert_eq!(host.endpoint().addresses().await.unwrap().http, "http://127.0.0.1:1");
        host.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_host_that_ends_by_itself_is_a_failure_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let error =
            Host::start(launch(folder.path(), "echo 'five diagnostics' >&2; exit 2"), || {}).await.err().unwrap();
        assert!(format!("{error:#}").contains("five diagnostics"), "{error:#}");

        let quits = "echo '{\"event\":\"listening\",\"http\":\"a\",\"gateway\":\"b\"}'; exit 3";
        let host = Host::start(launch(folder.path(), quits), || {}).await.unwrap();
        let error = host.watcher_error().await;
        assert!(error.contains("ended by itself"), "{error}");
    }
}
