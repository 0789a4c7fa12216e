//! Scores of scored files, for the fans whom they name.

use super::super::{Path, Results, ServiceError};
use super::{Changes, EntryService, UpsertStatus};
use host_adapters_json::lenient::if_readable;
use serde::{Deserialize, Serialize};

/// The names by which the service knows a score's fan; it answers with those that the score was sent with.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "camelCase")]
pub struct FanNames {
    /// The fan's member id.
    #[serde(default)]
    pub member_id: Option<String>,
    /// The fan's id.
    #[serde(default)]
    pub global_user_id: Option<String>,
    /// The fan's e-mail address.
    #[serde(default)]
    pub email: Option<String>,
}

/// What became of one score.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct UpsertedScore {
    /// Whose score.
    #[serde(flatten)]
    pub names: FanNames,
    /// What became of it. A score is stale beside that of a later file, or a higher one of the same file.
    pub status: UpsertStatus,
    /// Why it is invalid.
    #[serde(default, deserialize_with = "if_readable")]
    pub message: Option<String>,
}

/// The body of a request about scores.
#[derive(Serialize)]
struct Scores<'a, T> {
    scores: &'a [T],
}

impl EntryService<'_> {
    /// Stores the scores of at most [`MAX_PER_REQUEST`](super::super::MAX_PER_REQUEST) fans of one campaign in one request.
    /// A score is `Score` of the service's contract, and `names` has its names. The service keeps the latest file's score
    /// and of one file the highest, so to send a score again changes nothing.
    pub async fn upsert_scores<T: Serialize>(
        &self,
        campaign_id: &str,
        scores: &[T],
        names: impl Fn(&T) -> FanNames,
    ) -> Result<Results<UpsertedScore>, ServiceError> {
        let path = Path::new("/{campaignId}/scores", &[campaign_id]);
        let (summary, changes): (_, Changes<_>) = self.0.send("POST", path, Some(&Scores { scores })).await?;
        changes.results(summary, scores, |score| UpsertedScore {
            names: names(score),
            status: UpsertStatus::Upserted,
            message: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::{ResponseBody, ResponseSummary};

    /// What an answer about the scores of two members says of them, or the error.
    fn read(body: &str) -> Result<Vec<UpsertedScore>, ServiceError> {
        let summary = ResponseSummary::new("entry", 200, body);
        let done = |member: &&str| upserted(names(Some(member), None), UpsertStatus::Upserted, None);
        Ok(Changes::<UpsertedScore>::read(&summary, body)?.results(summary, &["m", "n"], done)?.results)
    }

    fn names(member_id: Option<&str>, email: Option<&str>) -> FanNames {
        FanNames { member_id: member_id.map(str::to_owned), global_user_id: None, email: email.map(str::to_owned) }
    }

    fn upserted(names: FanNames, status: UpsertStatus, message: Option<&str>) -> UpsertedScore {
        UpsertedScore { names, status, message: message.map(str::to_owned) }
    }

    #[test]
    fn results_name_a_fan_as_the_score_did() {
        let body = r#"{"success":false,"upsertedCount":0,"results":[
            {"memberId":"m","email":"e@example.com","status":"stale"},
            {"email":"f@example.com","status":"invalid","message":"no such campaign"}]}"#;
        let told = vec![
            upserted(names(Some("m"), Some("e@example.com")), UpsertStatus::Stale, None),
            upserted(names(None, Some("f@example.com")), UpsertStatus::Invalid, Some("no such campaign")),
        ];
        assert_eq!(read(body), Ok(told));
    }

    #[test]
    fn case_02_a_message_that_is_not_text_costs_no_score() {
        for message in ["null", "7", r#"{"text":"x"}"#, r#""\ud800""#] {
            let body = format!(r#"{{"results":[{{"memberId":"m","message":{message},"status":"upserted"}}]}}"#);
            let told = upserted(names(Some("m"), None), UpsertStatus::Upserted, None);
            assert_eq!(read(&body), Ok(vec![told]), "{message}");
        }
    }

    #[test]
    fn without_results_a_success_with_as_many_as_were_sent_means_that_all_are_held() {
        let all = ["m", "n"].map(|member| upserted(names(Some(member), None), UpsertStatus::Upserted, None));
        assert_eq!(read(r#"{"success":true,"upsertedCount":2}"#), Ok(all.to_vec()));
        for body in [r#"{"success":true,"upsertedCount":1}"#, r#"{"success":false,"upsertedCount":2}"#, "{}", ""] {
            assert!(read(body).is_err_and(|error| error.is_refusal()), "the request is halved: {body}");
        }
    }
}
