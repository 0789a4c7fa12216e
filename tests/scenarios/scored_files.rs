//! Scored files on their way from the bucket: to score items, to the counts of their campaign, and to dead letters.

use super::services::attribute;
use host_adapters_records::objects::Put;
use host_adapters_records::table::{BatchGet, Key, Query};
use serde_json::{Value, json};
use std::fmt::Write;
use tests::{TestHost, wait};

const BUCKET: &str = "scoring-bucket";
const TABLE: &str = "demand-table";
const CAMPAIGN: &str = "campaign-123";
const HEADER: &str = "campaignId,memberId,globalUserId,email,rank,score,verdict";

async fn put(host: &TestHost, key: &str, content: impl AsRef<[u8]>) {
    let content = content.as_ref().to_vec();
    host.platform(&Put { bucket: BUCKET.to_owned(), key: key.to_owned(), content }).await;
}

/// An item of the table; null if there is none.
async fn item(host: &TestHost, pk: String, sk: &str) -> Value {
    let keys = vec![Key { pk, sk: sk.to_owned() }];
    let text = host.platform(&BatchGet { table: TABLE.to_owned(), keys }).await.remove(0);
    text.map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default()
}

/// Waits until a file is read and its report is queued, and returns its rows: all, and the invalid ones.
async fn read(host: &TestHost, key: &str) -> (u64, u64) {
    wait::eventually(key, async || {
        let progress = item(host, format!("FILE#{BUCKET}/{key}"), "progress").await;
        let counts = &progress["position"]["counts"];
        (progress["isDone"] == true).then(|| (counts["rows"].as_u64().unwrap(), counts["invalid"].as_u64().unwrap()))
    })
    .await
}

/// Waits until these are the campaign's verified and rejected fans.
async fn counted(host: &TestHost, verified: u64, rejected: u64) {
    wait::eventually(&format!("{verified} verified and {rejected} rejected"), async || {
        let counts = item(host, format!("CAMPAIGN#{CAMPAIGN}"), "meta:counts").await;
        let count = |name: &str| counts[name].as_u64().unwrap_or(0);
        ((count("verified"), count("rejected")) == (verified, rejected)).then_some(())
    })
    .await;
}

/// The score items of the campaign: `key score verification`.
async fn scores(host: &TestHost) -> Vec<String> {
    let (mut scores, mut after) = (vec![], None);
    loop {
        let pk = format!("CAMPAIGN#{CAMPAIGN}");
        let query = Query { table: TABLE.to_owned(), pk, prefix: "SCORE#".to_owned(), after, limit: 1_000 };
        let page = host.platform(&query).await;
        scores.extend(page.items.iter().map(|text| {
            let item: Value = serde_json::from_str(text).unwrap();
            let name = item["sk"].as_str().unwrap().trim_start_matches("SCORE#");
            format!("{name} {} {}", item["score"], item["verification"].as_str().unwrap())
        }));
        after = page.next;
        if after.is_none() {
            return scores;
        }
    }
}

async fn no_dead_letters(host: &TestHost) {
    for queue in ["loadScoresQueueDlq", "saveFanlistScoresQueueDlq", "saveFanScoresDlq"] {
        assert_eq!(host.depth(queue).await, 0, "{queue}: {:?}", host.peek(queue).await);
    }
}

#[tokio::test]
async fn req_001_a_file_in_scrubbed_becomes_score_items_and_counts_and_invalid_rows_block_no_other() {
    let host = TestHost::start().await;
    let counted_rows = async |outcome| {
        let labels = [("worker", "load-scores"), ("outcome", outcome)];
        host.metric("registration_worker_scoring_rows_total", &labels).await
    };
    let (valid, invalid) = (counted_rows("valid").await, counted_rows("invalid").await);
    let text = format!(
        "\u{feff}{HEADER},note\r\n{CAMPAIGN},m1,g1,,0,5,verified,\"a,\r\nb\"\r\n{CAMPAIGN},m1,,,1,9,verified,\r\n\
         {CAMPAIGN},m2,,,x,7,verified,\r\n{CAMPAIGN},,g1,,0,3,verified,\r\n{CAMPAIGN},,g3,,2,1,rejected,"
    );
    put(&host, "scrubbed/a b+ü.csv", text).await;
    assert_eq!(read(&host, "scrubbed/a b+ü.csv").await, (5, 1));
    assert_eq!(scores(&host).await, ["g3 1 rejected", "m1 9 verified"], "the report waits for the items");
    // Tests of one process share its metrics.
    assert!(counted_rows("valid").await >= valid + 4.0 && counted_rows("invalid").await >= invalid + 1.0);
    counted(&host, 1, 1).await;
    no_dead_letters(&host).await;
}

