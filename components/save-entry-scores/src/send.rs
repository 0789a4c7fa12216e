//! Sends the scores of a batch to the Entry Service, and decides the dispositions of its records.

use futures::{StreamExt, stream};
use scoring::fan::jobs;
use scoring::record::ScoreRecord;
use std::collections::BTreeMap;
use worker_kit::Disposition;
use worker_kit::services::entry::{FanNames, UpsertStatus, UpsertedScore};
use worker_kit::services::{Results, ServiceError, isolate};

/// Most campaigns at a time. The Entry Service's limit is per campaign, so one that must wait does not delay the
/// others.
const CAMPAIGNS: usize = 8;
/// Most requests at a time for one campaign.
const REQUESTS_PER_CAMPAIGN: usize = 4;

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// The disposition of each record.
    pub settled: Vec<(usize, Disposition)>,
    /// How many scores were sent.
    pub sent: usize,
    /// One for each request that failed, for the log.
    pub problems: Vec<ServiceError>,
}

/// The score of a fan, and the records of the batch that it settles.
#[derive(Clone, Debug)]
struct Part {
    score: ScoreRecord,
    records: Vec<usize>,
}

/// Sends the records of rank 0, and of each fan's only the one that the others do not replace; the other ranks are done
/// without a call. The Entry Service keeps the latest file's score and of one file the highest, so the outcome depends
/// neither on how records are batched nor on the order of requests. `send` sends scores of one campaign.
pub async fn send(
    records: Vec<(usize, ScoreRecord)>,
    send: impl AsyncFn(&str, &[&ScoreRecord]) -> Result<Results<UpsertedScore>, ServiceError>,
) -> Outcomes {
    let (ours, others): (Vec<_>, Vec<_>) = records.into_iter().partition(|(_, record)| record.is_for_entry_service());
    let settled = others.into_iter().map(|(record, _)| (record, Disposition::Ack)).collect();
    let mut outcomes = Outcomes { settled, ..Outcomes::default() };
    let send = &send;
    let campaigns = by_campaign(ours).into_iter().map(|(campaign_id, parts)| async move {
        let send = async |parts: &[Part]| {
            let scores: Vec<_> = parts.iter().map(|part| &part.score).collect();
            send(&campaign_id, &scores).await
        };
        isolate(parts, REQUESTS_PER_CAMPAIGN, send).await
    });
    for (parts, answer) in stream::iter(campaigns).buffer_unordered(CAMPAIGNS).concat().await {
        outcomes.settle(parts, answer);
    }
    outcomes
}

fn by_campaign(records: Vec<(usize, ScoreRecord)>) -> BTreeMap<String, Vec<Part>> {
    let mut campaigns: BTreeMap<_, Vec<Part>> = BTreeMap::new();
    for job in jobs(records) {
        let part = Part { score: job.named(), records: job.indices };
        campaigns.entry(part.score.campaign_id.clone()).or_default().push(part);
    }
    campaigns
}

/// The names by which the service answers about a score.
pub fn names(score: &ScoreRecord) -> FanNames {
    let ScoreRecord { member_id, global_user_id, email, .. } = score;
    FanNames { member_id: member_id.clone(), global_user_id: global_user_id.clone(), email: email.clone() }
}

impl Outcomes {
    fn settle(&mut self, parts: Vec<Part>, answer: Result<Results<UpsertedScore>, ServiceError>) {
        self.sent += parts.len();
        let results = answer.as_ref().map_or(&[][..], |answer| &answer.results);
        let results: BTreeMap<_, _> = results.iter().map(|result| (&result.names, result)).collect();
        for Part { score, records } in parts {
            let disposition = match &answer {
                Ok(answer) => answered(answer, results.get(&names(&score)).copied()),
                Err(error) => error.disposition(),
            };
            self.settled.extend(records.into_iter().map(|record| (record, disposition.clone())));
        }
        self.problems.extend(answer.err());
    }
}

