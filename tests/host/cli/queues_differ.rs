//! Queues on a server that differ from spin.toml: the differences are reported, and the host does not start if messages
//! would not end as declared.

use super::run;
use super::up::Up;
use crate::backends::scripted::server::{Reply, Scripted};
use host_adapters_platform::QueueSpec;
use serde_json::{Value, json};
use tests::programs::make_data;
use tests::workers;

const QUEUE: &str = "userInfoQueue";

/// A queue's attributes, as SQS would tell those that spin.toml declares.
fn attributes(queue: &str) -> Value {
    let QueueSpec { visibility_timeout_secs, max_receive_count, dead_letter_queue, retention_secs } =
        workers::app().declared().queues[queue].clone();
    let arn = |queue: &str| format!("arn:aws:sqs:us-east-1:1:{queue}");
    let mut told = json!({
        "QueueArn": arn(queue),
        "VisibilityTimeout": visibility_timeout_secs.to_string(),
        "MessageRetentionPeriod": retention_secs.to_string(),
    });
    if let Some(dead_letters) = dead_letter_queue {
        let policy = json!({"deadLetterTargetArn": arn(&dead_letters), "maxReceiveCount": max_receive_count});
        told["RedrivePolicy"] = json!(policy.to_string());
    }
    told
}

/// A server with all queues of spin.toml, one of them with another attribute; no message can be received from it.
async fn sqs(attribute: &'static str, value: Option<&'static str>) -> (Scripted, tempfile::TempDir, String) {
    let server = Scripted::start(move |action, _, input| -> Reply {
        let url = input["QueueUrl"].as_str().unwrap_or_default();
        match action {
            "GetQueueUrl" => Ok(json!({"QueueUrl": format!("http://queues/{}", input["QueueName"].as_str().unwrap())})),
            "GetQueueAttributes" => {
                let queue = url.rsplit('/').next().unwrap();
                let mut told = attributes(queue);
                if queue == QUEUE {
                    told.as_object_mut().unwrap().remove(attribute);
                    value.into_iter().for_each(|value| told[attribute] = json!(value));
                }
                Ok(json!({ "Attributes": told }))
            }
            _ => Err("OverLimit"),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("runtime-config.toml");
    let text = format!(
        "[queues]\ntype = \"sqs\"\nregion = \"us-east-1\"\nendpoint = \"{}\"\n\
         credentials = {{ access_key_id = \"AKIA\", secret_access_key = {{ env = \"PATH\" }} }}\n",
        server.url()
    );
    std::fs::write(&config, text).unwrap();
    let config = config.display().to_string();
    (server, folder, config)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_with_another_time_is_named_with_both_values_and_served() {
    let (_server, _folder, config) = sqs("VisibilityTimeout", Some("61")).await;
    let said = format!("{QUEUE} exists with settings that differ from spin.toml's: VisibilityTimeout is 61, not 30. ");
    let outcome = run(&["validate", "--runtime-config", &config, "--probe"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let lines: Vec<_> = outcome.stdout.lines().filter(|line| line.starts_with("queues: ")).collect();
    assert!(matches!(*lines, ["queues: answers", line] if line.contains(&said)), "{lines:?}");
    assert!(lines[1].contains("set-queue-attributes --queue-url http://queues/userInfoQueue"), "{lines:?}");

    let mut up = Up::start_with("WARN", |command, _| {
        command.args(["--runtime-config", &config]);
    });
    let (_, _, log) = up.stop();
    assert_eq!(log.lines().filter(|line| line.contains(&said)).count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_moves_messages_elsewhere_keeps_the_host_from_starting() {
    let elsewhere = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:otherDlq","maxReceiveCount":100}"#;
    for (policy, said) in [(None, "RedrivePolicy is unset, not {"), (Some(elsewhere), "otherDlq")] {
        let (_server, folder, config) = sqs("RedrivePolicy", policy).await;
        let probe = run(&["validate", "--runtime-config", &config, "--probe"]);
        assert_eq!(probe.code, 1, "{probe:?}");
        assert!(probe.stdout.lines().any(|line| line.starts_with("queues: ") && line.contains(said)), "{probe:?}");
        let data = folder.path().join("data");
        make_data(&data);
        let data = data.display().to_string();
        let any = ["--listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0"];
        let up = run(&[&["up", "--runtime-config", &config, "--data", &data], &any[..]].concat());
        assert_eq!((up.code, up.stdout.as_str()), (2, ""), "{up:?}");
        assert!(up.stderr.contains(QUEUE) && up.stderr.contains(said), "{up:?}");
    }
}
