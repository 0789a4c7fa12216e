//! Objects in a folder, on the real host: each file is handed to the worker `probe`, which rejects it with the received
//! event as the reason, or does what the file's name says.

#![allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]

use host_adapters_records::objects::Put;
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;
use tempfile::TempDir;
use tests::{Child, client, programs, wait};
use tokio::process::Command;

/// A host with its own folder.
struct Host {
    child: Child,
    folder: TempDir,
}

impl Host {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("spin.toml"), include_str!("spin.toml")).unwrap();
        std::os::unix::fs::symlink(programs::guest("probe"), file("probe.wasm")).unwrap();
        Self { child: up(&folder).await, folder }
    }

    /// Kills the host; its folder stays.
    fn kill(self) -> TempDir {
        drop(self.child);
        self.folder
    }

    async fn resume(folder: TempDir) -> Self {
        Self { child: up(&folder).await, folder }
    }

    /// The objects that the worker has rejected, in order.
    fn got(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.folder.path().join("stderr")).unwrap();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let rejected = lines.filter(|line| line["message"] == "record rejected");
        rejected.map(|line| serde_json::from_str(line["data"]["reason"].as_str().unwrap()).unwrap()).collect()
    }

    /// The same once there are this many.
    async fn gets(&self, count: usize) -> Vec<Value> {
        wait::eventually(&format!("{count} objects"), async || {
            let got = self.got();
            (got.len() >= count).then_some(got)
        })
        .await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = client().post(format!("{}{path}", self.child.gateway)).bearer_auth("operator-token");
        let response = request.json(&body).send().await.unwrap();
        let status = response.status();
        let answer = response.json().await.unwrap();
        assert!(status.is_success(), "{path}: {answer}");
        answer
    }

    async fn metrics(&self) -> String {
        let response = client().get(format!("{}/metrics", self.child.gateway)).send().await.unwrap();
        response.text().await.unwrap()
    }
}

async fn up(folder: &TempDir) -> Child {
    let file = |name: &str| folder.path().join(name);
    let mut command = Command::new(programs::host_adapters());
    command.env("LOG_LEVEL", "INFO");
    let log = File::options().create(true).append(true).open(file("stderr")).unwrap();
    Child::run(&mut command, &file("spin.toml"), &file("data"), log.into()).await
}

/// As another program puts a file.
fn rename_in(folder: &TempDir, key: &str, content: &str) {
    let elsewhere = folder.path().join("elsewhere");
    std::fs::write(&elsewhere, content).unwrap();
    std::fs::rename(elsewhere, file(folder, key)).unwrap();
}

fn file(folder: &TempDir, key: &str) -> PathBuf {
    folder.path().join("data/objects/scoring").join(key.replace('%', "%25").replace('/', "%2F"))
}

fn keys(got: &[Value]) -> Vec<&str> {
    got.iter().map(|object| object["key"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d15_7__files_are_events_also_those_that_came_while_no_host_ran() {
    let host = Host::start().await;
    for (key, content) in [("in/other.txt", ""), ("out/a.csv", ""), ("in/Ü 1+%2F.csv", "rows")] {
        rename_in(&host.folder, key, content);
    }
    let object = host.gets(1).await.remove(0);
    let expected = [
        ("bucket", json!("scoring")),
        ("key", json!("in/Ü 1+%2F.csv")),
        ("size", json!(4)),
        ("eventName", json!("ObjectCreated:Put")),
    ];
    for (name, value) in expected {
        assert_eq!(object[name], value, "{object}");
    }
    let put = Put { bucket: "scoring".into(), key: "in/put.csv".into(), content: b"more".to_vec() };
    let answer = host.post("/platform/objects/put", json!(put)).await;
    let object = host.gets(2).await.remove(1);
    assert_eq!((&object["key"], &object["etag"]), (&json!("in/put.csv"), &answer["Ok"]), "{answer}");

    let folder = host.kill();
    rename_in(&folder, "in/meanwhile.csv", "rows");
    rename_in(&folder, "in/put.csv", "replaced");
    let host = Host::resume(folder).await;
    let mut got = host.gets(4).await.split_off(2);
    got.sort_by_key(|object| object["key"].to_string());
    assert_eq!(keys(&got), ["in/meanwhile.csv", "in/put.csv"]);
    assert!(got[1]["sequencer"].as_str() > object["sequencer"].as_str(), "{got:?}");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(host.got().len(), 4, "nothing is told twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d15_2__a_host_that_is_killed_gets_its_object_again() {
    let host = Host::start().await;
    rename_in(&host.folder, r#"in/{"do":"wait","ms":600000}.csv"#, "rows");
    let in_flight = r#"registration_in_flight{worker="probe",source="s3:scoring"} 1"#;
    let is_in_flight = async |host: &Host| host.metrics().await.contains(in_flight).then_some(());
    wait::eventually("the call", async || is_in_flight(&host).await).await;
    let host = Host::resume(host.kill()).await;
    wait::eventually("the next call", async || is_in_flight(&host).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d15_8__the_dead_letter_of_an_object_is_redriven() {
    let host = Host::start().await;
    rename_in(&host.folder, "in/a.csv", "rows");
    let first = host.gets(1).await.remove(0);
    let dead_letter = wait::eventually("the dead letter", async || {
        let page = host.post("/operator/dead-letters/list", json!({"queue": "probeQueueDlq"})).await;
        page["Ok"]["dead_letters"].get(0).cloned()
    })
    .await;
    assert_eq!(
        (&dead_letter["source"], &dead_letter["worker"]),
        (&json!("s3:scoring"), &json!("probe")),
        "{dead_letter}"
    );
    let redriven = host
        .post("/operator/dead-letters/redrive", json!({"queue": "probeQueueDlq", "ids": [dead_letter["id"]]}))
        .await;
    let again = host.gets(2).await.remove(1);
    assert_eq!(again, first, "{redriven}");
}
