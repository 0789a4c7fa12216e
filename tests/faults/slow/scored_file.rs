//! The host is killed ten times while a scored file is read: each time the progress has moved since the start before, and
//! is not at the end. Then each fan has one item with the right score, and the counts are exact.

use fake_services::{FakeServices, Options};
use host_adapters_records::table::{BatchGet, Key, Query};
use host_adapters_records::{Error, Function};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tests::programs::beside_others;
use tests::{Child, OPERATOR_TOKEN, Signer, client, manifest, variables, wait};

const ROWS: usize = 200_000;
const KILLS: usize = 10;
const CAMPAIGNS: usize = 3;
const KEY: &str = "scrubbed/large.csv";
const CHECKER_TOKEN: &str = "checker-token-of-a-test";
/// For the whole file, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);
/// Messages in flight at a kill come again after so many seconds.
const VISIBILITY_SECS: i64 = 3;

#[test]
fn count_accuracy_a_host_that_is_killed_while_it_reads_a_file_loses_and_repeats_nothing() {
    let _beside = beside_others();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let stage = Stage::new().await;
        let host = stage.killed_while_it_reads().await;
        stage.ends_right(&host).await;
    });
}

/// A row of the file.
enum Row {
    /// Is counted, and blocks no other.
    Invalid,
    /// The number is that of its fan, and the score.
    Fan(usize),
    /// Of the fan of the row before, under another name and with a lower score.
    Again(usize),
}

fn row(number: usize) -> Row {
    match number {
        number if number % 1_000 == 999 => Row::Invalid,
        number if number % 10 == 7 => Row::Again(number - 1),
        number => Row::Fan(number),
    }
}

fn campaign(fan: usize) -> String {
    format!("campaign-{}", fan % CAMPAIGNS)
}

fn is_verified(fan: usize) -> bool {
    !fan.is_multiple_of(5)
}

/// The Entry Service gets some rows only: it takes 100 requests a second for a campaign.
fn has_rank_0(fan: usize) -> bool {
    fan.is_multiple_of(100)
}

fn text() -> String {
    let mut text = "campaignId,memberId,globalUserId,email,rank,score,verdict\n".to_owned();
    for number in 0..ROWS {
        let (fan, names, rank, score) = match row(number) {
            Row::Invalid => (number, format!("member-{number},,"), "first".to_owned(), number.to_string()),
            Row::Again(fan) => (fan, format!(",user-{fan},"), "1".to_owned(), format!("-{fan}")),
            Row::Fan(fan) => {
                let names = format!("member-{fan},user-{fan},fan-{fan}@example.com");
                (fan, names, u8::from(!has_rank_0(fan)).to_string(), fan.to_string())
            }
        };
        let verdict = if is_verified(fan) { "verified" } else { "rejected" };
        writeln!(text, "{},{names},{rank},{score},{verdict}", campaign(fan)).unwrap();
    }
    text
}

/// The fans of a campaign.
fn fans(campaign_id: &str) -> Vec<usize> {
    let fan = |number| match row(number) {
        Row::Fan(fan) if campaign(fan) == campaign_id => Some(fan),
        _ => None,
    };
    (0..ROWS).filter_map(fan).collect()
}

struct Stage {
    folder: TempDir,
    fakes: FakeServices,
    variables: BTreeMap<String, String>,
    /// Bytes of the file.
    size: u64,
}

impl Stage {
    async fn new() -> Self {
        let folder = TempDir::with_prefix("scored-file-").unwrap();
        let (fakes, signer) = (FakeServices::start(Options::default()).await.unwrap(), Signer::generate());
        let jwks = folder.path().join("jwks.json");
        std::fs::write(&jwks, signer.jwks()).unwrap();
        let mut variables = variables(&fakes, &jwks);
        variables.insert("checker_token".to_owned(), CHECKER_TOKEN.to_owned());
        let manifest = manifest::changed(|it| manifest::set_queues(it, VISIBILITY_SECS, 1_000));
        std::fs::write(folder.path().join("spin.toml"), manifest).unwrap();
        let text = text();
        std::fs::write(folder.path().join("large.csv"), &text).unwrap();
        Self { folder, fakes, variables, size: text.len() as u64 }
    }

    async fn start(&self) -> Child {
        let (manifest, data) = (self.folder.path().join("spin.toml"), self.folder.path().join("data"));
        Child::of(&manifest, &data, &self.variables, &BTreeMap::new(), Stdio::inherit()).await
    }

    /// Renames the file into the bucket.
    fn put(&self) {
        let bucket = self.folder.path().join("data/objects/scoring-bucket");
        std::fs::create_dir_all(&bucket).unwrap();
        std::fs::rename(self.folder.path().join("large.csv"), bucket.join(KEY.replace('/', "%2F"))).unwrap();
    }

