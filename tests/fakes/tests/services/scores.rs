//! Scores of scored files, as save-entry-scores sends them.

use crate::fixture::{Fixture, V1, entry, statuses};
use fake_services::{Faults, Service};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

fn score(member_id: &str, sequencer: &str, score: f64) -> Value {
    json!({ "campaignId": "c1", "memberId": member_id, "rank": 0, "score": score, "verification": "verified",
            "file": "scoring-bucket/scrubbed/1.csv", "sequencer": sequencer })
}

fn with(score: Value, field: &str, value: Value) -> Value {
    let mut score = score;
    score[field] = value;
    score
}

impl Fixture {
    async fn upsert_scores(&self, scores: Vec<Value>) -> Value {
        let body = Some(json!({ "scores": scores }));
        self.call(Service::Entry, "upsertScores", Method::POST, "/c1/scores", body).await
    }
}

#[tokio::test]
async fn scores_are_kept_by_file_and_height_and_are_those_of_the_scoring_records() {
    let fixture = Fixture::new(Faults::default()).await;
    let member = |id: &str, member: &str| {
        with(with(entry(id, V1), "memberId", member.into()), "fields", json!({ "markets": ["m"] }))
    };
    fixture.upsert("c1", vec![member("u1", "m1"), member("u2", "m2")]).await;
    let answer = fixture.upsert_scores(vec![score("m1", "0A", 5.0), score("m2", "0A", 7.5)]).await;
    assert_eq!((statuses(&answer), &answer["upsertedCount"]), (vec!["upserted", "upserted"], &json!(2)));
    assert_eq!(answer["results"][0], json!({ "memberId": "m1", "status": "upserted" }));
    // A lower one of the same file, then the same one of the other fan again.
    let answer = fixture.upsert_scores(vec![score("m1", "0A", 4.0), score("m2", "0A", 7.5)]).await;
    assert_eq!((statuses(&answer), &answer["success"]), (vec!["stale", "upserted"], &json!(false)));
    let listed = async || {
        let path = "/c1/scoring-records?marketId=m";
        let page = fixture.call(Service::Entry, "listScoringRecords", Method::GET, path, None).await;
        let records = page["records"].as_array().unwrap().clone();
        records
            .iter()
            .map(|record| format!("{} {}", record["globalUserId"].as_str().unwrap(), record["score"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(listed().await, ["u2 7.5", "u1 5.0"]);
    let rejected = with(score("m2", "0B", 1.0), "verification", "rejected".into());
    assert_eq!(statuses(&fixture.upsert_scores(vec![rejected]).await), ["upserted"]);
    assert_eq!(listed().await, ["u1 5.0"]);
    let (_, told) = fixture.send(Service::Entry, Method::GET, "/_control/scores/c1", None).await.unwrap();
    assert_eq!(told["scores"][0], score("m1", "0A", 5.0));
    assert_eq!(told["scores"][1]["verification"], "rejected");
    assert!(fixture.services.violations().is_empty());
}

#[tokio::test]
async fn a_bad_score_costs_no_other_and_one_of_another_rank_is_a_violation() {
    let fixture = Fixture::new(Faults::default()).await;
    let sent = vec![
        with(score("m1", "0A", 5.0), "rank", 1.into()),
        with(score("m2", "0A", 5.0), "verification", "unknown".into()),
        with(score("m3", "0A", 5.0), "campaignId", "c2".into()),
        with(score("m4", "0A", 5.0), "sequencer", "".into()),
    ];
    let answer = fixture.upsert_scores(sent).await;
    assert_eq!(statuses(&answer), ["invalid", "invalid", "invalid", "upserted"]);
    assert!(answer["results"][0]["message"].as_str().unwrap().starts_with("/scores/0/rank: "), "{answer}");
    assert_eq!(fixture.services.entries().scores("c1").len(), 1);
    assert_eq!(fixture.services.violations(), [r#"a score of rank 1 in c1 was sent, of {Member("m1")}"#]);
    let nameless = with(score("m5", "0A", 5.0), "memberId", Value::Null);
    for scores in [vec![nameless], vec![score("m6", "0A", 5.0); 26], vec![]] {
        let body = Some(json!({ "scores": scores }));
        let (status, _) = fixture.send(Service::Entry, Method::POST, "/c1/scores", body).await.unwrap();
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn scores_fail_as_everything_else() {
    let fixture = Fixture::new(Faults { without_results: true, ..Faults::default() }).await;
    let answer = fixture.upsert_scores(vec![score("m1", "0A", 5.0)]).await;
    assert_eq!(answer, json!({ "success": true, "upsertedCount": 1 }));
    let poison = vec!["m2".to_owned()];
    fixture.services.set_faults(Service::Entry, Faults { poison, refusal: 422, ..Faults::default() });
    for (member, expected) in [("m1", StatusCode::OK), ("m2", StatusCode::UNPROCESSABLE_ENTITY)] {
        let body = Some(json!({ "scores": [score(member, "0A", 5.0)] }));
        let (status, _) = fixture.send(Service::Entry, Method::POST, "/c1/scores", body).await.unwrap();
        assert_eq!(status, expected, "{member}");
    }
}
