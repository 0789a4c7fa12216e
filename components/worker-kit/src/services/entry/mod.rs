//! The Entry Service (`schemas/services/entry.json`): entries and invite lists, and in modules of their own what selection
//! and scoring ask of it.

mod codes;
mod scores;
mod scoring;
mod stats;

pub use codes::{AssignStatus, Assigned, Assignment};
pub use scores::{FanNames, UpsertedScore};
pub use scoring::{Code, MAX_PER_PAGE, Score, ScoringPage, ScoringQuery, ScoringRecord, ScoringState};
pub use stats::{Stats, StatsStatus};

use super::{Client, Path, ResponseBody, ResponseSummary, Results, ServiceError};
use crate::Call;
use host_adapters_json::lenient::{if_readable, whole_if_readable};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

/// The Entry Service, as one call uses it.
#[derive(Clone, Debug)]
pub struct EntryService<'a>(Client<'a>);

/// An entry as the service takes it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry<'a> {
    /// The fan.
    pub global_user_id: &'a str,
    /// The campaign.
    pub campaign_id: &'a str,
    /// The fan's member id, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_id: Option<&'a str>,
    /// The form, normalised: a JSON object.
    pub fields: &'a RawValue,
    /// The campaign that the entry was transferred from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linked_from: Option<&'a str>,
    /// The fan's score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<&'a RawValue>,
    /// When the entry was made and changed, RFC 3339.
    pub date: Dates<'a>,
    /// `date.updated`; the service keeps the newer.
    pub version: &'a str,
}

/// When an entry was made and changed, RFC 3339 with milliseconds and `Z`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dates<'a> {
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<&'a str>,
    /// When it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<&'a str>,
    /// When its fan last changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fan_modified: Option<&'a str>,
}

/// An entry to delete.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// The fan.
    pub global_user_id: String,
    /// `date.updated` of the removed image; it wins a tie and stays as a tombstone.
    pub version: String,
}

/// What became of one entry.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Upserted {
    /// Which entry.
    pub global_user_id: String,
    /// What became of it.
    pub status: UpsertStatus,
    /// Why it is invalid.
    #[serde(default, deserialize_with = "if_readable")]
    pub message: Option<String>,
    /// `failed`: stored, but its score was not updated.
    #[serde(default, deserialize_with = "if_readable")]
    pub score: Option<String>,
}

impl Upserted {
    /// Whether the entry was stored but its score was not updated.
    pub fn score_failed(&self) -> bool {
        self.score.as_deref() == Some("failed")
    }
}

/// What became of an entry that was sent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum UpsertStatus {
    /// Stored, or held already.
    Upserted,
    /// The service holds a newer version, or a tombstone at least as new.
    Stale,
    /// The service finds it invalid.
    Invalid,
}

/// What became of one deletion.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// Which entry.
    pub global_user_id: String,
    /// What became of it.
    pub status: DeleteStatus,
}

/// What became of an entry that was to be deleted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum DeleteStatus {
    /// Gone, or was gone already.
    Deleted,
    /// The service holds a newer version.
    Stale,
}

/// What became of one score.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Refreshed {
    /// Whose score.
    pub global_user_id: String,
    /// What became of it.
    pub status: RefreshStatus,
}

/// What became of a score that was to be refreshed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum RefreshStatus {
    /// Up to date.
    Refreshed,
    /// The service holds no such entry.
    Unknown,
    /// Not this time.
    Failed,
}

/// Who may be invited; any one suffices.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitee {
    /// By address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// By id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_user_id: Option<String>,
    /// By member id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
}

/// The body of a request about entries.
#[derive(Debug, Serialize)]
pub struct Entries<'a, T> {
    /// Entries, or what to delete.
    pub entries: &'a [T],
}

/// The answer about entries. API usage prints it without `results`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changes<T> {
    results: Option<Vec<T>>,
    /// Without results it is needed, as is the count.
    #[serde(default, deserialize_with = "if_readable")]
    success: Option<bool>,
    #[serde(default, alias = "deletedCount", alias = "assignedCount", deserialize_with = "whole_if_readable")]
    upserted_count: Option<u64>,
}

impl<T: DeserializeOwned> ResponseBody for Changes<T> {
    const MEMBERS: &[&str] = &["results", "success", "upsertedCount", "deletedCount", "assignedCount"];
}

#[derive(Deserialize)]
struct Refreshes {
    results: Vec<Refreshed>,
}

impl ResponseBody for Refreshes {
    const MEMBERS: &[&str] = &["results"];
}

#[derive(Deserialize)]
struct Invited {
    invited: bool,
}

impl ResponseBody for Invited {
    const MEMBERS: &[&str] = &["invited"];
}

impl<T> Changes<T> {
    /// What became of each entry of a request. Without results, all are done if that is a success with as many as were
    /// sent; otherwise it is unknown which are.
    fn results<E>(
        self,
        summary: ResponseSummary,
        sent: &[E],
        done: impl Fn(&E) -> T,
    ) -> Result<Results<T>, ServiceError> {
        match (self.results, self.success, self.upserted_count) {
            (Some(results), _, _) => Ok(Results { summary, results }),
            (None, None, None) => {
                let problem = "it has neither results nor success and count".to_owned();
                Err(ServiceError::Unreadable { summary, problem })
            }
            (None, Some(true), Some(count)) if usize::try_from(count) == Ok(sent.len()) => {
                Ok(Results { summary, results: sent.iter().map(done).collect() })
            }
            (None, success, count) => Err(ServiceError::Partial {
                summary,
                success: success.unwrap_or_default(),
                count: count.unwrap_or_default(),
                sent: sent.len(),
            }),
        }
    }
}

