//! Requests the scores of a batch, and decides the dispositions of its records.

use futures::{StreamExt, stream};
use serde::Deserialize;
use std::collections::BTreeMap;
use worker_kit::Disposition;
use worker_kit::services::entry::{RefreshStatus, Refreshed};
use worker_kit::services::{Results, ServiceError, isolate};

/// Most campaigns at a time.
const CAMPAIGNS: usize = 4;
/// Most requests at a time for one campaign.
const REQUESTS_PER_CAMPAIGN: usize = 2;

/// The body of a message to retryScoreQueue.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    campaign_id: String,
    global_user_id: String,
}

impl Body {
    /// Checks the ids. The error is a reason to reject the record, and names the field.
    pub fn checked(self) -> Result<Self, String> {
        for (field, value) in [("campaignId", &self.campaign_id), ("globalUserId", &self.global_user_id)] {
            if value.is_empty() {
                return Err(format!("malformed: {field} is empty"));
            }
        }
        Ok(self)
    }
}

/// A fan of one campaign, with the indices of the records of the fan's score.
type Fan = (String, Vec<usize>);

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// The disposition of each record.
    pub settled: Vec<(usize, Disposition)>,
    /// One for each request that failed, for the log.
    pub problems: Vec<ServiceError>,
}

/// Requests the scores of a batch, whose records are named by their index. `send` requests those of fans of one campaign.
pub async fn refresh(
    bodies: impl IntoIterator<Item = (usize, Body)>,
    send: impl AsyncFn(&str, &[String]) -> Result<Results<Refreshed>, ServiceError>,
) -> Outcomes {
    let send = &send;
    let campaigns = by_campaign(bodies).into_iter().map(|(campaign_id, fans)| async move {
        let send = async |fans: &[Fan]| {
            let ids: Vec<_> = fans.iter().map(|(id, _)| id.clone()).collect();
            send(&campaign_id, &ids).await
        };
        isolate(fans, REQUESTS_PER_CAMPAIGN, send).await
    });
    let mut outcomes = Outcomes::default();
    for (fans, answer) in stream::iter(campaigns).buffer_unordered(CAMPAIGNS).concat().await {
        outcomes.problems.extend(answer.as_ref().err().cloned());
        outcomes.settled.extend(settle(fans, &answer));
    }
    outcomes
}

/// The fans of each campaign, each once.
fn by_campaign(bodies: impl IntoIterator<Item = (usize, Body)>) -> BTreeMap<String, Vec<Fan>> {
    let mut campaigns: BTreeMap<String, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
    for (index, body) in bodies {
        let fans = campaigns.entry(body.campaign_id).or_default();
        fans.entry(body.global_user_id).or_default().push(index);
    }
    campaigns.into_iter().map(|(campaign_id, fans)| (campaign_id, fans.into_iter().collect())).collect()
}

/// The dispositions of the fans' records, by the outcome of their request.
fn settle(fans: Vec<Fan>, answer: &Result<Results<Refreshed>, ServiceError>) -> Vec<(usize, Disposition)> {
    let disposition = |id: &str| match answer {
        Ok(answer) => refreshed(answer, id),
        Err(error) => error.disposition(),
    };
    let settle = |(id, records): Fan| {
        let disposition = disposition(&id);
        records.into_iter().map(move |record| (record, disposition.clone()))
    };
    fans.into_iter().flat_map(settle).collect()
}

