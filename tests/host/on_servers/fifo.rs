//! A FIFO queue with `provision`, `validate --probe` and `up`: created, checked, and read in order.

use crate::backends::on_servers::config::{self, SECRET};
use crate::backends::on_servers::servers::{endpoints, unique};
use backend_sqs::Sqs;
use fake_services::{FakeServices, Options};
use host_adapters_platform::{QueueBackend, QueueSpec};
use host_adapters_records::Attribute;
use host_adapters_records::queue::Message;
use serde_json::json;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;
use tests::aws::aws;
use tests::programs::native;
use tests::{Child, Signer, manifest, variables, wait};

const QUEUE: &str = "userInfoQueue.fifo";
const DEAD: &str = "userInfoQueueDlq.fifo";

/// spin.toml with a FIFO queue of profiles.
fn in_order() -> String {
    let text = manifest::changed(|_| ());
    let text = text.replace("userInfoQueueDlq", "userInfoQueueDlq.fifo");
    let text = text.replace("\"userInfoQueue\"", "\"userInfoQueue.fifo\"");
    text.replace("userInfoQueue = ", "\"userInfoQueue.fifo\" = ")
}

async fn run(command: &str, manifest: &Path, config: &Path, options: &[&str]) -> Output {
    let mut run = tokio::process::Command::new(native().join("host-adapters"));
    run.arg(command).arg("--manifest").arg(manifest).arg("--runtime-config").arg(config).args(options);
    run.env(SECRET.0, SECRET.1).output().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn case_09_a_fifo_queue_is_made_probed_and_read() {
    let (folder, prefix, at) = (tempfile::tempdir().unwrap(), unique(), endpoints().await);
    let manifest = folder.path().join("spin.toml");
    std::fs::write(&manifest, in_order()).unwrap();
    let config = config::write(folder.path(), "runtime-config", at, &prefix);
    for _ in 0..2 {
        let made = run("provision", &manifest, &config, &[]).await;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let probed = run("validate", &manifest, &config, &["--probe"]).await;
    let told = String::from_utf8(probed.stdout).unwrap();
    assert!(probed.status.success() && told.contains("queues: answers"), "{told}");

    let (fakes, signer) = (FakeServices::start(Options::default()).await.unwrap(), Signer::generate());
    let jwks = folder.path().join("jwks.json");
    std::fs::write(&jwks, signer.jwks()).unwrap();
    let environment = [("HOST_ADAPTERS_RUNTIME_CONFIG", config.to_str().unwrap()), SECRET];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let data = folder.path().join("data");
    let _host = Child::of(&manifest, &data, &variables(&fakes, &jwks), &environment, Stdio::inherit()).await;
    let queues = Sqs::new(&aws(&at.sqs).await, &prefix, [QUEUE, DEAD].map(str::to_owned).into());
    let message = |n: usize| {
        let (fan, body) =
            (format!("fan-{}", n % 5), json!({ "globalUserId": format!("fan-{}", n % 5), "firstName": n.to_string() }));
        Message { group_id: Some(fan), ..Message::new(body.to_string()) }
    };
    let broken = Message { group_id: Some("broken".to_owned()), ..Message::new("{") };
    let sent = queues.send_batch(QUEUE, (0..20).map(message).chain([broken]).collect()).await.unwrap();
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    wait::eventually("all profiles and the dead letter", async || {
        let [queue, dead] = [queues.depth(QUEUE).await.ok()?, queues.depth(DEAD).await.ok()?];
        (queue.visible + queue.in_flight == 0 && dead.visible == 1 && fakes.user_count() == 5).then_some(())
    })
    .await;
    let dead = queues.receive(DEAD, 1, Duration::ZERO, Duration::from_secs(30)).await.unwrap().remove(0);
    let source = Attribute::find(&dead.attributes, "source");
    assert_eq!(
        (dead.body.as_str(), dead.group.as_deref(), source),
        ("{", Some("broken"), Some("sqs:userInfoQueue.fifo"))
    );
}

/// A queue of an earlier version, whose messages had three receives.
#[tokio::test(flavor = "multi_thread")]
async fn provision_says_how_a_queue_that_is_there_differs() {
    let (prefix, at) = (unique(), endpoints().await);
    let queues = Sqs::new(&aws(&at.sqs).await, &prefix, ["q", "qDlq"].map(str::to_owned).into());
    queues.provision("qDlq", &QueueSpec::dead_letters()).await.unwrap();
    let spec = |max_receive_count| QueueSpec {
        max_receive_count,
        dead_letter_queue: Some("qDlq".to_owned()),
        ..QueueSpec::default()
    };
    queues.provision("q", &spec(3)).await.unwrap();
    let error = queues.provision("q", &spec(100)).await.unwrap_err().message;
    for part in ["RedrivePolicy is ", "aws sqs set-queue-attributes --queue-url http", "\\\"maxReceiveCount\\\":100"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}
