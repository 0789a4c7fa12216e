//! Reports to Slack: from verdictReporterQueue to the channel, each change once.

use super::services::attribute;
use fake_services::{Faults, Post, Service};
use host_adapters::manifest::{App, Value as Setting};
use host_adapters_records::table::{BatchGet, Key};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tests::{TestHost, entry, impatient, wait};

const CAMPAIGN: &str = "campaign-123";
const QUEUE: &str = "verdictReporterQueue";
const DEAD: &str = "verdictReporterQueueDlq";
/// A part of the webhook's address, which must not be shown.
const SECRET: &str = "FakeFake";

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// Sets the counts of the campaign, as count-verdicts keeps them.
async fn count(host: &TestHost, [verified, rejected, selected]: [i64; 3]) {
    let mut item = json!({ "verified": verified, "rejected": rejected, "selected": selected, "position": {} });
    item["pk"] = format!("CAMPAIGN#{CAMPAIGN}").into();
    item["sk"] = "meta:counts".into();
    host.put_entry(&item).await;
}

/// Asks for a report, as the loaders do at a file's end.
async fn ask(host: &TestHost, expected: Value) {
    let file = "scoring-bucket/scrubbed/1.csv";
    let body = json!({ "campaignId": CAMPAIGN, "source": "scoring", "file": file, "expected": expected });
    host.queue(QUEUE, &[body.to_string()]).await;
}

/// Waits until Slack has this many posts.
async fn posts(host: &TestHost, count: usize) -> Vec<Post> {
    let what = format!("{count} posts");
    wait::eventually(&what, async || Some(host.fakes.slack().posts()).filter(|posts| posts.len() >= count)).await
}

/// The counts that a post states.
fn counts(post: &Post) -> [i64; 3] {
    let report = post.report.as_ref().unwrap();
    assert_eq!(report.campaign_id, CAMPAIGN);
    [report.verified, report.rejected, report.selected]
}

/// The item with the counts that Slack was told last.
async fn told(host: &TestHost) -> Value {
    let key = Key { pk: format!("CAMPAIGN#{CAMPAIGN}"), sk: "meta:slack:counts".to_owned() };
    let mut items = host.platform(&BatchGet { table: "demand-table".to_owned(), keys: vec![key] }).await;
    items.remove(0).map(|item| serde_json::from_str(&item).unwrap()).unwrap_or_default()
}

#[tokio::test]
async fn req_003_slack_hears_each_change_once_and_within_60_seconds() {
    let host = TestHost::start().await;
    count(&host, [1_200, 300, 0]).await;
    let asked_ms = now_ms();
    ask(&host, json!({ "verified": 1_200, "rejected": 300 })).await;
    ask(&host, json!({ "verified": 1_000 })).await;
    let first = posts(&host, 1).await;
    let text = "Scoring of campaign campaign-123, file scoring-bucket/scrubbed/1.csv: 1,200 verified (+1,200), \
                300 rejected (+300), 0 selected";
    assert_eq!(first[0].text, text);
    assert!(first[0].at_ms - asked_ms <= 60_000, "{} ms", first[0].at_ms - asked_ms);
    host.drained(QUEUE).await;
    let told = told(&host).await;
    assert_eq!((&told["verified"], &told["rejected"], &told["teller"]), (&json!(1_200), &json!(300), &Value::Null));

    // The same counts again, then others.
    ask(&host, json!({})).await;
    host.drained(QUEUE).await;
    count(&host, [1_201, 299, 0]).await;
    ask(&host, json!({})).await;
    host.drained(QUEUE).await;
    let posts = posts(&host, 2).await;
    assert_eq!(posts.iter().map(counts).collect::<Vec<_>>(), [[1_200, 300, 0], [1_201, 299, 0]]);
    assert_eq!(host.depth(DEAD).await, 0);
}

#[tokio::test]
async fn requeue_logic_counts_below_what_is_expected_are_looked_at_again_without_a_failure() {
    let host = TestHost::with(impatient).await;
    count(&host, [1_199, 0, 0]).await;
    ask(&host, json!({ "verified": 1_200 })).await;
    let looked = async || {
        let message = host.peek(QUEUE).await.into_iter().next()?;
        let body: Value = serde_json::from_str(message["body"].as_str()?).ok()?;
        (body["seen"]["verified"] == 1_199).then_some((message["id"].clone(), body))
    };
    let (mut id, copy) = wait::eventually("a delayed copy", async || looked().await).await;
    assert_eq!((&copy["expected"], copy["sinceMs"].is_u64()), (&json!({ "verified": 1_200 }), true), "{copy}");
    // Each look replaces the copy by another. There are more than a message has attempts.
    for _ in 0..3 {
        let another = async || looked().await.filter(|(other, _)| *other != id);
        let (next, _) = wait::eventually("another copy", another).await;
        id = next;
    }
    assert_eq!((host.fakes.slack().posts().len(), host.depth(DEAD).await), (0, 0));
    wait::eventually("one copy", async || (host.depth(QUEUE).await == 1).then_some(())).await;
    count(&host, [1_200, 0, 0]).await;
    assert_eq!(counts(&posts(&host, 1).await[0]), [1_200, 0, 0]);
    host.drained(QUEUE).await;
}

