//! Follows README.md, "Adding a source", and ARCHITECTURE.md, "Adding a function of the platform", in a copy of the
//! project: their own code blocks, a build, and a host that runs it.

use super::blocks::{self, Block};
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use tests::project::{ProjectCopy, succeeded};
use tests::{Child, OPERATOR_TOKEN, TESTER_TOKEN, client, programs, wait};
use tokio::process::Command;

/// Calls the new function at each tick of the new source.
const WORKER: &str = "count-campaigns";

const CARGO_TOML: &str = r#"
[package]
name = "count-campaigns"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]

[dependencies]
serde_json.workspace = true
worker-kit.workspace = true
"#;

const LIB_RS: &str = r#"//! countCampaigns: counts open campaigns at each tick, and rejects ticks while there is none.

use serde_json::{Value, json};
use worker_kit::platform::documents::count;
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure};

/// The worker.
pub struct CountCampaigns;

impl BatchWorker for CountCampaigns {
    const NAME: &'static str = "count-campaigns";

    async fn handle(batch: Vec<Event>, call: &Call) -> Result<Vec<Disposition>, Failure> {
        let mut dispositions = Vec::new();
        for event in &batch {
            let counted = count("campaigns".to_owned(), json!({"open": true}).to_string()).await;
            let counted = counted.map_err(|error| Failure::retryable(error.message))?;
            let tick: Value = event.json().map_err(Failure::permanent)?;
            call.info("Campaigns counted", json!({"event": tick, "from": event.source, "count": counted}));
            dispositions.push(match counted {
                0 => Disposition::Reject("no campaign is open".to_owned()),
                _ => Disposition::Ack,
            });
        }
        Ok(dispositions)
    }
}

worker_kit::batch_worker!(CountCampaigns);
"#;

const SPIN_TOML: &str = r#"spin_manifest_version = 2

[application]
name = "additions"

[application.tool.host-adapters]
collections = ["campaigns"]

[application.tool.host-adapters.clients.tester]
token = "tester-token-of-a-test"
grants = { documents = { campaigns = "read-write" } }

[application.tool.host-adapters.clients.operator]
token = "operator-token-of-a-test"
grants = { queues = { "*" = "redrive" } }

[[trigger.http]]
route = "/workers/count-campaigns"
component = "count-campaigns"

[component.count-campaigns]
source = "target/components/count-campaigns.wasm"

[component.count-campaigns.tool.host-adapters]
grants = { documents = { campaigns = "read" } }

[[component.count-campaigns.tool.host-adapters.source]]
type = "ticker"
name = "fast"
interval_secs = 1
"#;

fn section(document: &str, heading: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(programs::project().join(document)).unwrap();
    blocks::of(&text, heading)
}

fn paths(blocks: &[Block]) -> Vec<&str> {
    blocks.iter().map(|block| block.path.as_str()).collect()
}

/// The places that a new source is written in: its folder, and one line.
fn check_places_of_the_source(blocks: &[Block]) {
    let is_in_folder = |path: &&str| path.starts_with("host-adapters/sources/src/ticker/");
    let elsewhere: Vec<_> = paths(blocks).into_iter().filter(|path| !is_in_folder(path)).collect();
    assert_eq!(elsewhere, ["host-adapters/sources/src/lib.rs"]);
}

/// The places that a new function is written in: four, and then those of its backends, which are their trait, their
/// crates and their contract.
fn check_places_of_the_function(blocks: &[Block]) {
    let paths = paths(blocks);
    let (written, of_backends) = paths.split_at(4);
    let is_of_backends = |path: &&str| ["/backends/", "tests/contract/"].iter().any(|part| path.contains(part));
    assert!(!written.iter().any(is_of_backends), "{written:?}");
    let (of_trait, of_backends) = of_backends.split_first().unwrap();
    assert_eq!(*of_trait, "host-adapters/platform/src/documents.rs");
    assert!(of_backends.len() == 4 && of_backends.iter().all(is_of_backends), "{of_backends:?}");
}

/// The project with both additions and the worker.
fn extended() -> ProjectCopy {
    let project = ProjectCopy::new("additions");
    let source = section("README.md", "Adding a source");
    check_places_of_the_source(&source);
    let function = section("ARCHITECTURE.md", "Adding a function of the platform");
    check_places_of_the_function(&function);
    source.iter().chain(&function).for_each(|block| block.apply(&project));

    project.add(&format!("components/{WORKER}/Cargo.toml"), CARGO_TOML);
    project.add(&format!("components/{WORKER}/src/lib.rs"), LIB_RS);
    std::fs::write(project.folder().join("spin.toml"), SPIN_TOML).unwrap();
    succeeded(project.command(env!("CARGO")).args(["update", "--workspace"]));
    project
}

/// The test programs of the copy.
struct Tests {
    /// Those of the whole project.
    all: PathBuf,
    /// Those of delivery.
    delivery: PathBuf,
}

