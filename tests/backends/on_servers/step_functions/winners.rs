//! REQ-010 behind Step Functions: the state machine, the whole host and the worker that selects winners.

use crate::backends::on_servers::step_functions::machine::Machine;
use crate::backends::on_servers::step_functions::process::{SECRET, runtime_config};
use fake_services::Service;
use host_adapters::backends::KINDS;
use host_adapters::manifest::SourceConfig;
use host_adapters::manifest::runtime_config::RuntimeConfig;
use host_adapters_platform::Declared;
use serde_json::{Value, json};
use std::path::Path;
use tests::{TestHost, entry, wait};

const WORKER: &str = "enqueue-market-selections";
/// The campaign of the machine's executions.
const CAMPAIGN: &str = "campaign-123";
const MARKETS: [&str; 3] = ["m1", "m2", "m3"];
/// The market that has too few codes.
const FAILING: &str = "m2";
const FANS: usize = 4;
const SEATS: usize = 2;
const UPDATED: &str = "2026-05-04T10:30:00.000Z";

/// A host whose tasks are the machine's. All else is embedded.
async fn host(machine: &Machine) -> TestHost {
    let environment = |name: &str| (name == SECRET.0).then(|| SECRET.1.to_owned());
    let (path, text) = (Path::new("runtime-config.toml"), runtime_config(machine).await);
    let config = RuntimeConfig::parse(path, &text, KINDS, &Declared::default(), &environment).unwrap();
    TestHost::on(config, |app| {
        for source in &mut app.components.get_mut(WORKER).unwrap().sources {
            if let SourceConfig::Task(config) = source {
                config.heartbeat_secs = 1;
            }
        }
    })
    .await
}

/// The n-th best fan of a market.
fn fan(market: &str, place: usize) -> String {
    format!("{market}-fan-{place}")
}

/// Puts the closed campaign, its markets, their codes and their fans in.
async fn prepare(host: &TestHost) {
    let put = async |path: String, body: Value| {
        let url = format!("{}/_control/campaigns/{path}", host.fakes.url(Service::Campaign));
        assert_eq!(host.send(host.http().put(url).json(&body)).await.status, 200, "{path}");
    };
    put(CAMPAIGN.to_owned(), json!({ "id": CAMPAIGN, "slug": CAMPAIGN, "status": "CLOSED" })).await;
    for market in MARKETS {
        let document = json!({ "id": market, "campaignId": CAMPAIGN, "ticketer": "AXS", "capacity": SEATS });
        put(format!("{CAMPAIGN}/markets/{market}"), document).await;
        let codes = if market == FAILING { 499 } else { 500 };
        host.fakes.codes().add(CAMPAIGN, market, (0..codes).map(|code| format!("{market}-{code:03}")));
    }
    let fans = || MARKETS.into_iter().flat_map(|market| (0..FANS).map(move |place| (market, place)));
    let item = |(market, place)| entry(CAMPAIGN, &fan(market, place), &json!({ "markets": [market] }), UPDATED);
    host.put_entries(&fans().map(item).collect::<Vec<_>>()).await;
    let score = |(market, place)| json!({ "globalUserId": fan(market, place), "score": FANS - place });
    host.fakes.entries().give_scores(CAMPAIGN, fans().map(score).collect()).unwrap();
    let entries = host.fakes.entries();
    wait::eventually("all entries", async || (entries.count() == MARKETS.len() * FANS).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn req_010_one_of_three_markets_fails_and_the_others_select_their_winners() {
    let machine = Machine::of(WORKER).await;
    let host = host(&machine).await;
    prepare(&host).await;
    let execution = machine.select(json!(["m1", { "marketId": "m2" }, "m3"])).await;
    let outcomes = machine.outcomes(&execution).await;
    assert_eq!(machine.errors(&execution).await, ["Registration.Failed"], "each market has one attempt: {outcomes:?}");
    host.drained("saveSelectionQueue").await;
    for (market, outcome) in MARKETS.into_iter().zip(&outcomes) {
        let stats =
            host.fakes.entries().stats(CAMPAIGN).into_iter().rfind(|stats| stats["marketId"] == market).unwrap();
        let is_failing = market == FAILING;
        assert_eq!((&outcome["marketId"], &stats["total"]), (&json!(market), &json!(FANS)), "{outcome}");
        if is_failing {
            assert_eq!((&outcome["outcome"], &stats["status"]), (&json!("FAILED"), &json!("FAILED")), "{outcome}");
            assert_eq!(outcome["error"]["Error"], "Registration.Failed");
            assert!(outcome["error"]["Cause"].as_str().unwrap().contains("TOO_FEW_CODES"), "{outcome}");
        } else {
            let expected =
                json!({ "marketId": market, "outcome": "SUCCEEDED", "output": { "stats": stats, "errors": [] } });
            assert_eq!(*outcome, expected);
            assert_eq!((&stats["status"], &stats["PROCESSED"]), (&json!("FINISHED"), &json!(SEATS)));
        }
        for place in 0..FANS {
            let item = host.item(CAMPAIGN, &fan(market, place)).await;
            let verdict = if is_failing { Value::Null } else { json!(place < SEATS) };
            let code = if verdict == true { json!(format!("{market}-{place:03}")) } else { Value::Null };
            assert_eq!((&item["verdict"], &item["accessCode"]), (&verdict, &code), "{market} {place}");
        }
    }
    assert_eq!(host.fakes.violations(), Vec::<String>::new());
}
