//! The counts of campaigns (docs/scoring.md, "Counts"), by the real worker on the table's stream.

use fake_services::{FakeServices, Options};
use host_adapters_records::table::{BatchGet, BatchUpdate, BatchWrite, Key, Predicate, Query, Update};
use host_adapters_records::{Error, Function};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tests::{Child, TestHost, WORKER_TOKEN, client, programs, variables, wait, workers};

const CAMPAIGN: &str = "campaign-123";
const TABLE: &str = "demand-table";
const DEAD_LETTERS: &str = "countVerdictsDlq";
const SEEDER: &str = "seeder-token-of-a-test";
/// Verified, rejected, selected.
type Counts = (i64, i64, i64);

fn key(sk: &str) -> Key {
    Key { pk: format!("CAMPAIGN#{CAMPAIGN}"), sk: sk.to_owned() }
}

fn item(sk: &str, name: &str, value: impl Into<Value>) -> Value {
    let Key { pk, sk } = key(sk);
    json!({ "pk": pk, "sk": sk, name: value.into() })
}

fn write(puts: &[Value], deletes: &[&str]) -> BatchWrite {
    let (puts, deletes) = (puts.iter().map(Value::to_string).collect(), deletes.iter().map(|sk| key(sk)).collect());
    BatchWrite { table: TABLE.to_owned(), puts, deletes }
}

fn read(sk: &str) -> BatchGet {
    BatchGet { table: TABLE.to_owned(), keys: vec![key(sk)] }
}

/// The item of the counts; null if there is none.
async fn stored(host: &TestHost) -> Value {
    let item = host.platform(&read("meta:counts")).await.remove(0);
    item.map(|item| serde_json::from_str(&item).unwrap()).unwrap_or_default()
}

fn counts(item: &Value) -> Counts {
    let count = |name: &str| item[name].as_i64().unwrap_or(0);
    (count("verified"), count("rejected"), count("selected"))
}

/// Waits until the counts are these, and then for longer than a batch waits, in which they must stay so.
async fn counted(host: &TestHost, expected: Counts) {
    let is = async || (counts(&stored(host).await) == expected).then_some(());
    wait::eventually(&format!("{expected:?}"), is).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(counts(&stored(host).await), expected);
}

#[tokio::test]
async fn req_002_counts_follow_every_change_of_a_fan() {
    let host = TestHost::start().await;
    let put = async |items: &[Value]| {
        assert!(host.platform(&write(items, &[])).await.into_iter().flatten().next().is_none());
    };
    let score = |fan: &str, verification: &str| item(&format!("SCORE#{fan}"), "verification", verification);
    let entry = |fan: &str, verdict: bool| item(&format!("USER#{fan}"), "verdict", verdict);
    put(&[score("m1", "verified"), score("m2", "verified"), score("m3", "rejected"), entry("u1", true)]).await;
    counted(&host, (2, 1, 1)).await;
    // A flip each way, a selection and a deselection; and items that count nothing.
    put(&[score("m1", "rejected"), score("m3", "verified"), entry("u1", false), entry("u2", true)]).await;
    put(&[item("ALIAS#user:g", "memberId", "m1"), item("meta:slack:counts", "verified", 9)]).await;
    put(&[item("SCORE#m2", "verification", "verified")]).await;
    counted(&host, (2, 1, 1)).await;
    host.platform(&write(&[], &["SCORE#m1", "SCORE#m2", "USER#u2"])).await;
    counted(&host, (1, 0, 0)).await;
    assert_eq!(host.depth(DEAD_LETTERS).await, 0);
}