impl<'a> EntryService<'a> {
    /// The service, as `call` uses it.
    pub fn new(call: &'a Call) -> Self {
        Self(Client { service: "entry", call })
    }

    /// Stores at most [`MAX_PER_REQUEST`](super::MAX_PER_REQUEST) entries of one campaign in one request.
    pub async fn upsert(&self, campaign_id: &str, entries: &[Entry<'_>]) -> Result<Results<Upserted>, ServiceError> {
        let path = Path::new("/{campaignId}/entries", &[campaign_id]);
        let (summary, changes): (_, Changes<_>) = self.0.send("POST", path, Some(&Entries { entries })).await?;
        changes.results(summary, entries, |entry| Upserted {
            global_user_id: entry.global_user_id.to_owned(),
            status: UpsertStatus::Upserted,
            message: None,
            score: None,
        })
    }

    /// Deletes at most [`MAX_PER_REQUEST`](super::MAX_PER_REQUEST) entries of one campaign in one request.
    pub async fn delete(&self, campaign_id: &str, entries: &[Deletion]) -> Result<Results<Deleted>, ServiceError> {
        let path = Path::new("/{campaignId}/entries", &[campaign_id]);
        let (summary, changes): (_, Changes<_>) = self.0.send("DELETE", path, Some(&Entries { entries })).await?;
        changes.results(summary, entries, |deletion| Deleted {
            global_user_id: deletion.global_user_id.clone(),
            status: DeleteStatus::Deleted,
        })
    }

    /// Refreshes the scores of at most [`MAX_PER_REQUEST`](super::MAX_PER_REQUEST) fans of one campaign in one request.
    pub async fn refresh_scores(&self, campaign_id: &str, fans: &[String]) -> Result<Results<Refreshed>, ServiceError> {
        let path = Path::new("/{campaignId}/scores/refresh", &[campaign_id]);
        let body = json!({"globalUserIds": fans});
        let (summary, Refreshes { results }) = self.0.send("POST", path, Some(&body)).await?;
        Ok(Results { summary, results })
    }

    /// Whether a fan is on the campaign's invite list.
    pub async fn is_invited(&self, campaign_id: &str, invitee: &Invitee) -> Result<bool, ServiceError> {
        let path = Path::new("/{campaignId}/invites/check", &[campaign_id]);
        let (_, Invited { invited }) = self.0.send("POST", path, Some(invitee)).await?;
        Ok(invited)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// What a service's answer to three entries says of them, as `fan status`, or the error.
    fn read(answer: &str) -> Result<Vec<String>, ServiceError> {
        let summary = ResponseSummary::new("entry", 200, answer);
        let answer = Changes::<Deleted>::read(&summary, answer)?;
        let done = |fan: &&str| Deleted { global_user_id: (*fan).to_owned(), status: DeleteStatus::Deleted };
        let results = answer.results(summary, &["u", "v", "w"], done)?.results;
        Ok(results.into_iter().map(|it| format!("{} {:?}", it.global_user_id, it.status)).collect())
    }

    #[test]
    fn point_3_the_documents_own_answer_is_understood() {
        let all = vec!["u Deleted".to_owned(), "v Deleted".to_owned(), "w Deleted".to_owned()];
        for answer in [
            r#"{"success":true,"upsertedCount":3}"#,
            r#"{"success":true,"upsertedCount":3,"results":null,"more":[]}"#,
            r#"{"success":true,"deletedCount":3}"#,
        ] {
            assert_eq!(read(answer), Ok(all.clone()), "{answer}");
        }
        let ours = r#"{"success":false,"upsertedCount":3,"results":[{"globalUserId":"u","status":"stale"}]}"#;
        assert_eq!(read(ours), Ok(vec!["u Stale".to_owned()]), "results say more than a count");
    }

    #[test]
    fn case_21_a_count_is_a_whole_number_however_it_is_written() {
        for count in ["3.0", "3e0", "30E-1"] {
            let answer = format!(r#"{{"success":true,"upsertedCount":{count}}}"#);
            assert_eq!(read(&answer).map(|all| all.len()), Ok(3), "{answer}");
        }
        assert!(read(r#"{"success":true,"upsertedCount":3.5}"#).unwrap_err().is_refusal());
    }

    #[test]
    fn case_02_beside_results_nothing_else_is_needed() {
        for more in [r#""success":null"#, r#""success":"yes""#, r#""upsertedCount":null"#, r#""deletedCount":"3""#] {
            let answer = format!(r#"{{{more},"results":[{{"globalUserId":"u","status":"deleted"}}]}}"#);
            assert_eq!(read(&answer), Ok(vec!["u Deleted".to_owned()]), "{answer}");
        }
        let upserted = r#"{"globalUserId":"u","status":"upserted","message":7,"score":{"updated":true}}"#;
        let upserted: Upserted = serde_json::from_str(upserted).unwrap();
        assert!(upserted.status == UpsertStatus::Upserted && !upserted.score_failed(), "{upserted:?}");
    }

    #[test]
    fn point_3_an_answer_that_does_not_say_that_all_are_held_is_not_success() {
        for answer in [
            r#"{"success":true,"upsertedCount":2}"#,
            r#"{"success":true,"upsertedCount":4}"#,
            r#"{"success":false,"upsertedCount":3}"#,
            r#"{"success":false}"#,
            r#"{"success":true}"#,
            r#"{"upsertedCount":3}"#,
            r#"{"success":"yes","upsertedCount":3}"#,
            r#"{"results":7}"#,
            "{}",
            "null",
        ] {
            assert!(read(answer).unwrap_err().is_refusal(), "halved until it is known which: {answer}");
        }
    }
}