/// The source is paused, and continues when Slack does.
async fn slack_fails(faults: Faults, reason: &str) {
    let host = TestHost::start().await;
    count(&host, [5, 0, 0]).await;
    host.faults(Service::Slack, faults);
    ask(&host, json!({})).await;
    let paused = wait::eventually("the pause", async || host.paused("report-verdicts").await).await;
    assert!(paused.contains(reason) && !paused.contains(SECRET), "{paused}");
    assert_eq!(host.depth(DEAD).await, 0);
    host.faults(Service::Slack, Faults::default());
    assert_eq!(counts(&posts(&host, 1).await[0]), [5, 0, 0]);
    host.drained(QUEUE).await;
    assert_eq!((host.fakes.slack().posts().len(), host.depth(DEAD).await), (1, 0));
}

#[tokio::test]
async fn while_slack_is_down_its_source_is_paused() {
    slack_fails(Faults { unavailable: 1.0, ..Faults::default() }, "service:slack").await;
}

#[tokio::test]
async fn a_webhook_that_is_gone_pauses_the_source() {
    slack_fails(Faults { refused: 1.0, refusal: 404, ..Faults::default() }, "404").await;
}

/// The page of a proxy is not Slack's answer.
#[tokio::test]
async fn a_page_in_place_of_slacks_answer_pauses_the_source() {
    slack_fails(Faults { refused: 1.0, refusal: 200, ..Faults::default() }, "but not by the service").await;
}

#[tokio::test]
async fn what_slack_refuses_becomes_a_dead_letter_that_does_not_tell_the_address() {
    let host = TestHost::with(impatient).await;
    count(&host, [5, 0, 0]).await;
    host.faults(Service::Slack, Faults { refused: 1.0, refusal: 410, ..Faults::default() });
    ask(&host, json!({})).await;
    let dead_letters = wait::eventually(DEAD, async || Some(host.peek(DEAD).await).filter(|it| !it.is_empty())).await;
    let reason = "the slack service refused with status 410: channel_is_archived";
    assert_eq!(attribute(&dead_letters[0], "reason"), reason);
    assert!(!json!(dead_letters).to_string().contains(SECRET));
    assert_eq!(host.paused("report-verdicts").await, None);
}

fn without_slack(app: &mut App) {
    let slack = app.host.services.iter_mut().find(|service| service.name == "slack").unwrap();
    slack.upstream = Setting::default();
}

#[tokio::test]
async fn without_slack_reports_are_logged_and_settled() {
    let host = TestHost::with(without_slack).await;
    count(&host, [5, 0, 0]).await;
    ask(&host, json!({})).await;
    wait::eventually("the note", async || (told(&host).await["verified"] == 5).then_some(())).await;
    host.drained(QUEUE).await;
    assert_eq!((host.depth(DEAD).await, host.fakes.slack().posts().len()), (0, 0));
    assert_eq!(host.paused("report-verdicts").await, None);
}

/// From save-selections over the table's changes and count-verdicts.
#[tokio::test]
async fn a_selection_is_told_with_all_its_winners() {
    const WINNERS: usize = 60;
    let host = TestHost::with(impatient).await;
    let updated = "2024-01-15T10:30:00.000Z";
    let fans: Vec<_> = (0..WINNERS).map(|n| format!("fan-{n:02}")).collect();
    let fields = json!({ "email": "fan@example.com", "markets": ["m"] });
    host.put_entries(&fans.iter().map(|fan| entry(CAMPAIGN, fan, &fields, updated)).collect::<Vec<_>>()).await;
    for fan in &fans {
        host.replicated(CAMPAIGN, fan, updated).await;
    }
    let codes = host.reserve_codes(CAMPAIGN, "m", WINNERS).await;
    let winner = |(fan, code): (&String, &String)| {
        let ids = json!({ "taskId": "t", "campaignId": CAMPAIGN, "marketId": "m", "globalUserId": fan });
        let mut body = ids;
        body["verdict"] = true.into();
        body["code"] = code.as_str().into();
        body.to_string()
    };
    host.queue("saveSelectionQueue", &fans.iter().zip(&codes).map(winner).collect::<Vec<_>>()).await;
    host.drained("saveSelectionQueue").await;
    posts(&host, 1).await;
    host.drained(QUEUE).await;
    let posts = host.fakes.slack().posts();
    let last = posts.last().unwrap();
    assert_eq!(counts(last), [0, 0, WINNERS as i64], "{posts:?}");
    assert!(last.text.starts_with("Selection of campaign campaign-123, market m: "), "{}", last.text);
}
