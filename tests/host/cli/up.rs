//! `host-adapters up`: it starts, answers `queues`, keeps its secrets, drains.

use super::command;
use host_adapters_runtime::identity::marked;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tests::components::{component, stamped};
use tests::workers;
use tests::{programs, wait};
use toml_edit::DocumentMut;

/// Longer than any drain or test takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A value for each secret of spin.toml that occurs nowhere else: `planted-6f1e-worker` for `worker_token`.
fn secrets() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(programs::project().join("spin.toml")).unwrap();
    let manifest: DocumentMut = text.parse().unwrap();
    let variables = manifest["variables"].as_table().unwrap().iter();
    let secret = variables.filter(|(_, it)| it.get("secret").and_then(toml_edit::Item::as_bool) == Some(true));
    let value = |name: &str| match name {
        "slack_webhook_url" => "http://127.0.0.1:1/planted-6f1e-slack".to_owned(),
        _ => format!("planted-6f1e-{}", name.trim_end_matches("_token").replace('_', "-")),
    };
    let secrets: Vec<_> = secret.map(|(name, _)| (name.to_owned(), value(name))).collect();
    assert!(secrets.len() > 5, "{secrets:?}");
    secrets
}

/// A token that belongs to no caller.
const GUESS: &str = "planted-6f1e-guess";

/// A host with its own folder. It is killed if a test ends early.
pub(super) struct Up {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(super) http: String,
    pub(super) gateway: String,
    pub(super) folder: tempfile::TempDir,
}

impl Up {
    pub(super) fn start(log_level: &str) -> Self {
        Self::start_with(log_level, |_, _| ())
    }

