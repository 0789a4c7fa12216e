//! `host-adapters up`: starts, is asked by `queues`, keeps its secrets, drains.

use super::command;
use crate::built;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

/// Longer than any drain or test takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Application variables that hold secrets, each with a value that stands for nothing else.
const SECRETS: [(&str, &str); 8] = [
    ("check_eligibility_token", "planted-6f1e-check"),
    ("enqueue_entries_token", "planted-6f1e-enqueue"),
    ("save_entries_token", "planted-6f1e-save"),
    ("worker_token", "planted-6f1e-worker"),
    ("resolver_token", "planted-6f1e-resolver"),
    ("checker_token", "planted-6f1e-checker"),
    ("seeder_token", "planted-6f1e-seeder"),
    ("operator_token", "planted-6f1e-operator"),
];
/// What a caller sends that is no token of anybody.
const GUESS: &str = "planted-6f1e-guess";

/// A host on a folder of its own; killed if a test ends early.
struct Up {
    child: Child,
    stdout: BufReader<ChildStdout>,
    http: String,
    gateway: String,
    folder: tempfile::TempDir,
}

impl Up {
    fn start(log_level: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        share_compiled(folder.path());
        let jwks = folder.path().join("jwks.json");
        std::fs::write(&jwks, r#"{"keys":[]}"#).unwrap();
        let mut command = command();
        command
            .args(["up", "--listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0", "--drain-secs", "20"])
            .arg("--data")
            .arg(folder.path())
            .env("LOG_LEVEL", log_level)
            .env("SPIN_VARIABLE_IDENTITY_JWKS", jwks)
            .envs(
                ["ENTRY", "USER", "CAMPAIGN"]
                    .map(|it| (format!("SPIN_VARIABLE_{it}_SERVICE_UPSTREAM"), "http://127.0.0.1:1")),
            )
            .envs(SECRETS.map(|(name, value)| (format!("SPIN_VARIABLE_{}", name.to_uppercase()), value)))
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("stderr")).unwrap());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(listening["event"], "listening");
        let url = |name: &str| format!("http://{}", listening[name].as_str().unwrap());
        Self { http: url("http"), gateway: url("gateway"), child, stdout, folder }
    }

    async fn post(&self, url: String, token: &str, body: Value) -> (u16, Value) {
        let response = reqwest::Client::new().post(url).bearer_auth(token).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    async fn platform(&self, function: &str, token: &str, body: Value) -> (u16, Value) {
        self.post(format!("{}/platform/{function}", self.gateway), token, body).await
    }

    async fn worker(&self, id: &str, token: &str, body: Value) -> (u16, Value) {
        self.post(format!("{}/workers/{id}", self.http), token, body).await
    }

    /// Asks the running host as an operator would.
    fn queues(&self, arguments: &[&str], token: &str) -> super::Outcome {
        super::run(&[&["queues", "--gateway", &self.gateway, "--token", token], arguments].concat())
    }

    /// SIGTERM. Answers the exit code, what was still written to stdout, and the whole log.
    fn stop(mut self) -> (i32, String, String) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
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

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Compiled components are kept from test to test, so that each host starts at once.
fn share_compiled(data: &Path) {
    let compiled = built::scratch().join("compiled-up");
    std::fs::create_dir_all(&compiled).unwrap();
    std::os::unix::fs::symlink(compiled, data.join("compiled")).unwrap();
}

#[tokio::test]
async fn it_serves_tells_its_queues_and_drains() {
    let up = Up::start("INFO");
    let ready = reqwest::get(format!("{}/readyz", up.gateway)).await.unwrap();
    assert_eq!(ready.status(), 200);
    assert_eq!(ready.json::<Value>().await.unwrap()["ready"], json!(true));

    let depths = up.queues(&["--json"], "planted-6f1e-operator");
    assert_eq!(depths.code, 0, "{depths:?}");
    let names: Vec<_> = depths.json()["queues"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    let granted = ["enqueueEntriesDlq", "retryScoreQueue", "retryScoreQueueDlq", "saveEntriesQueue"];
    assert_eq!(names[..4], granted.map(Value::from));
    assert_eq!(names.len(), 7);
    let table = up.queues(&[], "planted-6f1e-operator");
    assert!(table.stdout.contains("in flight") && table.stdout.contains("userInfoQueueDlq"), "{table:?}");

    let peek = up.queues(&["retryScoreQueueDlq", "--json"], "planted-6f1e-operator");
    assert_eq!((peek.code, peek.json()), (0, json!({"messages": []})));
    assert_eq!(up.queues(&["userInfoQueue"], "planted-6f1e-resolver").code, 1, "send is no peek");
    assert_eq!(up.queues(&[], GUESS).code, 2, "nobody's token");

    let (code, rest, log) = up.stop();
    assert_eq!((code, rest.as_str()), (0, ""), "{log}");
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!((&last["message"], &last["data"]["clean"]), (&json!("stopped"), &json!(true)), "{last}");
}

#[tokio::test]
async fn no_secret_is_in_the_log_at_any_level() {
    for level in ["INFO", "DEBUG"] {
        let up = Up::start(level);
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

/// Calls the host by every door, with right tokens and wrong ones, and has workers use theirs.
async fn use_every_secret(up: &Up) {
    let sqs = json!({"Records": [{"messageId": "m1", "body": r#"{"campaignId":"c","globalUserId":"g"}"#}]});
    let (status, answer) = up.worker("retry-score", "planted-6f1e-worker", sqs.clone()).await;
    assert_eq!((status, &answer["batchItemFailures"]), (200, &json!([{"itemIdentifier": "m1"}])));
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
    assert!(up.platform("identity/verify", "planted-6f1e-check", verify).await.1["error"].is_object());
    assert_eq!(up.queues(&[], "planted-6f1e-operator").code, 0);
    // The change is queued, and its delivery fails because no service is there: the log of that is wanted too.
    tokio::time::sleep(Duration::from_secs(3)).await;
}