    /// Each kill is after the progress has moved, so a call is reading; what the next host finds shows that it was not at
    /// the end.
    async fn killed_while_it_reads(&self) -> Child {
        let mut host = self.start().await;
        self.put();
        let mut before = 0;
        for kill in 1..=KILLS {
            let moved = async || Some(offset(&host).await).filter(|offset| *offset > before);
            let offset_then = wait::within(PATIENCE, &format!("rows before kill {kill}"), moved).await;
            host.kill().await;
            host = self.start().await;
            before = offset(&host).await;
            assert!(
                0 < offset_then && offset_then <= before && before <= self.size,
                "kill {kill} at {offset_then} or behind it, of {} bytes; then at {before}",
                self.size
            );
            if before == self.size {
                assert!(kill > KILLS / 3, "{kill} kills met the file");
                break;
            }
        }
        host
    }

    async fn ends_right(&self, host: &Child) {
        let progress = wait::within(PATIENCE, "the end of the file", async || {
            Some(progress(host).await).filter(|progress| progress["isDone"] == true)
        });
        let progress = progress.await;
        let invalid = (0..ROWS).filter(|number| matches!(row(*number), Row::Invalid)).count();
        assert_eq!(progress["position"]["counts"], json!({ "rows": ROWS, "invalid": invalid }));
        assert_eq!(progress["position"]["place"]["offset"], self.size);
        for campaign in (0..CAMPAIGNS).map(campaign) {
            let fans = fans(&campaign);
            self.is_counted(host, &campaign, &fans).await;
            has_items(host, &campaign, &fans).await;
        }
        for queue in ["loadScoresQueueDlq", "saveFanScoresDlq", "saveEntryScoresDlq", "countVerdictsDlq"] {
            assert_eq!(depth(host, queue).await, 0, "{queue}");
        }
        assert_eq!(self.fakes.violations(), [""; 0]);
    }

    async fn is_counted(&self, host: &Child, campaign: &str, fans: &[usize]) {
        let verified = fans.iter().filter(|fan| is_verified(**fan)).count();
        let expected = (Some(verified as u64), Some((fans.len() - verified) as u64));
        wait::within(PATIENCE, &format!("{expected:?} in {campaign}"), async || {
            let counts = item(host, &format!("CAMPAIGN#{campaign}"), "meta:counts").await;
            ((counts["verified"].as_u64(), counts["rejected"].as_u64()) == expected).then_some(())
        })
        .await;
        let first: BTreeSet<_> =
            fans.iter().filter(|fan| has_rank_0(**fan)).map(|fan| format!("member-{fan}")).collect();
        wait::within(PATIENCE, &format!("the scores of {campaign} in the Entry Service"), async || {
            let scores = self.fakes.entries().scores(campaign);
            let sent: BTreeSet<_> = scores.iter().filter_map(|it| Some(it["memberId"].as_str()?.to_owned())).collect();
            (scores.len() == first.len() && sent == first).then_some(())
        })
        .await;
    }
}

/// Each fan has one item, with the highest score.
async fn has_items(host: &Child, campaign: &str, fans: &[usize]) {
    let (mut scores, mut after) = (Vec::new(), None);
    loop {
        let (table, pk) = ("demand-table".to_owned(), format!("CAMPAIGN#{campaign}"));
        let page = platform(host, &Query { table, pk, prefix: "SCORE#".to_owned(), after, limit: 1_000 }).await;
        let items = page.items.iter().map(|text| serde_json::from_str::<Value>(text).unwrap());
        scores.extend(items.map(|item| item["score"].as_i64().unwrap()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    scores.sort_unstable();
    let expected: Vec<_> = fans.iter().map(|fan| *fan as i64).collect();
    assert!(scores == expected, "{} items in {campaign}, of {} fans", scores.len(), expected.len());
}

async fn progress(host: &Child) -> Value {
    item(host, &format!("FILE#scoring-bucket/{KEY}"), "progress").await
}

/// How many bytes are done.
async fn offset(host: &Child) -> u64 {
    progress(host).await["position"]["place"]["offset"].as_u64().unwrap_or(0)
}

/// An item of the table; null if there is none.
async fn item(host: &Child, pk: &str, sk: &str) -> Value {
    let keys = vec![Key { pk: pk.to_owned(), sk: sk.to_owned() }];
    let text = platform(host, &BatchGet { table: "demand-table".to_owned(), keys }).await.remove(0);
    text.map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default()
}

async fn platform<F: Function>(host: &Child, arguments: &F) -> F::Output {
    let answer: Result<F::Output, Error> =
        post(host, &format!("/platform/{}", F::PATH), CHECKER_TOKEN, &json!(arguments)).await;
    answer.unwrap_or_else(|error| panic!("{}: {error}", F::PATH))
}

/// The messages of a queue.
async fn depth(host: &Child, queue: &str) -> u64 {
    let answer: Result<Value, Error> = post(host, "/operator/queues", OPERATOR_TOKEN, &json!({})).await;
    let queues = answer.unwrap_or_else(|error| panic!("{error}"));
    let queue = queues["queues"].as_array().unwrap().iter().find(|it| it["name"] == queue).unwrap();
    ["visible", "inFlight", "delayed"].iter().map(|state| queue[*state].as_u64().unwrap()).sum()
}

async fn post<T: serde::de::DeserializeOwned>(host: &Child, path: &str, token: &str, body: &Value) -> T {
    let request = client().post(format!("{}{path}", host.gateway)).bearer_auth(token).json(body);
    request.send().await.unwrap().json().await.unwrap()
}
