//! REQ-010: the selections of many markets run side by side, and each fails alone.

use fake_services::Service;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::process::Stdio;
use tests::programs::host_adapters;
use tests::{OPERATOR_TOKEN, TestHost, entry, wait};
use tokio::process::Command;

const CAMPAIGN: &str = "tour";
const MARKETS: usize = 44;
const FANS: usize = 6;
const SEATS: usize = 2;
/// The markets whose selection fails: there are too few codes, TM has no shared code, nobody knows the market.
const TOO_FEW: usize = 7;
const NOT_SHARED: usize = 20;
const UNKNOWN: usize = 33;
const FAILING: [usize; 3] = [TOO_FEW, NOT_SHARED, UNKNOWN];
const UPDATED: &str = "2026-05-04T10:30:00.000Z";

fn market(number: usize) -> String {
    format!("market-{number:02}")
}

fn fan(market: usize, place: usize) -> String {
    format!("fan-{market:02}-{place}")
}

fn is_shared(number: usize) -> bool {
    number.is_multiple_of(2)
}

/// Puts the campaign, its markets, their codes and its fans in. Of a market's fans the first ones have the best scores.
async fn prepare(host: &TestHost) {
    let put = async |path: String, body: Value| {
        let url = format!("{}/_control/campaigns/{path}", host.fakes.url(Service::Campaign));
        assert_eq!(host.send(host.http().put(url).json(&body)).await.status, 200, "{path}");
    };
    put(CAMPAIGN.to_owned(), json!({ "id": CAMPAIGN, "slug": CAMPAIGN, "status": "CLOSED" })).await;
    for number in (0..MARKETS).filter(|number| *number != UNKNOWN) {
        let id = market(number);
        let ticketer = if is_shared(number) { "TM" } else { "AXS" };
        let mut document = json!({ "id": id, "campaignId": CAMPAIGN, "ticketer": ticketer, "capacity": SEATS });
        if is_shared(number) && number != NOT_SHARED {
            document["sharedCode"] = format!("SHARED-{number}").into();
            host.fakes.codes().share(CAMPAIGN, None, &format!("SHARED-{number}"));
        }
        put(format!("{CAMPAIGN}/markets/{id}"), document).await;
        let codes = if number == TOO_FEW { 499 } else { 500 };
        host.fakes.codes().add(CAMPAIGN, &id, (0..codes).map(|code| format!("{id}-{code:03}")));
    }
    let fans = || (0..MARKETS).flat_map(|number| (0..FANS).map(move |place| (number, place)));
    let item = |(number, place)| entry(CAMPAIGN, &fan(number, place), &json!({ "markets": [market(number)] }), UPDATED);
    host.put_entries(&fans().map(item).collect::<Vec<_>>()).await;
    let score = |(number, place)| json!({ "globalUserId": fan(number, place), "score": FANS - place });
    host.fakes.entries().give_scores(CAMPAIGN, fans().map(score).collect()).unwrap();
    let entries = host.fakes.entries();
    wait::eventually("all entries", async || (entries.count() == MARKETS * FANS).then_some(())).await;
}

/// Selects the winners of markets, as an operator does; returns the exit code and the executions.
async fn select(host: &TestHost, markets: Range<usize>) -> (i32, Vec<Value>) {
    let inputs: Vec<_> = markets.map(|number| json!({ "campaignId": CAMPAIGN, "marketId": market(number) })).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("markets.json");
    std::fs::write(&file, json!(inputs).to_string()).unwrap();
    let mut command = Command::new(host_adapters());
    command.args(["tasks", "start", "enqueue-market-selections", "friday", "--name-by", "marketId", "--json"]);
    command.args(["--wait", "--for-each"]).arg(file).arg("--gateway").arg(host.gateway_url("")).stdin(Stdio::null());
    let output = command.env("HOST_ADAPTERS_TOKEN", OPERATOR_TOKEN).output().await.unwrap();
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), told["executions"].as_array().unwrap().clone())
}

/// Verdict and code of each fan of a market, best first.
async fn verdicts(host: &TestHost, number: usize) -> Vec<(Value, Value)> {
    let fans: Vec<_> = (0..FANS).map(|place| fan(number, place)).collect();
    let names: Vec<_> = fans.iter().map(|fan| (CAMPAIGN, fan.as_str())).collect();
    let items = host.items(&names).await.into_iter();
    items.map(|item| (item["verdict"].clone(), item["accessCode"].clone())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn req_010_three_of_44_markets_fail_and_the_others_finish() {
    let host = TestHost::start().await;
    prepare(&host).await;
    let (code, executions) = select(&host, 0..MARKETS).await;
    assert_eq!((code, executions.len()), (1, MARKETS), "some have failed: {executions:?}");
    for (number, execution) in executions.iter().enumerate() {
        let state = if FAILING.contains(&number) { "failed" } else { "succeeded" };
        assert_eq!(execution["name"], format!("friday-{}", market(number)));
        assert_eq!((&execution["state"], &execution["attempts"]), (&json!(state), &json!(1)), "{execution:#}");
    }
    for (number, reason) in [(TOO_FEW, "TOO_FEW_CODES"), (NOT_SHARED, "NO_SHARED_CODE"), (UNKNOWN, "MARKET_NOT_FOUND")]
    {
        let cause = executions[number]["cause"].as_str().unwrap();
        assert!(cause.contains(reason), "{cause}");
    }

    host.drained("saveSelectionQueue").await;
    let mut last = BTreeMap::new();
    for stats in host.fakes.entries().stats(CAMPAIGN) {
        last.insert(stats["marketId"].as_str().unwrap().to_owned(), stats);
    }
    for number in 0..MARKETS {
        let (found, stats) = (verdicts(&host, number).await, &last[&market(number)]);
        if FAILING.contains(&number) {
            assert_eq!(stats["status"], "FAILED", "{stats}");
            assert!(found.iter().all(|(verdict, code)| verdict.is_null() && code.is_null()), "{number}: {found:?}");
            continue;
        }
        let expected = json!({ "marketId": market(number), "status": "FINISHED", "total": FANS, "PROCESSED": SEATS,
            "FAILED": 0 });
        assert_eq!(*stats, expected);
        for (place, (verdict, code)) in found.iter().enumerate() {
            let own = || json!(format!("{}-{place:03}", market(number)));
            let due = if is_shared(number) { json!(format!("SHARED-{number}")) } else { own() };
            let due = if place < SEATS { (json!(true), due) } else { (json!(false), Value::Null) };
            assert_eq!((verdict, code), (&due.0, &due.1), "{} of {}", fan(number, place), market(number));
        }
    }
    assert_eq!(host.fakes.violations(), Vec::<String>::new());
}

/// The Campaign Service says so itself: that is not an outage, and other selections begin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markets_that_nobody_knows_fail_at_once_and_pause_nothing() {
    let host = TestHost::start().await;
    let (code, executions) = select(&host, MARKETS..MARKETS + 6).await;
    assert_eq!((code, executions.len()), (1, 6));
    for execution in executions {
        assert_eq!((&execution["state"], &execution["attempts"]), (&json!("failed"), &json!(1)), "{execution:#}");
        assert!(execution["cause"].as_str().unwrap().contains("CAMPAIGN_NOT_FOUND"), "{execution:#}");
    }
    assert_eq!(host.fakes.entries().stats(CAMPAIGN).len(), 6, "each was attempted once");
}
