//! Codes that fans win.

use super::super::{Path, Results, ServiceError};
use super::{Changes, Entries, EntryService};
use host_adapters_json::lenient::if_readable;
use serde::{Deserialize, Serialize};

/// A code for a fan.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// The fan.
    pub global_user_id: String,
    /// The market won.
    pub market_id: String,
    /// The code.
    pub code: String,
}

/// What became of one code.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Assigned {
    /// Whose code.
    pub global_user_id: String,
    /// What became of it.
    pub status: AssignStatus,
    /// Why it is invalid.
    #[serde(default, deserialize_with = "if_readable")]
    pub message: Option<String>,
}

/// What became of a code that was to be assigned.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum AssignStatus {
    /// The fan has this code of this market, now or already.
    Assigned,
    /// It could be assigned; another part of the request prevented that.
    Unassigned,
    /// The fan has another code.
    Held,
    /// The service holds no entry of the fan.
    Unknown,
    /// The service finds it invalid.
    Invalid,
}

impl EntryService<'_> {
    /// Assigns codes to at most [`MAX_PER_REQUEST`](super::super::MAX_PER_REQUEST) fans of one campaign in one request:
    /// to all of them or to none. Assigning a code again has no effect.
    pub async fn assign_codes(
        &self,
        campaign_id: &str,
        entries: &[Assignment],
    ) -> Result<Results<Assigned>, ServiceError> {
        let path = Path::new("/{campaignId}/entries/codes", &[campaign_id]);
        let (summary, changes): (_, Changes<_>) = self.0.send("POST", path, Some(&Entries { entries })).await?;
        changes.results(summary, entries, |assignment| Assigned {
            global_user_id: assignment.global_user_id.clone(),
            status: AssignStatus::Assigned,
            message: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::{ResponseBody, ResponseSummary};

    /// What an answer about two fans says of them, or the error.
    fn read(body: &str) -> Result<Vec<Assigned>, ServiceError> {
        let summary = ResponseSummary::new("entry", 200, body);
        let done = |fan: &&str| assigned(fan, AssignStatus::Assigned, None);
        Ok(Changes::<Assigned>::read(&summary, body)?.results(summary, &["u", "v"], done)?.results)
    }

    fn assigned(fan: &str, status: AssignStatus, message: Option<&str>) -> Assigned {
        Assigned { global_user_id: fan.to_owned(), status, message: message.map(str::to_owned) }
    }

    #[test]
    fn without_results_a_success_with_as_many_as_were_sent_means_that_all_are_assigned() {
        let all = vec![assigned("u", AssignStatus::Assigned, None), assigned("v", AssignStatus::Assigned, None)];
        assert_eq!(read(r#"{"success":true,"assignedCount":2}"#), Ok(all));
        for body in [
            r#"{"success":false,"assignedCount":0}"#,
            r#"{"success":false}"#,
            r#"{"success":true,"assignedCount":1}"#,
            r#"{"success":true}"#,
            "[]",
            "",
        ] {
            assert!(read(body).is_err_and(|error| error.is_refusal()), "the request is halved: {body}");
        }
    }

    #[test]
    fn case_02_a_message_that_is_not_text_costs_no_code() {
        for message in ["null", "7", r#"{"text":"x"}"#, r#""\ud800""#] {
            let body = format!(r#"{{"results":[{{"globalUserId":"u","status":"assigned","message":{message}}}]}}"#);
            assert_eq!(read(&body), Ok(vec![assigned("u", AssignStatus::Assigned, None)]), "{message}");
        }
    }

    #[test]
    fn results_say_who_kept_the_others_from_their_codes() {
        let body = r#"{"success":false,"assignedCount":0,"results":[
            {"globalUserId":"u","status":"unassigned"},
            {"globalUserId":"v","status":"invalid","message":"left the campaign"}]}"#;
        let told = vec![
            assigned("u", AssignStatus::Unassigned, None),
            assigned("v", AssignStatus::Invalid, Some("left the campaign")),
        ];
        assert_eq!(read(body), Ok(told));
    }
}