/// The disposition of a record by the service's result. A score that is stale is done: a later one is held. A record that
/// the answer does not mention is retried, and so is one that the service finds invalid: after the last attempt it becomes a
/// dead letter.
fn answered(answer: &Results<UpsertedScore>, result: Option<&UpsertedScore>) -> Disposition {
    match result.map(|result| (result.status, result.message.as_deref())) {
        Some((UpsertStatus::Upserted | UpsertStatus::Stale, _)) => Disposition::Ack,
        Some((UpsertStatus::Invalid, message)) => {
            let message = message.unwrap_or("it does not say why");
            Disposition::retry(answer.told(format_args!("invalid: {message}")))
        }
        None => Disposition::retry(answer.unmentioned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#[allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use serde_json::{Value, json};
    use std::cell::RefCell;
    use worker_kit::services::ResponseSummary;

    /// A verified score of rank 0 in campaign `c`.
    fn score(member_id: &str, sequencer: &str, score: i32) -> ScoreRecord {
        with(json!({}), member_id, sequencer, score)
    }

    fn with(fields: Value, member_id: &str, sequencer: &str, score: i32) -> ScoreRecord {
        let mut record = json!({
            "campaignId": "c", "memberId": member_id, "rank": 0, "verification": "verified", "file": "b/k",
            "sequencer": sequencer,
        });
        fields.as_object().unwrap().iter().for_each(|(name, value)| record[name] = value.clone());
        record["score"] = score.into();
        serde_json::from_str(&record.to_string()).unwrap()
    }

    /// A request: the campaign, and `member score` of each.
    type Request = (String, Vec<String>);

    /// The dispositions of the records, where the service answers `answer` to each request; and the requests.
    fn run(
        batch: Vec<ScoreRecord>,
        answer: impl Fn(&[&ScoreRecord]) -> Result<Results<UpsertedScore>, ServiceError>,
    ) -> (Vec<Disposition>, Vec<Request>) {
        let requests = RefCell::new(Vec::new());
        let count = batch.len();
        let outcomes =
            send(batch.into_iter().enumerate().collect(), async |campaign: &str, scores: &[&ScoreRecord]| {
                let told = |score: &&ScoreRecord| {
                    format!("{} {}", score.member_id.as_deref().unwrap_or("-"), score.score.as_json().get())
                };
                requests.borrow_mut().push((campaign.to_owned(), scores.iter().map(told).collect()));
                answer(scores)
            });
        let Outcomes { mut settled, .. } = block_on(outcomes);
        settled.sort_by_key(|(record, _)| *record);
        assert_eq!(settled.iter().map(|(record, _)| *record).collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        (settled.into_iter().map(|(_, disposition)| disposition).collect(), requests.into_inner())
    }

    fn answer(scores: &[&ScoreRecord], status: UpsertStatus) -> Results<UpsertedScore> {
        let result = |score: &&ScoreRecord| UpsertedScore { names: names(score), status, message: None };
        // In another order than sent.
        Results {
            summary: ResponseSummary::new("entry", 200, "{}"),
            results: scores.iter().rev().map(result).collect(),
        }
    }

    fn stored(scores: &[&ScoreRecord]) -> Result<Results<UpsertedScore>, ServiceError> {
        Ok(answer(scores, UpsertStatus::Upserted))
    }

    fn refusal() -> ServiceError {
        ServiceError::Refused(ResponseSummary::new("entry", 400, "not mine"))
    }

    #[test]
    fn req_006_only_records_of_rank_0_are_sent() {
        let ranks = [json!(0), json!(1), Value::Null, json!(12), json!(0)];
        let batch = ranks.into_iter().enumerate();
        let batch = batch.map(|(n, rank)| with(json!({"rank": rank}), &format!("m{n}"), "1", 5)).collect();
        let (dispositions, requests) = run(batch, stored);
        assert_eq!(requests, [("c".to_owned(), vec!["m0 5".to_owned(), "m4 5".to_owned()])]);
        assert_eq!(dispositions, vec![Disposition::Ack; 5]);
        let (dispositions, requests) = run(vec![with(json!({"rank": 1}), "m", "1", 5)], stored);
        assert_eq!((dispositions, requests), (vec![Disposition::Ack], vec![]), "nothing to send");
    }

    /// A fan's higher score of another rank does not hide the one of rank 0.
    #[test]
    fn req_005_of_a_fans_records_the_one_that_no_other_replaces_is_sent() {
        let batch = vec![
            score("m", "1", 5),
            score("m", "1", 9),
            score("m", "1", 7),
            with(json!({"rank": 1}), "m", "2", 99),
            score("n", "1", 9),
            score("n", "2", 1),
        ];
        let (dispositions, requests) = run(batch, stored);
        assert_eq!(requests, [("c".to_owned(), vec!["m 9".to_owned(), "n 1".to_owned()])]);
        assert_eq!(dispositions, vec![Disposition::Ack; 6]);
    }

    #[test]
    fn a_score_is_sent_as_the_record_with_its_verification_and_every_digit() {
        let text = r#"{"campaignId":"c","memberId":"m","rank":0,"score":0.12345678901234567890123456789012345678,"verification":"rejected","file":"b/k","sequencer":"0A"}"#;
        let record: ScoreRecord = serde_json::from_str(text).unwrap();
        let other = with(json!({"globalUserId": "g", "email": "e@example.com"}), "m", "09", 5);
        let sent = RefCell::new(String::new());
        run(vec![other, record], |scores| {
            sent.replace(serde_json::to_string(scores).unwrap());
            stored(scores)
        });
        // By the fan's other names the service may know the entry.
        let named = text.replace(r#""rank""#, r#""globalUserId":"g","email":"e@example.com","rank""#);
        assert_eq!(sent.into_inner(), format!("[{named}]"));
    }

    #[test]
    fn requests_hold_at_most_25_scores_of_one_campaign_of_the_whole_batch() {
        let batch = (0..120).map(|n| {
            let campaign = if n % 2 == 0 { "c" } else { "d" };
            with(json!({"campaignId": campaign}), &format!("m{n:03}"), "1", n)
        });
        let (dispositions, requests) = run(batch.collect(), stored);
        let mut sizes: Vec<_> = requests.iter().map(|(campaign, scores)| (campaign.as_str(), scores.len())).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [("c", 10), ("c", 25), ("c", 25), ("d", 10), ("d", 25), ("d", 25)]);
        assert_eq!(dispositions, vec![Disposition::Ack; 120]);
    }

    #[test]
    fn d2_6__a_refused_request_is_halved_down_to_one_score_whose_records_are_retried() {
        let batch: Vec<_> = (0..10).map(|n| score(&format!("m{}", n % 5), "1", n)).collect();
        let (dispositions, requests) = run(batch, |scores| {
            let is_bad = scores.iter().any(|score| score.member_id.as_deref() == Some("m3"));
            if is_bad { Err(refusal()) } else { stored(scores) }
        });
        let failed: Vec<_> = (0..10).filter(|n| dispositions[*n] != Disposition::Ack).collect();
        assert_eq!(failed, [3, 8]);
        assert_eq!(dispositions[3], Disposition::retry("the entry service refused with status 400: not mine"));
        assert!(requests.len() < 8, "{requests:?}");
    }

    #[test]
    fn a_service_that_is_down_is_not_asked_again_in_halves() {
        let down = ServiceError::Unavailable { service: "entry", message: "down".to_owned() };
        let (dispositions, requests) = run(vec![score("m", "1", 5), score("n", "1", 5)], |_| Err(down.clone()));
        assert_eq!((dispositions, requests.len()), (vec![down.disposition(); 2], 1));
    }

    #[test]
    fn each_score_has_the_disposition_of_its_own_result() {
        let batch: Vec<_> = (0..4).map(|n| score(&format!("m{n}"), "1", 5)).collect();
        let (dispositions, _) = run(batch, |scores| {
            let mut answer = answer(scores, UpsertStatus::Upserted);
            answer.results.remove(3);
            answer.results[1].status = UpsertStatus::Stale;
            answer.results[0].status = UpsertStatus::Invalid;
            Ok(answer)
        });
        let told = "the entry service answered with status 200";
        let unmentioned = Disposition::retry(format!("{told}, which does not mention the record: {{}}"));
        let invalid = Disposition::retry(format!("{told}, and of the record: invalid: it does not say why"));
        assert_eq!(dispositions, [unmentioned, Disposition::Ack, Disposition::Ack, invalid]);
    }
}
