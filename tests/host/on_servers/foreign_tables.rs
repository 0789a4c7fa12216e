//! Case 05: tables that others made for their own purposes. Each command refuses them by name, and so does a host whose
//! table is exchanged while it runs.

use crate::backends::on_servers::config::{self, SECRET};
use crate::backends::on_servers::foreign_tables::make;
use crate::backends::on_servers::servers::{endpoints, unique};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ScalarAttributeType::{self, N, S};
use aws_sdk_dynamodb::types::{AttributeValue, StreamViewType};
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tests::aws::aws;
use tests::{Child, WORKER_TOKEN, client, programs, wait};
use tokio::process::Command;

const TABLE: &str = "demand-table";
/// Longer than any of the commands takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a command to its end. Returns the exit code and all that it printed.
async fn run(config: &Path, command: &str, options: &[&str]) -> (i32, String) {
    let mut process = Command::new(programs::host_adapters());
    process.arg(command).args(options).arg("--runtime-config").arg(config).env(SECRET.0, SECRET.1);
    let output = process.current_dir(programs::project()).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output).await.unwrap_or_else(|_| panic!("{command} runs on")).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

#[tokio::test]
async fn case_05_every_command_refuses_tables_made_by_others_by_name() {
    let at = endpoints().await;
    let client = Client::new(aws(&at.dynamodb).await.sdk());
    let ours = [("pk", S), ("sk", S)];
    for (keys, view, problem) in [
        (&[("id", S)][..], StreamViewType::NewAndOldImages, "its key is `id` of type S"),
        (&[("pk", S), ("sk", N)], StreamViewType::NewAndOldImages, "`sk` of type N"),
        (&ours, StreamViewType::KeysOnly, "its stream shows KEYS_ONLY"),
    ] {
        let (prefix, folder) = (unique(), tempfile::tempdir().unwrap());
        make(&client, &format!("{prefix}{TABLE}"), keys, Some(view)).await;
        let config = config::write(folder.path(), "runtime-config", at, &prefix);
        let data = folder.path().to_str().unwrap();
        let up = ["--listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0", "--data", data];
        for (command, options, code) in [("validate", &["--probe"][..], 1), ("provision", &[], 2), ("up", &up, 2)] {
            let (ended, said) = run(&config, command, options).await;
            assert_eq!(ended, code, "{command}, {problem}: {said}");
            let line = said.lines().find(|line| line.contains(problem)).unwrap_or_else(|| panic!("{command}: {said}"));
            assert!(line.contains(&format!("{prefix}{TABLE}: ")), "{command} names the table: {line}");
            assert!(!said.contains("\"listening\""), "{command}: {said}");
        }
    }
}

/// Why the source of the table is paused.
async fn paused(host: &Child) -> Option<String> {
    let ready: Value = client().get(format!("{}/readyz", host.gateway)).send().await.unwrap().json().await.unwrap();
    let source = ready["sources"].as_array().unwrap().iter().find(|source| source["worker"] == "enqueue-entries");
    source.unwrap()["paused"]["reason"].as_str().map(str::to_owned)
}

async fn remake(client: &Client, table: &str, keys: &[(&str, ScalarAttributeType)]) {
    client.delete_table().table_name(table).send().await.unwrap();
    wait::eventually("the table's end", async || {
        client.describe_table().table_name(table).send().await.err().map(drop)
    })
    .await;
    make(client, table, keys, Some(StreamViewType::NewAndOldImages)).await;
}

#[tokio::test]
async fn case_05_a_table_that_is_exchanged_under_a_running_host_pauses_its_source_by_name() {
    let at = endpoints().await;
    let (prefix, folder) = (unique(), tempfile::tempdir().unwrap());
    let config = config::write(folder.path(), "runtime-config", at, &prefix);
    let (code, said) = run(&config, "provision", &[]).await;
    assert_eq!(code, 0, "{said}");
    let environment = [("HOST_ADAPTERS_RUNTIME_CONFIG", config.to_str().unwrap()), SECRET];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let variables = [("worker_token".to_owned(), WORKER_TOKEN.to_owned())].into();
    let log = File::create(folder.path().join("log")).unwrap();
    let manifest = programs::project().join("spin.toml");
    let host = Child::of(&manifest, folder.path(), &variables, &environment, log.into()).await;

    let (dynamodb, table) = (Client::new(aws(&at.dynamodb).await.sdk()), format!("{prefix}{TABLE}"));
    remake(&dynamodb, &table, &[("id", S)]).await;
    dynamodb.put_item().table_name(&table).item("id", AttributeValue::S("1".into())).send().await.unwrap();
    let named = format!("{table}: its key is `id` of type S");
    wait::eventually("the refusal", async || paused(&host).await.filter(|reason| reason.contains(&named))).await;

    // Once it is as it has to be, the source continues by itself.
    remake(&dynamodb, &table, &[("pk", S), ("sk", S)]).await;
    wait::eventually("the end of the pause", async || paused(&host).await.is_none().then_some(())).await;
}
