//! `host-adapters dead-letters` and `invoke --dead-letter`: from the dead letters of a faulty worker to the success of
//! its successor.

use super::{Outcome, run, run_with_input};
use host_adapters::manifest::{App, SourceConfig};
use host_adapters_platform::{Access, DataStreamAccess, ObjectAccess};
use host_adapters_records::data_streams::{DataRecord, PutRecords};
use serde_json::{Value, json};
use std::path::PathBuf;
use tests::contract::suites::attempts::incompressible;
use tests::programs;
use tests::{OPERATOR_TOKEN, TESTER_TOKEN, TestHost, wait};

const WORKER: &str = "upsert-users";
const QUEUE: &str = "userInfoQueue";
const DEAD: &str = "userInfoQueueDlq";
const FANS: [&str; 3] = ["fan-1", "fan-2", "fan-3"];

/// Puts the probe in the worker's place: it understands no message of the queue, and gives each up at once.
fn faulty(app: &mut App) {
    let component = app.components.get_mut(WORKER).unwrap();
    component.source = programs::guest_as("probe", WORKER);
    component.grants.tables.insert("demand-table".to_owned(), Access::Read);
    component.grants.documents.insert("campaigns".to_owned(), Access::Read);
    component.grants.objects.insert("unused".to_owned(), ObjectAccess::default());
    component.grants.data_streams.insert("unused".to_owned(), DataStreamAccess::Put);
    component.grants.topics.insert("unused".to_owned());
    for source in &mut component.sources {
        if let SourceConfig::Sqs(config) = source {
            config.max_attempts = 1;
            // A batch that fails for good is halved, and its messages are handed over again.
            config.batch_size = 1;
        }
    }
}

