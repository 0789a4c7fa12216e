//! Scoring records: the fans of a market, best first.

use super::super::{Path, ResponseBody, ServiceError};
use super::EntryService;
use host_adapters_json::Decimal;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Scoring records of one page (API usage: 1,000).
pub const MAX_PER_PAGE: u32 = 1_000;

/// Which records are asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScoringQuery {
    /// Of this market.
    pub market_id: String,
    /// In this state.
    pub state: ScoringState,
    /// At most this many, and at most [`MAX_PER_PAGE`].
    pub limit: u32,
    /// Behind the page that named it as next; `None` for the first page.
    pub after: Option<String>,
}

/// Which records of a market.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ScoringState {
    /// Eligible, and without a code: best score first, then the earliest registration, then by globalUserId.
    Unassigned,
    /// With a code of the market, also where the fan's entry is deleted since: by globalUserId.
    Assigned,
}

/// Some records, in order.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct ScoringPage {
    /// The records.
    pub records: Vec<ScoringRecord>,
    /// Where the next page begins; `None` at the end.
    #[serde(default)]
    pub next: Option<String>,
}

impl ResponseBody for ScoringPage {
    const MEMBERS: &[&str] = &["records"];
}

/// The service's record of a fan in a market (`schemas/domain/scoring-record.json`).
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ScoringRecord {
    /// The campaign.
    pub campaign_id: String,
    /// The market.
    pub market_id: String,
    /// The fan. A record without it cannot be selected.
    #[serde(default)]
    pub global_user_id: Option<String>,
    /// The fan's member id, if there is one.
    #[serde(default)]
    pub member_id: Option<String>,
    /// The higher the better.
    pub score: Score,
    /// When the fan registered, RFC 3339.
    pub registered_at: String,
    /// E.164.
    #[serde(default)]
    pub phone_number: Option<String>,
    /// BCP 47.
    #[serde(default)]
    pub locale: Option<String>,
    /// Whether the fan has won; `None` while that is open.
    #[serde(default)]
    pub verdict: Option<bool>,
    /// The code that the fan has won.
    #[serde(default)]
    pub code: Option<Code>,
    /// Whether the fan's entry is deleted. The code stays the fan's.
    #[serde(default)]
    pub removed: bool,
}

/// A code that a fan has won.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Code {
    /// The market won.
    pub market_id: String,
    /// The code.
    pub value: String,
}

/// A score with every digit that the service sent. Scores compare by value.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Score(Decimal);

impl Score {
    /// Reads a number as JSON spells it; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        Decimal::parse(text).map(Self)
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(score: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(score)?;
        Self::parse(text.get()).ok_or_else(|| D::Error::custom(format!("{text} is not a number")))
    }
}

#[derive(Deserialize)]
struct Count {
    count: u64,
}

impl ResponseBody for Count {
    const MEMBERS: &[&str] = &["count"];
}

impl ScoringState {
    const fn name(self) -> &'static str {
        match self {
            Self::Unassigned => "unassigned",
            Self::Assigned => "assigned",
        }
    }
}

impl EntryService<'_> {
    /// How many fans are eligible for a market, with a code or without. Records without a globalUserId count, too.
    pub async fn eligible_count(&self, campaign_id: &str, market_id: &str) -> Result<u64, ServiceError> {
        let path = Path::new("/{campaignId}/markets/{marketId}/eligible-count", &[campaign_id, market_id]);
        let (_, Count { count }) = self.0.send("GET", path, None::<&()>).await?;
        Ok(count)
    }

    /// A page of a market's scoring records.
    pub async fn scoring_records(&self, campaign_id: &str, query: &ScoringQuery) -> Result<ScoringPage, ServiceError> {
        self.0.page(query.path(campaign_id), query.after.as_deref()).await
    }
}

impl ScoringQuery {
    fn path(&self, campaign_id: &str) -> Path {
        let limit = self.limit.to_string();
        let mut query = vec![("marketId", &*self.market_id), ("state", self.state.name()), ("limit", &limit)];
        query.extend(self.after.as_deref().map(|after| ("after", after)));
        Path::new("/{campaignId}/scoring-records", &[campaign_id]).query(&query)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::services::ResponseSummary;

    fn page(body: &str) -> Result<ScoringPage, ServiceError> {
        ScoringPage::read(&ResponseSummary::new("entry", 200, body), body)
    }

    fn with_score(score: &str) -> String {
        format!(
            r#"{{"records":[{{"campaignId":"c","marketId":"m","score":{score},"registeredAt":"2026-01-01T00:00:00Z"}}]}}"#
        )
    }

    #[test]
    fn a_score_keeps_every_digit() {
        let score = |text: &str| page(&with_score(text)).unwrap().records.remove(0).score;
        assert!(score("9007199254740993") > score("9007199254740992"), "a double holds neither apart");
        assert!(score("0.12345678901234567891") < score("0.12345678901234567892"));
        assert_eq!(score("850"), score("8.50e2"));
        assert!(score("-1") < score("0"));
    }

    #[test]
    fn a_score_that_is_not_a_number_is_named() {
        for score in [r#""850""#, "null", "[]"] {
            let problem = page(&with_score(score)).unwrap_err().to_string();
            assert!(problem.contains("records[0].score: ") && problem.contains("is not a number"), "{problem}");
        }
    }

    #[test]
    fn a_record_may_be_without_a_fan_and_has_the_code_won_also_if_its_fan_has_left() {
        let body = r#"{"next":"n","records":[
            {"campaignId":"c","marketId":"m","memberId":"x","score":1,"registeredAt":"2026-01-01T00:00:00Z"},
            {"campaignId":"c","marketId":"m","globalUserId":"u","score":1,"registeredAt":"2026-01-01T00:00:00Z",
             "verdict":true,"code":{"marketId":"m","value":"CODE-1"},"removed":true,"more":{}}]}"#;
        let ScoringPage { records, next } = page(body).unwrap();
        let fans: Vec<_> = records.iter().map(|record| record.global_user_id.as_deref()).collect();
        assert_eq!((fans, next.as_deref()), (vec![None, Some("u")], Some("n")));
        let code = Code { market_id: "m".to_owned(), value: "CODE-1".to_owned() };
        assert_eq!((records[1].verdict, &records[1].code), (Some(true), &Some(code)));
        assert_eq!((records[0].removed, records[1].removed), (false, true));
    }

    #[test]
    fn a_page_is_asked_for_by_market_state_and_place() {
        let mut query = ScoringQuery {
            market_id: "m 1".to_owned(),
            state: ScoringState::Unassigned,
            limit: MAX_PER_PAGE,
            after: None,
        };
        assert_eq!(query.path("c").path, "/c/scoring-records?marketId=m%201&state=unassigned&limit=1000");
        query = ScoringQuery { state: ScoringState::Assigned, after: Some("[1,\"u\"]".to_owned()), ..query };
        let path = query.path("c");
        assert_eq!(path.path, "/c/scoring-records?marketId=m%201&state=assigned&limit=1000&after=%5B1%2C%22u%22%5D");
        assert_eq!(path.route, "/{campaignId}/scoring-records");
    }
}