/// Builds the host and the tests of the copy, and with that host the worker.
fn build(project: &ProjectCopy) -> Tests {
    project.prepare();
    let mut cargo = project.command(env!("CARGO"));
    // All in one build of the workspace: a package alone would have dependencies with other features.
    cargo.args(["build", "--release", "--workspace", "--bin", "host-adapters", "--test", "all", "--test", "delivery"]);
    cargo.arg("--message-format=json-render-diagnostics");
    let made = String::from_utf8(succeeded(&mut cargo).stdout).unwrap();
    succeeded(project.command(project.target().join("release/host-adapters")).args(["build", WORKER]));
    let made: Vec<_> = made.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect();
    let program = |name: &str| {
        let program = made.iter().find(|made| made["target"]["name"] == name && made["executable"].is_string());
        program.unwrap()["executable"].as_str().unwrap().into()
    };
    Tests { all: program("all"), delivery: program("delivery") }
}

/// Runs the tests that `filter` selects. These must be among them.
fn pass(project: &ProjectCopy, tests: &Path, filter: &[&str], cases: &[&str]) {
    let ran = String::from_utf8(succeeded(project.command(tests).args(filter)).stdout).unwrap();
    for case in cases {
        assert!(ran.contains(&format!("{case} ... ok")), "{case}: {ran}");
    }
}

/// The extended project with its host and tests, built while no other build or demo runs.
fn built() -> (ProjectCopy, Tests) {
    let _alone = programs::alone();
    let project = extended();
    let tests = build(&project);
    (project, tests)
}

/// A running host of the copy.
struct Host {
    child: Child,
    project: ProjectCopy,
}

impl Host {
    async fn start(project: ProjectCopy) -> Self {
        let data = project.folder().join("data");
        let log = File::create(project.folder().join("log")).unwrap();
        let mut command = Command::new(project.target().join("release/host-adapters"));
        let child = Child::run(&mut command, &project.folder().join("spin.toml"), &data, log.into()).await;
        Self { child, project }
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        let request = client().post(format!("{}{path}", self.child.gateway)).bearer_auth(token).json(body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert!(answer.get("Err").is_none(), "{path}: {answer}");
        answer["Ok"].clone()
    }

    /// Waits until the worker logs a line with these fields.
    async fn counts(&self, fields: &Value) {
        wait::eventually(&fields.to_string(), async || {
            let log = std::fs::read_to_string(self.project.folder().join("log")).unwrap();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut counted = lines.filter(|line| line["message"] == "Campaigns counted");
            counted
                .find(|line| fields.as_object().unwrap().iter().all(|(name, value)| line["data"][name] == *value))
                .map(drop)
        })
        .await;
    }

    /// The first of the worker's dead letters.
    async fn dead_letter(&self) -> Value {
        wait::eventually("a dead letter", async || {
            let listed = self.post("/operator/dead-letters/list", OPERATOR_TOKEN, &json!({})).await;
            listed["dead_letters"].get(0).cloned()
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_and_a_function_of_the_documents_own_blocks_work() {
    let (project, tests) = built();
    // `project::wire` compares the list and the forward for Spin hosts with the WIT.
    let cases = [
        "on_embedded::documents::counts_what_the_filter_finds",
        "project::wire::the_guests_json_of_every_function_matches_the_wit",
        "project::wire::the_hosts_json_of_every_function_matches_the_wit",
        "project::wire::arguments_are_in_the_order_of_the_wit",
    ];
    pass(&project, &tests.all, &["on_embedded::documents::", "project::wire::"], &cases);
    // Records of the new kind come back from their dead letters, too.
    let cases = ["dead_letters::d6_7__a_record_of_every_kind_of_source_comes_back_as_it_was"];
    pass(&project, &tests.delivery, &["dead_letters::"], &cases);

    let event = succeeded(
        project.command(project.target().join("release/host-adapters")).args(["events", "generate", "ticker"]),
    );
    let event: Value = serde_json::from_slice(&event.stdout).unwrap();
    assert_eq!(event, json!({"Records": [{"tickId": "example-1", "tick": 1}]}));

    let host = Host::start(project).await;
    host.counts(&json!({"count": 0, "event": {"tick": 1}})).await;
    let dead_letter = host.dead_letter().await;
    assert_eq!(
        (&dead_letter["source"], &dead_letter["reason"]),
        (&json!("ticker:fast"), &json!("no campaign is open"))
    );
    for (id, open) in [("a", true), ("b", false), ("c", true)] {
        let document = json!({"id": id, "open": open}).to_string();
        let arguments =
            json!({"collection": "campaigns", "filter": json!({"id": id}).to_string(), "document": document});
        host.post("/platform/documents/replace-one", TESTER_TOKEN, &arguments).await;
    }
    for (filter, count) in [(json!({}), 3), (json!({"open": true}), 2), (json!({"id": "d"}), 0)] {
        let arguments = json!({"collection": "campaigns", "filter": filter.to_string()});
        assert_eq!(host.post("/platform/documents/count", TESTER_TOKEN, &arguments).await, json!(count), "{filter}");
    }
    host.counts(&json!({"count": 2, "from": "ticker:fast"})).await;
    // Its record goes back to the worker.
    let redrive = json!({"queue": dead_letter["queue"], "ids": [dead_letter["id"]]});
    let outcome = host.post("/operator/dead-letters/redrive", OPERATOR_TOKEN, &redrive).await;
    assert!(outcome.to_string().contains("redriven"), "{outcome}");
    host.counts(&json!({"count": 2, "event": {"tick": 1}})).await;
}