/// docs/scoring.md, "On AWS Lambda".
#[tokio::test]
async fn req_002_records_of_lambda_are_counted_with_a_tumbling_window() {
    let host = TestHost::start().await;
    let mut event = workers::fixture("count-verdicts", "dynamodb-stream");
    let send = async |event: &Value| {
        let reply = host.post("/workers/count-verdicts", Some(WORKER_TOKEN), event.to_string()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    };
    for _ in 0..2 {
        let answer = send(&event).await;
        assert_eq!((&answer["batchItemFailures"], &answer["state"]), (&json!([]), &json!({})));
        assert_eq!(counts(&stored(&host).await), (-1, 1, 0));
    }
    for name in ["shardId", "window", "state"] {
        event.as_object_mut().unwrap().remove(name);
    }
    let answer = send(&event).await;
    let reason = answer["batchItemFailures"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("tumbling window") && answer["state"].is_null(), "{answer}");
}

/// docs/scoring.md, "Recounting a campaign".
#[tokio::test]
async fn req_008_a_campaign_whose_counts_are_broken_is_recounted_and_stops_no_other() {
    let host = TestHost::start().await;
    host.platform(&write(&[item("meta:counts", "verified", "many")], &[])).await;
    let other = json!({ "pk": "CAMPAIGN#other", "sk": "SCORE#m1", "verification": "verified" });
    let fans = [item("SCORE#m1", "verification", "verified"), item("SCORE#m2", "verification", "rejected")];
    host.platform(&write(&[&fans[..], &[other, item("USER#u", "verdict", true)]].concat(), &[])).await;
    wait::eventually("the dead letters", async || (host.depth(DEAD_LETTERS).await == 3).then_some(())).await;
    wait::eventually("the other campaign", async || {
        let key = Key { pk: "CAMPAIGN#other".to_owned(), sk: "meta:counts".to_owned() };
        let item = host.platform(&BatchGet { table: TABLE.to_owned(), keys: vec![key] }).await.remove(0)?;
        (counts(&serde_json::from_str(&item).unwrap()) == (1, 0, 0)).then_some(())
    })
    .await;

    assert!(stored(&host).await.get("position").is_none());
    let of = async |prefix: &str, name: &str, value: Value| {
        let (pk, prefix) = (key("").pk, prefix.to_owned());
        let page = host.platform(&Query { table: TABLE.to_owned(), pk, prefix, after: None, limit: 1_000 }).await;
        let items = page.items.iter().map(|item| serde_json::from_str::<Value>(item).unwrap());
        items.filter(|item| item[name] == value).count()
    };
    let sums = [
        ("verified", of("SCORE#", "verification", json!("verified")).await),
        ("rejected", of("SCORE#", "verification", json!("rejected")).await),
        ("selected", of("USER#", "verdict", json!(true)).await),
    ];
    let mut set: Vec<_> = sums.into_iter().map(|(name, sum)| (name.to_owned(), sum.to_string())).collect();
    set.push(("position".to_owned(), "{}".to_owned()));
    let condition = vec![Predicate::NotExists("position".to_owned())];
    let update = Update { key: key("meta:counts"), set, increment: vec![], remove: vec![], condition };
    let updated = host.platform(&BatchUpdate { table: TABLE.to_owned(), updates: vec![update] }).await;
    assert_eq!(updated, [None]);
    host.platform(&write(&[item("SCORE#m3", "verification", "verified")], &[])).await;
    counted(&host, (2, 1, 1)).await;
}

/// The host in a process that is killed.
struct Host {
    child: Child,
}

impl Host {
    async fn start(folder: &Path, variables: &BTreeMap<String, String>) -> Self {
        let manifest = programs::project().join("spin.toml");
        let environment = BTreeMap::from([("LOG_LEVEL".to_owned(), "ERROR".to_owned())]);
        let data = folder.join("data");
        Self { child: Child::of(&manifest, &data, variables, &environment, Stdio::inherit()).await }
    }

    async fn platform<F: Function>(&self, arguments: &F) -> F::Output {
        let request = client().post(format!("{}/platform/{}", self.child.gateway, F::PATH));
        let response = request.bearer_auth(SEEDER).json(arguments).send().await.unwrap();
        let answer: Result<F::Output, Error> = response.json().await.unwrap();
        answer.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn counts(&self) -> Counts {
        let item = self.platform(&read("meta:counts")).await.remove(0);
        counts(&item.map(|item| serde_json::from_str(&item).unwrap()).unwrap_or_default())
    }
}

const FANS: usize = 400;
/// Items of one write: one that is larger would all be counted at once.
const PER_WRITE: usize = 40;

/// Writes another state of each fan: absent, verified, rejected; not selected, selected. Notes what is written.
async fn write_all(host: &Host, round: usize, states: &mut BTreeMap<String, Counts>) {
    for fans in (0..FANS).collect::<Vec<_>>().chunks(PER_WRITE) {
        let (mut puts, mut deletes) = (vec![], vec![]);
        for fan in fans {
            let (score, entry) = (format!("SCORE#m{fan}"), format!("USER#u{fan}"));
            let (state, is_selected) = ((fan / 3 + round * (1 + fan % 2)) % 3, (fan / 2 + round) % 2 == 1);
            states.insert(score.clone(), [(0, 0, 0), (1, 0, 0), (0, 1, 0)][state]);
            match state {
                0 => deletes.push(score),
                1 => puts.push(item(&score, "verification", "verified")),
                _ => puts.push(item(&score, "verification", "rejected")),
            }
            states.insert(entry.clone(), (0, 0, i64::from(is_selected)));
            puts.push(item(&entry, "verdict", is_selected));
        }
        let deletes: Vec<_> = deletes.iter().map(String::as_str).collect();
        assert!(host.platform(&write(&puts, &deletes)).await.into_iter().flatten().next().is_none());
    }
}

#[tokio::test]
async fn req_002_counts_are_exactly_right_through_kills_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let fakes = FakeServices::start(Options::default()).await.unwrap();
    std::fs::write(folder.path().join("jwks.json"), r#"{"keys":[]}"#).unwrap();
    let mut variables = variables(&fakes, &folder.path().join("jwks.json"));
    variables.insert("seeder_token".to_owned(), SEEDER.to_owned());

    let mut states = BTreeMap::new();
    for round in 1..=4 {
        let host = Host::start(folder.path(), &variables).await;
        let before = host.counts().await;
        write_all(&host, round, &mut states).await;
        // It has counted some of them. Dropping it is `kill -9`.
        wait::eventually("the first counts", async || (host.counts().await != before).then_some(())).await;
        drop(host);
    }
    let host = Host::start(folder.path(), &variables).await;
    let add = |a: Counts, b: &Counts| (a.0 + b.0, a.1 + b.1, a.2 + b.2);
    let expected = states.values().fold((0, 0, 0), add);
    wait::eventually(&format!("{expected:?}"), async || (host.counts().await == expected).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(host.counts().await, expected, "nothing is counted twice");
}
