//! A host with the worker `errand`, which does tasks as their inputs say.

use reqwest::{Method, RequestBuilder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::path::PathBuf;
use tempfile::TempDir;
use tests::{Child, client, programs, wait};
use tokio::process::Command;

pub const OPERATOR: &str = "operator-token";
pub const OUTSIDER: &str = "outsider-token";
/// Nothing listens here.
pub const NOWHERE: &str = "http://127.0.0.1:1";
/// What is tried again waits a tenth of what it does otherwise.
const SHORT_WAITS: &str = "--shortest-wait-ms 100";

/// The running host.
pub struct Errands {
    pub child: Child,
    pub http: reqwest::Client,
    upstream: String,
    folder: TempDir,
}

impl Errands {
    pub async fn start() -> Self {
        Self::with_upstream(NOWHERE).await
    }

    /// Starts the host with the service `upstream` at an address.
    pub async fn with_upstream(upstream: &str) -> Self {
        Self::with(upstream, SHORT_WAITS).await
    }

    /// Starts a host with the usual waits, which are long enough to be seen.
    pub async fn with_usual_waits(upstream: &str) -> Self {
        Self::with(upstream, "").await
    }

    /// Starts a host that aborts at a durable step.
    pub async fn that_aborts_at(step: &str) -> Self {
        Self::with(NOWHERE, &format!("{SHORT_WAITS} --abort-at-step {step}")).await
    }

    async fn with(upstream: &str, options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("spin.toml"), include_str!("spin.toml")).unwrap();
        std::os::unix::fs::symlink(programs::guest("errand"), file("errand.wasm")).unwrap();
        let compiled = programs::scratch().join("compiled-errand");
        std::fs::create_dir_all(&compiled).unwrap();
        std::fs::create_dir(file("data")).unwrap();
        std::os::unix::fs::symlink(compiled, file("data/compiled")).unwrap();
        let child = up(&folder, upstream, options).await;
        Self { child, http: client(), upstream: upstream.to_owned(), folder }
    }

    /// Kills the host, and starts it on the same data.
    pub async fn kill_and_start(self) -> Self {
        let Self { child, http, upstream, folder } = self;
        drop(child);
        let child = up(&folder, &upstream, SHORT_WAITS).await;
        Self { child, http, upstream, folder }
    }

    /// Begins to drain the host.
    pub async fn drain(&self) {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        self.logs("draining", 1).await;
    }

    /// Starts the host on the same data once its drain has ended.
    pub async fn start_after_drain(self) -> Self {
        self.logs("stopped", 1).await;
        self.kill_and_start().await
    }

    /// Waits until the log has so many lines with this message.
    pub async fn logs(&self, message: &str, count: usize) {
        let line = format!(r#""message":"{message}""#);
        let has_all = async || (self.log().matches(&line).count() >= count).then_some(());
        wait::eventually(&format!("{count} lines with {line}"), has_all).await;
    }

    /// The host's log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap()
    }

    /// A request to the gateway below `/tasks/`.
    pub fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/tasks/{path}", self.child.gateway)).bearer_auth(token)
    }

    /// The status and the body of a response to the operator.
    pub async fn ask(&self, method: Method, path: &str, body: &str) -> (u16, Value) {
        answer(self.request(method, path, OPERATOR).body(body.to_owned())).await
    }

    /// Starts a new execution.
    pub async fn begin(&self, name: &str, input: &str) -> Value {
        let (status, execution) = self.ask(Method::POST, &format!("errand/{name}"), input).await;
        assert_eq!(status, 201, "{execution}");
        execution
    }

    pub async fn show(&self, name: &str) -> Value {
        let (status, execution) = self.ask(Method::GET, &format!("errand/{name}"), "").await;
        assert_eq!(status, 200, "{execution}");
        execution
    }

    /// The execution, once it is in this state.
    pub async fn becomes(&self, name: &str, state: &str) -> Value {
        wait::eventually(&format!("{name} {state}"), async || {
            let execution = self.show(name).await;
            let ended = ["succeeded", "failed", "stopped"].contains(&execution["state"].as_str().unwrap());
            assert!(!ended || execution["state"] == state, "{execution}");
            (execution["state"] == state).then_some(execution)
        })
        .await
    }

    /// Waits until an execution has been started by somebody else and its worker is called.
    pub async fn begins(&self, name: &str) {
        wait::eventually(&format!("{name} begins"), async || {
            let (status, execution) = self.ask(Method::GET, &format!("errand/{name}"), "").await;
            (status == 200 && execution["attempts"] != 0).then_some(())
        })
        .await;
    }

    /// The file of `upstream` and others is in here.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub async fn metrics(&self) -> String {
        let response = self.http.get(format!("{}/metrics", self.child.gateway)).send().await.unwrap();
        response.text().await.unwrap()
    }

    pub async fn ready(&self) -> Value {
        let response = self.http.get(format!("{}/readyz", self.child.gateway)).send().await.unwrap();
        response.json().await.unwrap()
    }
}

pub async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
}

/// `up`, with a drain that is short, and long enough for a machine that stalls to end a call.
async fn up(folder: &TempDir, upstream: &str, options: &str) -> Child {
    let file = |name: &str| folder.path().join(name);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$0\" \"$@\" --drain-secs 5 {options}")]).arg(programs::host_adapters());
    command.env("SPIN_VARIABLE_UPSTREAM", upstream).env("LOG_LEVEL", "INFO");
    let log = File::options().create(true).append(true).open(file("stderr")).unwrap();
    Child::run(&mut command, &file("spin.toml"), &file("data"), log.into()).await
}
