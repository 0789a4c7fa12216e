//! `host-adapters events generate`: workers accept the events that it writes.

use super::{command, run, run_with_input};
use fake_services::{FakeServices, Options, Service};
use host_adapters::manifest::Component;
use host_adapters_sources::canned_events;
use serde_json::{Value, json};
use std::io::Read;
use std::process::Stdio;
use tests::workers;

/// Each kind of event that `generate` knows, with each worker of spin.toml that takes it.
fn generated() -> Vec<(&'static str, String)> {
    let app = workers::app();
    let kinds = |worker: &Component| match worker.sources.first() {
        Some(source) => canned_events().filter(|(kind, _)| *kind == source.kind()).map(|(_, it)| it.name).collect(),
        None => vec!["appsync"],
    };
    workers::of(&app).flat_map(|worker| kinds(worker).into_iter().map(|kind| (kind, worker.id.clone()))).collect()
}

fn generate(arguments: &[&str]) -> Value {
    let outcome = run(&[&["events", "generate"], arguments].concat());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    outcome.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_accepted_by_its_worker() {
    let services = FakeServices::start(Options::default()).await.unwrap();
    let upstreams = [Service::Entry, Service::User, Service::Code]
        .map(|service| format!("{}_service_upstream={}", service.name(), services.url(service)));
    let variables: Vec<_> = upstreams.iter().flat_map(|upstream| ["--variable", upstream]).collect();
    for (source, worker) in &generated() {
        if *source == "task" {
            // The worker's own tests check the result: an input has no records.
            assert_eq!(generate(&[source, "--worker", worker]), workers::fixture(worker, source));
            continue;
        }
        let count = if *source == "appsync" { "1" } else { "3" };
        let event = generate(&[source, "--worker", worker, "--count", count]);
        let call = [&["invoke", worker, "-"][..], &variables].concat();
        let outcome = run_with_input(&call, &event.to_string());
        let answer = outcome.json();
        if worker == "campaigns-by-event" {
            // It understood the event, and asks for the fan's token.
            assert_eq!(answer["error"]["code"], json!("UNAUTHORIZED"), "{answer}");
            continue;
        }
        let records = |list: &str| answer[list].as_array().cloned().unwrap_or_default();
        let failed =
            !records("batchItemFailures").is_empty() || records("rejected").iter().any(|it| it["skipped"] != true);
        assert_eq!(outcome.code, i32::from(failed), "{source} for {worker}: {outcome:?}");
        if *source == "appsync" {
            assert_eq!(answer["isEligible"], json!(true), "{answer}");
            continue;
        }
        assert_eq!(answer["count"]["received"], json!(3), "{answer}");
        // There is no such entry, so its changes are stale, its score is unknown, its winner is gone, and its code is
        // nobody's. This shows that they were understood.
        for list in ["rejected", "batchItemFailures"] {
            for record in answer[list].as_array().unwrap() {
                let reason = record["reason"].as_str().unwrap();
                let understood = ["stale", "gone"].iter().any(|it| reason.starts_with(it))
                    || ["unknown: ", "is not reserved"].iter().any(|it| reason.contains(it));
                assert!(understood, "{source} for {worker}: {answer}");
            }
        }
    }
}

#[test]
fn the_users_body_and_ids_are_in_the_event() {
    let event = generate(&["sqs", "--worker", "saveEntries", "--body", "{truncated", "--count", "2", "--id", "m-1"]);
    let [first, second] = event["Records"].as_array().unwrap().as_slice() else { panic!("{event}") };
    assert_eq!((&first["messageId"], &first["body"]), (&json!("m-1"), &json!("{truncated")));
    assert!(second["messageId"].as_str().is_some_and(|id| id.len() == 36), "{event}");
    assert_eq!(first["eventSourceARN"], "arn:aws:sqs:us-east-1:123456789012:saveEntriesQueue");
    assert_eq!(first["messageAttributes"], json!({}), "the body is not the fixture's");
    let event = generate(&["sqs", "--worker", "sendData", "--count", "2"]);
    assert_eq!(event["Records"][1]["messageAttributes"]["type"]["stringValue"], "CAMPAIGN", "its fixture's");

    let change = r#"{"eventName":"REMOVE","oldImage":{"pk":"p","sk":"s","n":1}}"#;
    let event = generate(&["dynamodb-stream", "--body", change, "--id", "17"]);
    let dynamodb = &event["Records"][0]["dynamodb"];
    assert_eq!((&event["Records"][0]["eventName"], &dynamodb["SequenceNumber"]), (&json!("REMOVE"), &json!("17")));
    assert_eq!(dynamodb["Keys"], json!({"pk": {"S": "p"}, "sk": {"S": "s"}}));
    assert_eq!((&dynamodb["OldImage"]["n"], dynamodb.get("NewImage")), (&json!({"N": "1"}), None));

    let event = generate(&["kinesis", "--worker", "saveFanScores", "--body", r#"{"n":1}"#, "--id", "17"]);
    let record = &event["Records"][0];
    assert_eq!(
        (&record["kinesis"]["sequenceNumber"], &record["kinesis"]["data"]),
        (&json!("17"), &json!("eyJuIjoxfQ=="))
    );
    assert_eq!(record["eventSourceARN"], "arn:aws:kinesis:us-east-1:123456789012:stream/scoresStream");
    let event = generate(&["kafka", "--body", r#"{"n":1}"#, "--id", "17", "--count", "2"]);
    let records = &event["records"]["exampleTopic-0"];
    assert_eq!((&records[0]["offset"], &records[1]["value"]), (&json!(17), &json!("eyJuIjoxfQ==")));
    assert_eq!(event["eventSource"], "aws:kafka");
    assert_eq!(generate(&["kafka-self-managed"])["eventSource"], "SelfManagedKafka");
    let event = generate(&["s3", "--body", "in/a+b c.csv", "--id", "r-1"]);
    let record = &event["Records"][0];
    assert_eq!(
        (&record["s3"]["object"]["key"], record["s3"]["object"]["size"].is_number()),
        (&json!("in/a%2Bb+c.csv"), true)
    );
    assert_eq!(record["responseElements"]["x-amz-request-id"], "r-1");
    let event = generate(&["s3-sns-sqs", "--body", r#"{"key":"in/%C3%9C.csv","size":7}"#, "--id", "m-1"]);
    let body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
    let told: Value = serde_json::from_str(body["Message"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&event["Records"][0]["messageId"], &told["Records"][0]["s3"]["object"]["size"]),
        (&json!("m-1"), &json!(7))
    );

    let event = generate(&["http", "--body", r#"{"slug":"s"}"#]);
    assert_eq!(event["arguments"]["input"]["body"], json!({"slug": "s"}));
}

#[test]
fn an_event_that_no_worker_takes_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("spin.toml");
    std::fs::write(&elsewhere, tests::manifest::changed(|_| ())).unwrap();
    let elsewhere = elsewhere.to_str().unwrap();
    for (arguments, said) in [
        (vec!["sqs", "--worker", "enqueue-entries"], "takes records of dynamodb-stream:demand-table"),
        (vec!["sqs", "--worker", "check-eligibility"], "generate an appsync event"),
        (vec!["sqs", "--worker", "nobody"], "there is no worker `nobody`"),
        (vec!["sqs", "--worker", "save-entries", "--manifest", elsewhere], "save-entries/fixtures/sqs.json; add it"),
        (vec!["kinesis-dynamodb", "--body", "{}"], "not a change of an item"),
        (vec!["kinesis", "--id", "one"], "not a sequence number"),
        (vec!["kafka", "--id", "one"], "not an offset"),
        (vec!["appsync", "--body", "{"], "not JSON"),
        (vec!["appsync", "--count", "2"], "an appsync event is one call"),
        (vec!["sqs", "--body", ""], "the body is empty"),
        (vec!["sqs", "--id", "1", "--id", "2"], "2 ids for 1 records"),
        (vec!["dynamodb-stream", "--id", "one"], "not a sequence number"),
        (vec!["s3", "--body", r#"{"key":7}"#], "not an object of S3: Records[0]: s3.object.key: invalid type"),
        (
            vec!["dynamodb-stream", "--body", r#"{"eventName":"REMOVE","newImage":{"pk":"p","sk":"s"}}"#],
            "a change of type REMOVE has OldImage, not NewImage",
        ),
        (vec!["sns"], "--help"),
    ] {
        let outcome = run(&[vec!["events", "generate"], arguments.clone()].concat());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(outcome.stderr.contains(said), "{outcome:?}");
    }
}

/// Without a project, an event of each kind shows its shape.
#[test]
fn an_event_without_a_worker_needs_no_project() {
    let of_kafka = ["kafka", "kafka-self-managed"];
    let others = ["sqs", "s3", "s3-sns", "s3-sqs", "s3-sns-sqs", "dynamodb-stream", "kinesis", "appsync"];
    for kind in others.into_iter().chain(of_kafka) {
        let folder = tempfile::tempdir().unwrap();
        let output = super::command().args(["events", "generate", kind]).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{kind}: {}", String::from_utf8_lossy(&output.stderr));
        let event: Value = serde_json::from_slice(&output.stdout).unwrap();
        let of_topic = event["records"]["exampleTopic-0"][0].is_object();
        assert!(event["Records"][0].is_object() || event["arguments"].is_object() || of_topic, "{kind}: {event}");
    }
}

/// As `| head` does: the reader goes before all is written.
#[test]
fn a_reader_that_has_seen_enough_is_not_a_failure() {
    let mut command = command();
    command.args(["events", "generate", "sqs", "--count", "10000"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 100]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
