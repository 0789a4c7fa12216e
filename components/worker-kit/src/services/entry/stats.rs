//! What a selection tells the Entry Service of its progress.

use super::super::done::Done;
use super::super::{Path, ServiceError};
use super::EntryService;
use serde::Serialize;

/// How far the selection of a market is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// The market.
    pub market_id: String,
    /// How far it is.
    pub status: StatsStatus,
    /// How many fans are eligible.
    pub total: u64,
    /// How many winners there are.
    #[serde(rename = "PROCESSED", skip_serializing_if = "Option::is_none")]
    pub processed: Option<u64>,
    /// How many records were rejected.
    #[serde(rename = "FAILED", skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
}

/// How far a selection is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StatsStatus {
    /// Under way.
    Processing,
    /// Done.
    Finished,
    /// Given up.
    Failed,
}

impl EntryService<'_> {
    /// Reports how far the selection of a market is. The last report of a market counts.
    pub async fn put_stats(&self, campaign_id: &str, stats: &Stats) -> Result<(), ServiceError> {
        let path = Path::new("/{campaignId}/stats", &[campaign_id]);
        let (summary, done): (_, Done) = self.0.send("PUT", path, Some(stats)).await?;
        done.check(summary, 1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_written_as_use_case_2_names_its_parts() {
        let stats = |status, processed, failed| {
            let stats = Stats { market_id: "m".to_owned(), status, total: 9, processed, failed };
            serde_json::to_string(&stats).unwrap()
        };
        assert_eq!(stats(StatsStatus::Processing, None, None), r#"{"marketId":"m","status":"PROCESSING","total":9}"#);
        assert_eq!(
            stats(StatsStatus::Finished, Some(5), Some(0)),
            r#"{"marketId":"m","status":"FINISHED","total":9,"PROCESSED":5,"FAILED":0}"#
        );
        assert!(stats(StatsStatus::Failed, None, None).contains(r#""status":"FAILED""#));
    }
}
