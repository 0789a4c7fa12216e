//! Scores on their way from scoresStream: into demand-table and the Entry Service.

use super::services::attribute;
use fake_services::{Faults, Service};
use host_adapters_records::data_streams::{DataRecord, PutRecords};
use host_adapters_records::table::Query;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tests::{TestHost, wait};

const CAMPAIGN: &str = "campaign-123";
/// The campaign of records by which a test knows that what was put before them is handled.
const LAST: &str = "campaign-last";

/// A record of scoresStream as load-scores puts it; a negative score is rejected. It has the names in a list such as
/// `m1 g1 e1`.
pub(super) fn score(names: &str, sequencer: &str, rank: u32, score: i32) -> Value {
    let mut record = json!({
        "campaignId": CAMPAIGN, "rank": rank, "score": score,
        "verification": if score < 0 { "rejected" } else { "verified" },
        "file": format!("scoring-bucket/scrubbed/{sequencer}.csv"), "sequencer": sequencer,
    });
    for name in names.split(' ') {
        let (field, value) = match &name[..1] {
            "m" => ("memberId", name.to_owned()),
            "g" => ("globalUserId", name.to_owned()),
            _ => ("email", format!("{name}@example.com")),
        };
        record[field] = value.into();
    }
    record
}

/// The partition key of a record: its strongest name.
fn key(record: &Value) -> String {
    let names = ["memberId", "globalUserId", "email"];
    names.iter().find_map(|name| record[*name].as_str()).unwrap_or("no name").to_owned()
}

