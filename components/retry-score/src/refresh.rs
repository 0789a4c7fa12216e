//! Decides which scores to request, and the dispositions of the records. Pure.

use serde::Deserialize;
use std::collections::BTreeMap;
use worker_kit::Disposition;
use worker_kit::services::MAX_PER_REQUEST;
use worker_kit::services::entry::{RefreshStatus, Refreshed};

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

/// One request: fans of one campaign, each with the records of its score.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// The campaign.
    pub campaign_id: String,
    /// At most [`MAX_PER_REQUEST`] fans, each once.
    pub fans: Vec<String>,
    /// The indices of each fan's records in the batch.
    records: Vec<Vec<usize>>,
}

/// The requests for a batch, whose records are named by their index.
pub fn requests(bodies: impl IntoIterator<Item = (usize, Body)>) -> Vec<Request> {
    let mut campaigns: BTreeMap<String, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
    for (index, body) in bodies {
        let fans = campaigns.entry(body.campaign_id).or_default();
        fans.entry(body.global_user_id).or_default().push(index);
    }
    let mut requests = Vec::new();
    for (campaign_id, fans) in campaigns {
        let fans: Vec<_> = fans.into_iter().collect();
        requests.extend(fans.chunks(MAX_PER_REQUEST).map(|chunk| {
            let (fans, records) = chunk.iter().cloned().unzip();
            Request { campaign_id: campaign_id.clone(), fans, records }
        }));
    }
    requests
}

impl Request {
    /// The dispositions of the records, by the service's response. The state of a fan that it does not mention is
    /// unknown.
    pub fn settle(&self, results: &[Refreshed]) -> Vec<(usize, Disposition)> {
        let status = |fan: &String| results.iter().find(|result| result.global_user_id == *fan).map(|it| it.status);
        self.each(|fan| match status(fan) {
            Some(RefreshStatus::Refreshed) => Disposition::Ack,
            Some(RefreshStatus::Unknown) => {
                Disposition::Skip("unknown: the entry service holds no such entry".to_owned())
            }
            Some(RefreshStatus::Failed) => Disposition::retry("service entry: it failed to refresh the score"),
            None => Disposition::retry("service entry: its response does not mention the fan"),
        })
    }

    /// The halves of a request that was refused as a whole, so that the fan that caused it is alone in the end; `None`
    /// if it is alone.
    pub fn halves(&self) -> Option<[Self; 2]> {
        let middle = self.fans.len() / 2;
        let (fans, more_fans) = self.fans.split_at_checked(middle).filter(|(fans, _)| !fans.is_empty())?;
        let (records, more_records) = self.records.split_at_checked(middle)?;
        let half = |fans: &[String], records: &[Vec<usize>]| Self {
            campaign_id: self.campaign_id.clone(),
            fans: fans.to_vec(),
            records: records.to_vec(),
        };
        Some([half(fans, records), half(more_fans, more_records)])
    }

    /// The same disposition for all records of the request.
    pub fn settle_all(&self, disposition: &Disposition) -> Vec<(usize, Disposition)> {
        self.each(|_| disposition.clone())
    }

    fn each(&self, disposition: impl Fn(&String) -> Disposition) -> Vec<(usize, Disposition)> {
        let fans = self.fans.iter().zip(&self.records);
        fans.flat_map(|(fan, records)| {
            let disposition = disposition(fan);
            records.iter().map(move |record| (*record, disposition.clone()))
        })
        .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn body(campaign: &str, fan: &str) -> Body {
        Body { campaign_id: campaign.to_owned(), global_user_id: fan.to_owned() }
    }

    fn request(bodies: &[(&str, &str)]) -> Request {
        let bodies = bodies.iter().map(|(campaign, fan)| body(campaign, fan));
        requests(bodies.enumerate()).pop().unwrap()
    }

    fn refreshed(fan: &str, status: RefreshStatus) -> Refreshed {
        Refreshed { global_user_id: fan.to_owned(), status }
    }

    #[test]
    fn requests_hold_one_campaign_and_at_most_25_fans() {
        let bodies = (0..60).map(|fan| body(if fan % 2 == 0 { "a" } else { "b" }, &format!("fan-{fan:02}")));
        let requests = requests(bodies.enumerate());
        let sizes: Vec<_> = requests.iter().map(|it| (it.campaign_id.as_str(), it.fans.len())).collect();
        assert_eq!(sizes, [("a", 25), ("a", 5), ("b", 25), ("b", 5)]);
    }

    #[test]
    fn a_fan_is_asked_for_once_and_settles_all_its_records() {
        let request = request(&[("a", "u"), ("a", "v"), ("a", "u")]);
        assert_eq!(request.fans, ["u", "v"]);
        let settled =
            request.settle(&[refreshed("u", RefreshStatus::Refreshed), refreshed("v", RefreshStatus::Failed)]);
        let failed = Disposition::retry("service entry: it failed to refresh the score");
        assert_eq!(settled, [(0, Disposition::Ack), (2, Disposition::Ack), (1, failed)]);
    }

    #[test]
    fn the_record_of_an_unknown_entry_is_skipped() {
        let settled = request(&[("a", "u")]).settle(&[refreshed("u", RefreshStatus::Unknown)]);
        assert!(matches!(settled.first(), Some((0, Disposition::Skip(reason))) if reason.starts_with("unknown")));
    }

    #[test]
    fn a_fan_that_the_response_does_not_mention_is_retried() {
        let settled = request(&[("a", "u")]).settle(&[refreshed("v", RefreshStatus::Refreshed)]);
        assert_eq!(settled, [(0, Disposition::retry("service entry: its response does not mention the fan"))]);
    }

    #[test]
    fn a_refused_request_is_halved_down_to_one_fan() {
        let [first, second] = request(&[("a", "u"), ("a", "v"), ("a", "w")]).halves().unwrap();
        assert_eq!(
            (first.fans.as_slice(), first.records.as_slice()),
            (["u".to_owned()].as_slice(), [vec![0]].as_slice())
        );
        assert_eq!(second.fans, ["v", "w"]);
        assert_eq!(second.settle_all(&Disposition::Ack), [(1, Disposition::Ack), (2, Disposition::Ack)]);
        assert_eq!(first.halves(), None);
    }

    #[test]
    fn an_empty_id_is_malformed() {
        assert_eq!(body("", "u").checked().unwrap_err(), "malformed: campaignId is empty");
        assert_eq!(body("a", "").checked().unwrap_err(), "malformed: globalUserId is empty");
        assert!(body("a", "u").checked().is_ok());
    }
}