#[tokio::test]
async fn a_file_in_fanlist_scored_becomes_score_items_and_a_later_one_replaces_them() {
    let host = TestHost::start().await;
    let calls = [("caller", "save-fanlist-scores"), ("function", "data-streams/put-records"), ("result", "ok")];
    let puts = host.metric("registration_platform_seconds_count", &calls).await;
    let text = format!("campaignId,email,score,verdict,memberId\n{CAMPAIGN},Fan@Example.com,5,verified,\n");
    put(
        &host,
        "fanlist/scored/1.csv",
        format!("{text}{CAMPAIGN},fan@example.com,9,verified,\n{CAMPAIGN},,2,verified,m2\n"),
    )
    .await;
    assert_eq!(read(&host, "fanlist/scored/1.csv").await, (3, 0));
    assert_eq!(scores(&host).await, ["email:fan@example.com 9 verified", "m2 2 verified"]);
    assert!(host.metric("registration_platform_seconds_count", &calls).await > puts, "put to campaignDataStream");
    counted(&host, 2, 0).await;
    put(&host, "fanlist/scored/2.csv", text.replace("verified", "rejected")).await;
    assert_eq!(read(&host, "fanlist/scored/2.csv").await, (1, 0));
    assert_eq!(scores(&host).await, ["email:fan@example.com 5 rejected", "m2 2 verified"]);
    counted(&host, 1, 1).await;
    no_dead_letters(&host).await;
}

#[tokio::test]
async fn a_file_of_many_ranges_is_read_whole_and_other_folders_are_left_alone() {
    let host = TestHost::start().await;
    let mut text = format!("{HEADER}\n");
    for n in 0..20_000 {
        let verdict = if n % 5 == 0 { "rejected" } else { "verified" };
        writeln!(text, "{CAMPAIGN},member-{n:05},user-{n:05},,{},{n},{verdict}", n % 3).unwrap();
    }
    put(&host, "other/scrubbed/f.csv", &text).await;
    put(&host, "scrubbed/large.csv", &text).await;
    assert_eq!(read(&host, "scrubbed/large.csv").await, (20_000, 0));
    counted(&host, 16_000, 4_000).await;
    assert_eq!(scores(&host).await.len(), 20_000);
    assert_eq!(item(&host, format!("FILE#{BUCKET}/other/scrubbed/f.csv"), "progress").await, Value::Null);
    no_dead_letters(&host).await;
}

/// Two workers read them, and both write half of the fans. The later file's verdict counts.
#[tokio::test]
async fn count_accuracy_two_files_of_a_campaign_at_once_are_counted_exactly() {
    let host = TestHost::start().await;
    let mut scrubbed = format!("{HEADER}\n");
    let mut fanlist = "campaignId,email,score,verdict,memberId\n".to_owned();
    for n in 0..3_000 {
        writeln!(scrubbed, "{CAMPAIGN},member-{n:05},,,0,{n},verified").unwrap();
        writeln!(fanlist, "{CAMPAIGN},,{n},rejected,member-{:05}", n + 1_500).unwrap();
    }
    put(&host, "scrubbed/both.csv", scrubbed).await;
    put(&host, "fanlist/scored/both.csv", fanlist).await;
    let read = tokio::join!(read(&host, "scrubbed/both.csv"), read(&host, "fanlist/scored/both.csv"));
    assert_eq!(read, ((3_000, 0), (3_000, 0)));
    counted(&host, 1_500, 3_000).await;
    assert_eq!(scores(&host).await.len(), 4_500);
    no_dead_letters(&host).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_becomes_a_dead_letter_by_its_name() {
    let host = TestHost::start().await;
    put(&host, "scrubbed/utf-16.csv", b"\xff\xfec\0a\0\n\0").await;
    let dead = wait::eventually("the dead letter", async || {
        Some(host.peek("loadScoresQueueDlq").await).filter(|found| !found.is_empty())
    })
    .await;
    let reason = "unreadable: scoring-bucket/scrubbed/utf-16.csv: the file is UTF-16; write it as UTF-8";
    assert_eq!((dead.len(), attribute(&dead[0], "reason")), (1, reason), "{dead:?}");
    put(&host, "scrubbed/utf-16.csv", format!("{HEADER}\n{CAMPAIGN},m1,,,0,1,verified\n")).await;
    assert_eq!(read(&host, "scrubbed/utf-16.csv").await, (1, 0));
    assert_eq!(json!(scores(&host).await), json!(["m1 1 verified"]));
}