/// Puts records to scoresStream, each under a key.
pub(super) async fn put(host: &TestHost, records: impl Iterator<Item = (String, &Value)>) {
    let record = |(partition_key, record): (String, &Value)| {
        let data = record.to_string().into_bytes();
        DataRecord { partition_key, data }
    };
    let put = PutRecords { stream: "scoresStream".to_owned(), records: records.map(record).collect() };
    let failed: Vec<_> = host.platform(&put).await.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

/// The score items of a campaign: `key score verification`.
async fn items(host: &TestHost, campaign: &str) -> Vec<String> {
    let (mut items, mut after) = (vec![], None);
    loop {
        let pk = format!("CAMPAIGN#{campaign}");
        let query = Query { table: "demand-table".to_owned(), pk, prefix: "SCORE#".to_owned(), after, limit: 1_000 };
        let page = host.platform(&query).await;
        items.extend(page.items.iter().map(|text| {
            let item: Value = serde_json::from_str(text).unwrap();
            let name = item["sk"].as_str().unwrap().trim_start_matches("SCORE#").to_owned();
            format!("{name} {} {}", item["score"], item["verification"].as_str().unwrap())
        }));
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}

/// The scores that the Entry Service holds, by their keys.
fn sent(host: &TestHost) -> BTreeMap<String, Value> {
    host.fakes.entries().scores(CAMPAIGN).into_iter().map(|score| (key(&score), score)).collect()
}

/// Puts the records, and waits until both workers have handled them and all that was put under the same keys before.
async fn handled(host: &TestHost, records: &[Value]) {
    let (before, round) = (host.fakes.entries().scores(LAST).len(), records.len());
    let last = |record: &Value| {
        let mut last = score(&format!("m-last-{before}-{}", key(record)), "", 0, 1);
        last["campaignId"] = LAST.into();
        (key(record), last)
    };
    let lasts: BTreeMap<_, _> = records.iter().map(last).collect();
    let own_keys = records.iter().map(|record| (key(record), record));
    put(host, own_keys.chain(lasts.iter().map(|(key, last)| (key.clone(), last)))).await;
    let expected = before + lasts.len();
    wait::eventually(&format!("{round} records"), async || {
        let saved = items(host, LAST).await.len() == expected;
        (saved && host.fakes.entries().scores(LAST).len() == expected).then_some(())
    })
    .await;
}

async fn no_dead_letters(host: &TestHost) {
    for queue in ["saveFanScoresDlq", "saveEntryScoresDlq"] {
        assert_eq!(host.depth(queue).await, 0, "{queue}: {:?}", host.peek(queue).await);
    }
}

/// That no other rank is sent is also checked when the host is dropped: it is a violation.
#[tokio::test]
async fn req_006_all_ranks_are_saved_and_only_rank_0_reaches_the_entry_service() {
    let host = TestHost::start().await;
    let mut full = score("m1 g1 e1", "0A", 0, 850);
    (full["marketId"], full["eventId"]) = ("market".into(), "event".into());
    let mut unranked = score("m4", "0A", 0, 5);
    unranked.as_object_mut().unwrap().remove("rank");
    handled(&host, &[full.clone(), score("m2", "0A", 1, 7), score("g3", "0A", 0, -1), unranked]).await;
    let saved = ["g3 -1 rejected", "m1 850 verified", "m2 7 verified", "m4 5 verified"];
    // Of a batch, items are written side by side.
    let are_saved = async || (items(&host, CAMPAIGN).await == saved).then_some(());
    wait::eventually("all items", are_saved).await;
    let sent = sent(&host);
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["g3", "m1"]);
    assert_eq!((&sent["m1"], &sent["g3"]["verification"]), (&full, &json!("rejected")));
    no_dead_letters(&host).await;
}

#[tokio::test]
async fn a_lower_score_changes_nothing_and_a_later_file_replaces_also_with_a_rejection() {
    let host = TestHost::start().await;
    let check = async |records: &[Value], expected: &str, held: &Value| {
        handled(&host, records).await;
        let is_saved = async || (items(&host, CAMPAIGN).await == [expected]).then_some(());
        wait::eventually(expected, is_saved).await;
        assert_eq!(sent(&host).values().collect::<Vec<_>>(), [held]);
    };
    let best = score("m1", "0A", 0, 9);
    check(&[score("m1", "0A", 0, 5), best.clone(), score("m1", "0A", 0, 7)], "m1 9 verified", &best).await;
    check(&[score("m1", "0A", 0, 8), best.clone()], "m1 9 verified", &best).await;
    let later = score("m1", "0B", 0, -1);
    check(std::slice::from_ref(&later), "m1 -1 rejected", &later).await;
    // A row of the first file that comes late.
    check(&[score("m1", "0A", 0, 99)], "m1 -1 rejected", &later).await;
    no_dead_letters(&host).await;
}

/// One fan is named by memberId, by globalUserId and by e-mail alone: the partition keys differ, and with them the shards.
#[tokio::test]
async fn req_005_a_fan_who_is_named_in_three_ways_has_one_score_item() {
    let host = TestHost::start().await;
    let names =
        |n: usize| [format!("m{n:02}"), format!("g{n:02}"), format!("e{n:02}"), format!("m{n:02} g{n:02} e{n:02}")];
    let of_fan = |n: usize| {
        let scored = names(n).into_iter().enumerate();
        scored.map(move |(way, names)| score(&names, "0A", 0, i32::try_from((way + n) % 4).unwrap() + 1))
    };
    let mut records: Vec<_> = (0..30).flat_map(of_fan).collect();
    // Some fans' names are linked first, others' last.
    records.rotate_left(41);
    handled(&host, &records).await;
    let expected: Vec<_> = (0..30).map(|n| format!("m{n:02} 4 verified")).collect();
    // What one shard's records make is moved when another shard's records link the names.
    let all_moved = async || (items(&host, CAMPAIGN).await == expected).then_some(());
    wait::eventually("one item a fan", all_moved).await;
    let sent: Vec<_> =
        sent(&host).values().map(|score| format!("{} {}", score["campaignId"], score["score"])).collect();
    assert_eq!(sent, vec![format!("\"{CAMPAIGN}\" 4"); 30]);
    no_dead_letters(&host).await;
}

#[tokio::test]
async fn req_008_a_score_that_the_entry_service_refuses_becomes_a_dead_letter_and_costs_no_other() {
    let host = TestHost::start().await;
    let operations = vec!["upsertScores".to_owned()];
    let poison = vec!["m07".to_owned()];
    host.faults(Service::Entry, Faults { operations, poison, refusal: 422, ..Faults::default() });
    let records: Vec<_> = (0..40).map(|n| score(&format!("m{n:02}"), "0A", 0, n)).collect();
    handled(&host, &records).await;
    let dead = wait::eventually("the dead letter", async || {
        Some(host.peek("saveEntryScoresDlq").await).filter(|found| !found.is_empty())
    })
    .await;
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!(attribute(&dead[0], "reason"), "the entry service refused with status 422: refused on demand");
    assert_eq!((items(&host, CAMPAIGN).await.len(), sent(&host).len()), (40, 39));
    assert!(!sent(&host).contains_key("m07"));
    assert_eq!(host.depth("saveFanScoresDlq").await, 0);
    assert_eq!(host.paused("save-entry-scores").await, None, "no outage");
}

#[tokio::test]
async fn req_008_an_unreadable_record_becomes_a_dead_letter_by_the_name_of_its_field_and_costs_no_other() {
    let host = TestHost::start().await;
    let mut bad = score("m1", "0A", 0, 5);
    bad["score"] = "high".into();
    handled(&host, &[score("m0", "0A", 0, 4), bad, score("m2", "0A", 0, 6)]).await;
    for queue in ["saveFanScoresDlq", "saveEntryScoresDlq"] {
        let dead =
            wait::eventually(queue, async || Some(host.peek(queue).await).filter(|found| !found.is_empty())).await;
        let reason = attribute(&dead[0], "reason");
        assert_eq!((dead.len(), reason.starts_with("malformed: score: ")), (1, true), "{reason}");
    }
    assert_eq!(items(&host, CAMPAIGN).await, ["m0 4 verified", "m2 6 verified"]);
    assert_eq!(sent(&host).keys().collect::<Vec<_>>(), ["m0", "m2"]);
}

#[tokio::test]
async fn while_the_entry_service_is_down_scores_are_saved_all_the_same_and_nothing_is_lost() {
    let host = TestHost::start().await;
    let operations = vec!["upsertScores".to_owned()];
    host.faults(Service::Entry, Faults { operations, unavailable: 1.0, ..Faults::default() });
    let records = [score("m1", "0A", 0, 5), score("m2", "0A", 0, 6)];
    put(&host, records.iter().map(|record| (key(record), record))).await;
    let paused = wait::eventually("the pause", async || host.paused("save-entry-scores").await).await;
    assert!(paused.contains("service:entry"), "{paused}");
    wait::eventually("the items", async || (items(&host, CAMPAIGN).await.len() == 2).then_some(())).await;
    host.faults(Service::Entry, Faults::default());
    wait::eventually("the scores", async || (sent(&host).len() == 2).then_some(())).await;
    no_dead_letters(&host).await;
}