    /// Starts the host with a changed command; `change` also gets the host's folder.
    pub(super) fn start_with(log_level: &str, change: impl FnOnce(&mut Command, &Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        programs::make_data(folder.path());
        Self::start_in(folder, log_level, change)
    }

    /// Starts the host on a folder that an earlier one may have left.
    pub(super) fn start_in(
        folder: tempfile::TempDir,
        log_level: &str,
        change: impl FnOnce(&mut Command, &Path),
    ) -> Self {
        let (child, stdout, line) = spawn(folder.path(), log_level, change);
        let listening: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(listening["event"], "listening");
        let url = |name: &str| format!("http://{}", listening[name].as_str().unwrap());
        Self { http: url("http"), gateway: url("gateway"), child, stdout, folder }
    }

    async fn post(&self, url: String, token: &str, body: Value) -> (u16, Value) {
        let response = reqwest::Client::new().post(url).bearer_auth(token).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    pub(super) async fn platform(&self, function: &str, token: &str, body: Value) -> (u16, Value) {
        self.post(format!("{}/platform/{function}", self.gateway), token, body).await
    }

    pub(super) async fn worker(&self, id: &str, token: &str, body: Value) -> (u16, Value) {
        self.post(format!("{}/workers/{id}", self.http), token, body).await
    }

    /// Runs `queues` against the host.
    fn queues(&self, arguments: &[&str], token: &str) -> super::Outcome {
        super::run(&[&["queues", "--gateway", &self.gateway, "--token", token], arguments].concat())
    }

    /// Runs another command against the host.
    pub(super) fn ask(&self, arguments: &[&str], token: &str) -> super::Outcome {
        super::run(&[arguments, &["--gateway", &self.gateway, "--token", token]].concat())
    }

    /// Sends SIGTERM. Returns the exit code, the rest of stdout, and the whole log.
    pub(super) fn stop(&mut self) -> (i32, String, String) {
        self.signal(Signal::TERM);
        self.ended()
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end. Returns the exit code, the rest of stdout, and the whole log.
    pub(super) fn ended(&mut self) -> (i32, String, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "it does not drain"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let log = std::fs::read_to_string(self.folder.path().join("stderr")).unwrap();
        (status.code().unwrap(), rest, log)
    }
}

/// Starts a host that must not serve: returns its exit code and its log.
pub(super) fn refused(change: impl FnOnce(&mut Command, &Path)) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    programs::make_data(folder.path());
    let (mut child, _stdout, line) = spawn(folder.path(), "ERROR", change);
    // Without a line the host has ended.
    if !line.is_empty() {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    assert_eq!(line, "", "it serves");
    (status.code().unwrap(), std::fs::read_to_string(folder.path().join("stderr")).unwrap())
}

/// Runs `up` on a folder; also returns its first line on stdout, once there is one or it has ended.
fn spawn(
    folder: &Path,
    log_level: &str,
    change: impl FnOnce(&mut Command, &Path),
) -> (Child, BufReader<ChildStdout>, String) {
    let jwks = folder.join("jwks.json");
    std::fs::write(&jwks, r#"{"keys":[]}"#).unwrap();
    let mut command = command();
    command
        .args(["up", "--listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0"])
        .arg("--data")
        .arg(folder)
        .env("LOG_LEVEL", log_level)
        .env("SPIN_VARIABLE_IDENTITY_JWKS", jwks)
        .envs(
            ["ENTRY", "USER", "CAMPAIGN"]
                .map(|it| (format!("SPIN_VARIABLE_{it}_SERVICE_UPSTREAM"), "http://127.0.0.1:1")),
        )
        .envs(secrets().into_iter().map(|(name, value)| (format!("SPIN_VARIABLE_{}", name.to_uppercase()), value)))
        .stdout(Stdio::piped())
        .stderr(File::create(folder.join("stderr")).unwrap());
    change(&mut command, folder);
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    (child, stdout, line)
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn it_serves_shows_its_queues_and_drains() {
    let mut up = Up::start("INFO");
    let ready = reqwest::get(format!("{}/readyz", up.gateway)).await.unwrap();
    assert_eq!(ready.status(), 200);
    assert_eq!(ready.json::<Value>().await.unwrap()["ready"], json!(true));

    let depths = up.queues(&["--json"], "planted-6f1e-operator");
    assert_eq!(depths.code, 0, "{depths:?}");
    let names: Vec<_> = depths.json()["queues"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    let app = workers::app();
    let declared: Vec<_> = app.host.declared.queues.keys().map(|name| json!(name)).collect();
    assert!(names == declared && declared.contains(&json!("enqueueEntriesDlq")), "{names:?}");
    let table = up.queues(&[], "planted-6f1e-operator");
    assert!(table.stdout.contains("in flight") && table.stdout.contains("userInfoQueueDlq"), "{table:?}");

    let peek = up.queues(&["retryScoreQueueDlq", "--json"], "planted-6f1e-operator");
    assert_eq!((peek.code, peek.json()), (0, json!({"messages": []})));
    assert_eq!(up.queues(&["userInfoQueue"], "planted-6f1e-resolver").code, 1, "send does not include peek");
    assert_eq!(up.queues(&[], GUESS).code, 2, "nobody's token");

    let (code, rest, log) = up.stop();
    assert_eq!((code, rest.as_str()), (0, ""), "{log}");
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!((&last["message"], &last["data"]["clean"]), (&json!("stopped"), &json!(true)), "{last}");
}

#[test]
fn operators_swap_workers_and_see_their_versions() {
    let mut up = Up::start("INFO");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.wasm");
    std::fs::write(&file, stamped(&component("retry-score"), "swapped by an operator")).unwrap();
    let (file, operator) = (file.to_str().unwrap(), "planted-6f1e-operator");

    let swapped = up.ask(&["swap", "retryScore", file, "--json"], operator);
    assert_eq!((swapped.code, &swapped.json()["worker"]), (0, &json!("retry-score")), "{swapped:?}");
    let digest = swapped.json()["digest"].as_str().unwrap().to_owned();
    let again = up.ask(&["swap", "retry-score", file], operator);
    assert_eq!((again.code, again.stdout), (0, format!("retry-score: {} serves already\n", &digest[..12])));
    let versions = up.ask(&["versions", "--json"], operator).json();
    let versions = versions["versions"].as_array().unwrap();
    let serving: Vec<_> = versions.iter().map(|version| version["worker"].as_str().unwrap()).collect();
    let app = workers::app();
    assert!(serving.iter().eq(workers::of(&app).map(|worker| &worker.id)), "{serving:?}");
    let swapped = versions.iter().find(|version| version["worker"] == "retry-score").unwrap();
    assert_eq!(swapped["digest"], digest.as_str());
    let table = up.ask(&["versions"], operator).stdout;
    assert!(table.contains("old calls") && table.contains(&digest[..12]), "{table}");

    let whole = programs::component("save-entries");
    let anothers = up.ask(&["swap", "retry-score", whole.to_str().unwrap()], operator);
    assert_eq!((anothers.code, anothers.stdout.as_str()), (1, ""));
    assert!(anothers.stderr.contains("is the component save-entries, not retry-score"), "{anothers:?}");
    let named = folder.path().join("named.wasm");
    std::fs::write(&named, marked(component("save-entries"), "retry-score")).unwrap();
    let refused = up.ask(&["swap", "retry-score", named.to_str().unwrap()], operator);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("imports registration:platform/table@1.0.0"), "{refused:?}");
    assert_eq!(up.ask(&["swap", "nope", file], operator).code, 2, "there is no such worker");
    assert_eq!(up.ask(&["swap", "retry-score", file], "planted-6f1e-checker").code, 1, "not granted");
    assert_eq!(up.ask(&["versions"], GUESS).code, 2, "nobody's token");
    assert_eq!(up.ask(&["swap", "retry-score", "no-such.wasm"], operator).code, 2);
    let (_, _, log) = up.stop();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let line = lines.into_iter().find(|line| line["data"]["digest"] == digest.as_str()).unwrap();
    assert_eq!((&line["message"], &line["data"]["cached"]), (&json!("component serves"), &json!(true)), "{line}");
}

/// A taken port is said before components are loaded, which may take minutes, and before the store is opened.
#[test]
fn a_taken_address_is_said_first_with_the_option_that_chooses_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let other = "127.0.0.1:0";
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for command in ["up", "dev"] {
        for (http, gateway, said) in [
            (
                address.as_str(),
                other,
                format!("cannot listen on {address}, which --listen chooses: Address already in use"),
            ),
            (other, address.as_str(), format!("cannot listen on {address}, which --gateway-listen chooses: ")),
            ("127.0.0.1:1234", "127.0.0.1:1234", "both choose 127.0.0.1:1234; choose two addresses".to_owned()),
        ] {
            let arguments = [command, "--listen", http, "--gateway-listen", gateway, "--data", data.to_str().unwrap()];
            let outcome = super::run(&arguments);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{outcome:?}");
            assert!(outcome.stderr.contains(&said), "{said}: {outcome:?}");
            assert!(!data.exists(), "{outcome:?}");
        }
    }
}

#[test]
fn a_file_of_keys_that_is_not_there_is_said_at_the_start() {
    let mut up = Up::start_with("INFO", |command, folder| {
        command.env("SPIN_VARIABLE_IDENTITY_JWKS", folder.join("no-such-jwks.json"));
    });
    let (code, _, log) = up.stop();
    let line = log.lines().find(|line| line.contains("no-such-jwks.json")).unwrap_or_else(|| panic!("{log}"));
    assert!(code == 0 && line.contains("no token is accepted") && line.contains(r#""level":"WARN""#), "{line}");
}

/// Lines about calls and their services. Each must name the version that was called.
const ABOUT_CALLS: [&str; 2] = ["service call is tried again", "service call failed"];

#[tokio::test]
async fn every_line_about_a_call_names_the_version() {
    let mut up = Up::start("INFO");
    use_every_secret(&up).await;
    let (_, _, log) = up.stop();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let guests = lines.iter().filter(|line| line["tag"].as_str().unwrap().starts_with("registration:apps:"));
    let mut digests: Vec<_> = guests.map(|line| &line["digest"]).collect();
    assert!(!digests.is_empty(), "{log}");
    for message in ABOUT_CALLS {
        let about = lines.iter().filter(|line| line["message"] == message && line["data"]["worker"].is_string());
        let before = digests.len();
        digests.extend(about.map(|line| &line["data"]["digest"]));
        assert!(digests.len() > before, "no line says {message:?}: {log}");
    }
    assert!(digests.iter().all(|digest| digest.as_str().is_some_and(|it| it.len() == 64)), "{digests:?}: {log}");
}

#[tokio::test]
async fn no_secret_is_in_the_log_at_any_level() {
    for level in ["INFO", "DEBUG"] {
        let mut up = Up::start(level);
        use_every_secret(&up).await;
        let (code, rest, log) = up.stop();
        assert_eq!((code, rest.as_str()), (0, ""), "{log}");
        assert!(log.lines().count() > 5, "{log}");
        for line in log.lines() {
            assert!(serde_json::from_str::<Value>(line).is_ok(), "{level}: {line}");
            assert!(!line.contains("planted-6f1e"), "{level}: {line}");
            assert!(!line.contains("Bearer"), "{level}: {line}");
        }
    }
}

/// Calls every endpoint of the host, with right tokens and wrong ones, and makes workers use theirs.
async fn use_every_secret(up: &Up) {
    let sqs = json!({"Records": [{"messageId": "m1", "body": r#"{"campaignId":"c","globalUserId":"g"}"#}]});
    let (status, answer) = up.worker("retry-score", "planted-6f1e-worker", sqs.clone()).await;
    assert_eq!((status, &answer["batchItemFailures"][0]["itemIdentifier"]), (200, &json!("m1")));
    assert_eq!(answer["batchItemFailures"].as_array().map(Vec::len), Some(1));
    assert_eq!(up.worker("retry-score", GUESS, sqs).await.0, 401);
    let registration = json!({"body": {"slug": "s", "entry": {}, "userInfo": {"globalUserId": "g"}}});
    assert_eq!(up.worker("check-eligibility", GUESS, registration).await.0, 401);

    let item = json!({"pk": "CAMPAIGN#c", "sk": "USER#g", "campaignId": "c", "globalUserId": "g", "fields": "{}",
        "needsReplication": true, "date": {"updated": "2024-01-15T10:30:00.000Z", "fanModified": "2024-01-15T10:30:00.000Z"}});
    let put = json!({"table": "demand-table", "puts": [item.to_string()], "deletes": []});
    for (token, status) in [(GUESS, 401), ("planted-6f1e-resolver", 200), ("planted-6f1e-checker", 200)] {
        assert_eq!(up.platform("table/batch-write", token, put.clone()).await.0, status, "{token}");
    }
    let verify = json!({"token": GUESS});
    assert!(up.platform("identity/verify", "planted-6f1e-check-eligibility", verify).await.1["Err"].is_object());
    assert_eq!(up.queues(&[], "planted-6f1e-operator").code, 0);
    // The change is queued, and its delivery fails because no service runs. The test needs the log of that too.
    let log = up.folder.path().join("stderr");
    let is_about = |line: &str| line.contains("circuit breaker opened") && line.contains("sqs:saveEntriesQueue");
    wait::eventually("the outage in the log", async || {
        std::fs::read_to_string(&log).unwrap().lines().any(is_about).then_some(())
    })
    .await;
}