/// The disposition by the service's result. A record that the service refuses is retried, too, because the entry may
/// not have reached the service yet. The state of a fan that its answer does not mention is unknown.
fn refreshed(answer: &Results<Refreshed>, id: &str) -> Disposition {
    let result = answer.results.iter().find(|result| result.global_user_id == id);
    match result.map(|result| result.status) {
        Some(RefreshStatus::Refreshed) => Disposition::Ack,
        Some(RefreshStatus::Unknown) => Disposition::retry(answer.told("unknown: it holds no such entry")),
        Some(RefreshStatus::Failed) => Disposition::retry(answer.told("failed: it did not compute the score")),
        None => Disposition::retry(answer.unmentioned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#[allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use std::cell::RefCell;
    use worker_kit::services::ResponseSummary;

    const TOLD: &str = "the entry service answered with status 200";

    fn body(campaign: &str, fan: &str) -> Body {
        Body { campaign_id: campaign.to_owned(), global_user_id: fan.to_owned() }
    }

    /// The dispositions of the records, where the service answers `status` for each fan; and the requests.
    fn run(
        bodies: Vec<Body>,
        status: impl Fn(&str) -> Option<RefreshStatus>,
        refused: &[&str],
    ) -> (Vec<Disposition>, Vec<(String, usize)>) {
        let requests = RefCell::new(Vec::new());
        let outcomes = refresh(bodies.into_iter().enumerate(), async |campaign: &str, fans: &[String]| {
            requests.borrow_mut().push((campaign.to_owned(), fans.len()));
            if fans.iter().any(|fan| refused.contains(&fan.as_str())) {
                return Err(refusal());
            }
            let results = fans.iter().filter_map(|fan| Some((fan, status(fan)?)));
            let results = results.map(|(fan, status)| Refreshed { global_user_id: fan.clone(), status }).collect();
            Ok(Results { summary: ResponseSummary::new("entry", 200, "{}"), results })
        });
        let mut settled = block_on(outcomes).settled;
        settled.sort_by_key(|(record, _)| *record);
        (settled.into_iter().map(|(_, disposition)| disposition).collect(), requests.into_inner())
    }

    fn refusal() -> ServiceError {
        ServiceError::Refused(ResponseSummary::new("entry", 400, "not mine"))
    }

    fn all_refreshed(_: &str) -> Option<RefreshStatus> {
        Some(RefreshStatus::Refreshed)
    }

    #[test]
    fn requests_hold_one_campaign_and_at_most_25_fans() {
        let bodies = (0..60).map(|fan| body(if fan % 2 == 0 { "a" } else { "b" }, &format!("fan-{fan:02}")));
        let (dispositions, mut requests) = run(bodies.collect(), all_refreshed, &[]);
        requests.sort();
        let expected = [("a", 5), ("a", 25), ("b", 5), ("b", 25)].map(|(campaign, fans)| (campaign.to_owned(), fans));
        assert_eq!(requests, expected);
        assert_eq!(dispositions, vec![Disposition::Ack; 60]);
    }

    #[test]
    fn a_fan_is_asked_for_once_and_settles_all_its_records() {
        let status = |fan: &str| Some(if fan == "u" { RefreshStatus::Refreshed } else { RefreshStatus::Failed });
        let (dispositions, requests) = run(vec![body("a", "u"), body("a", "v"), body("a", "u")], status, &[]);
        assert_eq!(requests, [("a".to_owned(), 2)]);
        let failed = Disposition::retry(format!("{TOLD}, and of the record: failed: it did not compute the score"));
        assert_eq!(dispositions, [Disposition::Ack, failed, Disposition::Ack]);
    }

    #[test]
    fn d2_6__point_2_the_record_of_an_unknown_entry_is_retried() {
        let (dispositions, _) = run(vec![body("a", "u")], |_| Some(RefreshStatus::Unknown), &[]);
        let reason = format!("{TOLD}, and of the record: unknown: it holds no such entry");
        assert_eq!(dispositions, [Disposition::retry(reason)]);
    }

    #[test]
    fn a_fan_that_the_response_does_not_mention_is_retried() {
        let (dispositions, _) = run(vec![body("a", "u")], |_| None, &[]);
        let reason = format!("{TOLD}, which does not mention the record: {{}}");
        assert_eq!(dispositions, [Disposition::retry(reason)]);
    }

    #[test]
    fn point_2_a_refused_request_is_halved_down_to_one_fan_who_is_retried() {
        let bodies = ["u", "v", "w", "v"].map(|fan| body("a", fan)).to_vec();
        let (dispositions, requests) = run(bodies, all_refreshed, &["v"]);
        let refused = refusal().disposition();
        assert_eq!(dispositions, [Disposition::Ack, refused.clone(), Disposition::Ack, refused]);
        assert_eq!(requests.iter().map(|(_, fans)| *fans).collect::<Vec<_>>(), [3, 1, 2, 1, 1]);
    }

    #[test]
    fn an_empty_id_is_malformed() {
        assert_eq!(body("", "u").checked().unwrap_err(), "malformed: campaignId is empty");
        assert_eq!(body("a", "").checked().unwrap_err(), "malformed: globalUserId is empty");
        assert!(body("a", "u").checked().is_ok());
    }
}