/// spin.toml with the same fault, for commands that load only that worker.
fn faulty_manifest(folder: &tempfile::TempDir) -> String {
    let text = std::fs::read_to_string(programs::project().join("spin.toml")).unwrap();
    let components = programs::project().join("target/components").display().to_string();
    let text = text.replace("\"target/components", &format!("\"{components}"));
    let probe = programs::guest_as("probe", WORKER).display().to_string();
    let text = text.replace(&format!("{components}/{WORKER}.wasm"), &probe);
    let (own, granted) =
        (r#"grants = { services = ["user"] }"#, r#"services = ["user"], tables = { demand-table = "read" }"#);
    assert_eq!(text.matches(own).count(), 1, "{WORKER} has these grants, and no other component");
    let others =
        r#"objects = { "scoring-bucket" = ["read"] }, data_streams = { scoresStream = "put" }, topics = ["unused"]"#;
    let streams = "[application.tool.host-adapters.data_streams]";
    assert_eq!(text.matches(streams).count(), 1);
    let text = text.replace(streams, &format!("[application.tool.host-adapters.topics.unused]\n\n{streams}"));
    let text =
        text.replace(own, &format!(r#"grants = {{ {granted}, documents = {{ campaigns = "read" }}, {others} }}"#));
    let path = folder.path().join("spin.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn profile(fan: &str) -> String {
    json!({"globalUserId": fan, "email": "fan@example.com"}).to_string()
}

/// A host whose worker has given up three records.
async fn with_dead_letters() -> TestHost {
    let host = TestHost::with(faulty).await;
    host.queue(QUEUE, &FANS.map(profile)).await;
    wait::eventually("three dead letters", async || (host.depth(DEAD).await == 3).then_some(())).await;
    host
}

/// Runs a command as an operator.
fn ask(host: &TestHost, token: &str, arguments: &[&str]) -> Outcome {
    let gateway = format!("http://{}", host.running().addresses.gateway);
    run(&[arguments, &["--gateway", &gateway, "--token", token]].concat())
}

fn operator(host: &TestHost, arguments: &[&str]) -> Outcome {
    ask(host, OPERATOR_TOKEN, arguments)
}

fn groups(host: &TestHost) -> Vec<Value> {
    let listed = operator(host, &["dead-letters", "list", "--json"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    listed.json()["groups"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_found_fixed_tested_swapped_and_its_records_redriven() {
    let host = with_dead_letters().await;
    let groups = groups(&host);
    let [group] = groups.as_slice() else { panic!("{groups:?}") };
    assert_eq!((&group["queue"], &group["worker"], &group["count"]), (&json!(DEAD), &json!(WORKER), &json!(3)));
    assert!(group["reason"].as_str().unwrap().contains("missing field `do`"), "{group}");
    let digest = group["digest"].as_str().unwrap();
    assert_eq!(digest.len(), 64, "{group}");
    let table = operator(&host, &["dead-letters", "list", "--queue", DEAD]);
    assert!(table.stdout.contains(&digest[..12]) && table.stdout.contains("missing field `do`"), "{table:?}");

    let id = group["example"].as_str().unwrap();
    let shown = operator(&host, &["dead-letters", "show", id, "--json"]);
    let dead_letter = shown.json();
    assert_eq!((&dead_letter["source"], &dead_letter["attempts"]), (&json!("sqs:userInfoQueue"), &json!(1)));
    assert!(FANS.map(profile).contains(&dead_letter["body"].as_str().unwrap().to_owned()), "{dead_letter}");
    assert!(dead_letter["firstMs"].as_u64() <= dead_letter["lastMs"].as_u64(), "{dead_letter}");

    try_candidate(&host, id, &shown.stdout);

    let candidate = programs::component(WORKER).display().to_string();
    let swapped = operator(&host, &["swap", "upsertUsers", &candidate]);
    assert_eq!(swapped.code, 0, "{swapped:?}");
    let redriven = operator(&host, &["dead-letters", "redrive", "--worker", "upsertUsers", "--digest", &digest[..12]]);
    assert_eq!((redriven.code, redriven.stdout.trim()), (0, "3 redriven"), "{redriven:?}");
    for fan in FANS {
        wait::eventually(fan, async || host.profile(fan).await.is_object().then_some(())).await;
    }
    host.drained(QUEUE).await;
    assert_eq!(host.depth(DEAD).await, 0);
    let again = operator(&host, &["dead-letters", "redrive", "--all"]);
    assert_eq!((again.code, again.stdout.trim()), (0, "no dead letters"));
}

/// Offline, the dead letter fails with the worker that gave it up, and succeeds with its replacement.
fn try_candidate(host: &TestHost, id: &str, dead_letter: &str) {
    let folder = tempfile::tempdir().unwrap();
    let manifest = faulty_manifest(&folder);
    let upstream = format!("user_service_upstream={}", host.fakes.url(fake_services::Service::User));
    let gateway = format!("http://{}", host.running().addresses.gateway);
    let by_id = ["--dead-letter", id, "--gateway", &gateway, "--operator-token", OPERATOR_TOKEN];
    let common = ["invoke", "--manifest", &manifest, "--variable", &upstream];
    let old = run(&[&common[..], &by_id].concat());
    assert_eq!((old.code, old.json()["batchItemFailures"].as_array().unwrap().len()), (1, 1), "{old:?}");
    assert!(old.stderr.contains("missing field `do`"), "{old:?}");

    let candidate = programs::component(WORKER).display().to_string();
    let new = run_with_input(&[&common[..], &["--dead-letter", "-", "--component", &candidate]].concat(), dead_letter);
    let done = json!({"received": 1, "processed": 1, "failed": 0, "rejected": 0});
    assert_eq!((new.code, new.json()["count"].clone()), (0, done), "{new:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_dropped_only_with_yes() {
    let host = with_dead_letters().await;
    let id = groups(&host)[0]["example"].as_str().unwrap().to_owned();
    for (arguments, code, said) in [
        (vec!["drop", "--all"], 2, "say --yes to drop these 3"),
        (vec!["drop", "no-such-id", "--yes"], 1, "there is no dead letter `no-such-id`"),
        (vec!["redrive", &id, "no-such-id"], 1, "nothing was done"),
        (vec!["show", "no-such-id"], 1, "there is no dead letter `no-such-id`"),
        (vec!["redrive"], 2, "--help"),
        (vec!["drop", "--yes", "--reason", ""], 2, "--help"),
        (vec!["redrive", "--digest", ""], 2, "--help"),
        (vec!["redrive", &id, "--all"], 2, "--help"),
    ] {
        let outcome = operator(&host, &[vec!["dead-letters"], arguments.clone()].concat());
        assert_eq!(outcome.code, code, "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains(said), "{arguments:?}: {outcome:?}");
    }
    assert_eq!(host.depth(DEAD).await, 3);
    let one = operator(&host, &["dead-letters", "drop", &id, "--yes"]);
    assert_eq!((one.code, one.stdout.trim()), (0, "1 dropped"), "{one:?}");
    assert_eq!(groups(&host)[0]["count"], json!(2));
}

/// A dead letter is a message of its queue: fans' data, of which an operator asks for all only when it is needed.
#[tokio::test(flavor = "multi_thread")]
async fn queues_shows_the_beginnings_of_messages_and_all_of_them_with_full() {
    let host = TestHost::with(|app| app.components.get_mut(WORKER).unwrap().sources.clear()).await;
    let end = "the end of the message";
    let body = json!({"aFan": "fan-1", "email": "x".repeat(300), "last": end}).to_string();
    host.queue(QUEUE, std::slice::from_ref(&body)).await;
    for json in [None, Some("--json")] {
        let shown = operator(&host, &[&["queues", QUEUE][..], json.as_slice()].concat());
        assert_eq!(shown.code, 0, "{shown:?}");
        assert!(shown.stdout.contains("fan-1") && !shown.stdout.contains(end), "{shown:?}");
        assert!(shown.stdout.contains(&body.len().to_string()), "{shown:?}");
        let full = operator(&host, &[&["queues", QUEUE, "--full"][..], json.as_slice()].concat());
        assert!(full.code == 0 && full.stdout.contains(end), "{full:?}");
    }
    let usage = operator(&host, &["queues", "--full"]);
    assert_eq!(usage.code, 2, "{usage:?}");
}

/// A misspelt condition does not look like work that is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_no_dead_letter_meets_is_refused_with_those_that_there_are() {
    let host = with_dead_letters().await;
    let digest = groups(&host)[0]["digest"].as_str().unwrap()[..12].to_owned();
    for (condition, said) in [
        (["--worker", "upsertUser"], "no dead letter meets --worker upsertUser; nothing was done; "),
        (["--digest", "000000000000"], "no dead letter meets --digest 000000000000; "),
        (["--reason", "of another kind"], "no dead letter meets --reason of another kind; "),
    ] {
        for command in [&["redrive"][..], &["drop"], &["drop", "--yes"]] {
            let outcome = operator(&host, &[&["dead-letters"], command, &condition].concat());
            assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{command:?} {condition:?}: {outcome:?}");
            let there = format!("those that there are come from {WORKER} ({digest})");
            assert!(outcome.stderr.contains(said) && outcome.stderr.contains(&there), "{outcome:?}");
        }
    }
    assert_eq!(host.depth(DEAD).await, 3);
    let all = operator(&host, &["dead-letters", "drop", "--queue", DEAD, "--yes"]);
    assert_eq!((all.code, all.stdout.trim()), (0, "3 dropped"), "{all:?}");
    let none = operator(&host, &["dead-letters", "redrive", "--queue", DEAD]);
    assert_eq!((none.code, none.stdout.trim()), (0, "no dead letters"), "the queue is there: {none:?}");
    let none = operator(&host, &["dead-letters", "redrive", "--worker", WORKER]);
    assert!(none.code == 1 && none.stderr.contains("nothing was done; there are none"), "{none:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_grant_is_refused() {
    let host = TestHost::with(|app| {
        let operator = app.host.clients.get_mut("operator").unwrap();
        operator.grants.queues.insert(DEAD.to_owned(), host_adapters_platform::QueueAccess::Peek);
        app.components.get_mut(WORKER).unwrap().sources.clear();
    })
    .await;
    let refused = ask(&host, TESTER_TOKEN, &["dead-letters", "list"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("`tester` may not look into queue"), "{refused:?}");

    // The grant to read does not suffice for work, which the route itself refuses, not only the command.
    for what in ["redrive", "drop"] {
        let url = format!("http://{}/operator/dead-letters/{what}", host.running().addresses.gateway);
        let body = json!({"queue": DEAD, "ids": []});
        let reply = host.send(host.http().post(url).bearer_auth(OPERATOR_TOKEN).json(&body)).await;
        assert_eq!(reply.body["Err"]["kind"], "Denied", "{what}: {}", reply.body);
    }
    let elsewhere = operator(&host, &["dead-letters", "list", "--queue", QUEUE]);
    assert!(elsewhere.code == 1 && elsewhere.stderr.contains("takes no dead letters"), "{elsewhere:?}");
}

/// A record that no message holds, which its worker rejects: one dead letter in two messages.
#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d11_10__an_operator_works_on_all_parts_of_a_dead_letter_by_the_id_of_one() {
    let host = TestHost::start().await;
    let record = DataRecord { partition_key: "k".to_owned(), data: incompressible((1 << 20) - 1) };
    let put = PutRecords { stream: "scoresStream".to_owned(), records: vec![record] };
    assert!(host.platform(&put).await.iter().all(Result::is_ok));
    let dead = "saveFanScoresDlq";
    wait::eventually("two parts", async || (host.depth(dead).await == 2).then_some(())).await;
    let listed = operator(&host, &["dead-letters", "list", "--queue", dead, "--json"]).json();
    assert_eq!((listed["groups"].as_array().map(Vec::len), &listed["groups"][0]["count"]), (Some(1), &json!(1)));

    let id = listed["groups"][0]["example"].as_str().unwrap();
    let shown = operator(&host, &["dead-letters", "show", id, "--json"]).json();
    let second = shown["messages"][1].as_str().unwrap();
    assert_eq!((&shown["messages"][0], shown["messages"].as_array().map(Vec::len)), (&json!(id), Some(2)), "{second}");
    let redriven = operator(&host, &["dead-letters", "redrive", second]);
    assert_eq!((redriven.code, redriven.stdout.trim()), (1, "1 kept"), "rejected again: {redriven:?}");
    assert!(redriven.stderr.contains("save-fan-scores rejected it"), "{redriven:?}");
    assert_eq!(host.depth(dead).await, 2);
    let dropped = operator(&host, &["dead-letters", "drop", second, "--yes"]);
    assert_eq!((dropped.code, dropped.stdout.trim()), (0, "1 dropped"), "{dropped:?}");
    assert_eq!(host.depth(dead).await, 0);
}

#[test]
fn a_dead_letter_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("dead_letter.json");
    std::fs::write(&file, r#"{"id":"l"}"#).unwrap();
    for (dead_letter, said) in [
        (format!("@{}", file.display()), "dead-letters show --json"),
        ("@elsewhere.json".to_owned(), "elsewhere.json"),
        ("an-id".to_owned(), "--operator-token"),
    ] {
        let outcome = run(&["invoke", "--dead-letter", &dead_letter]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{dead_letter}");
        assert!(outcome.stderr.contains(said), "{outcome:?}");
    }
    let outcome = run(&["invoke", "upsert-users", "--dead-letter", "an-id"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("cannot be used with"), "{outcome:?}");
}
