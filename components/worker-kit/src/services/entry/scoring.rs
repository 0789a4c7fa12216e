//! Scoring records: the fans of a market, best first.

use super::super::{Path, ResponseBody, ServiceError};
use super::EntryService;
use host_adapters_json::Decimal;
use host_adapters_json::lenient::{if_readable, readable_or_default, required_whole};
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

/// The service's record of a fan in a market (`schemas/domain/scoring-record.json`), as far as workers need it. A page that
/// cannot be read fails a market, so other members are not read, and an optional member with an unexpected value counts as
/// absent.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ScoringRecord {
    /// The campaign.
    pub campaign_id: String,
    /// The market.
    pub market_id: String,
    /// The fan. A record without it cannot be selected.
    #[serde(default, deserialize_with = "if_readable")]
    pub global_user_id: Option<String>,
    /// The fan's member id, if there is one.
    #[serde(default, deserialize_with = "if_readable")]
    pub member_id: Option<String>,
    /// The higher the better.
    pub score: Score,
    /// When the fan registered, RFC 3339; empty if the record does not say.
    #[serde(default, deserialize_with = "readable_or_default")]
    pub registered_at: String,
    /// The code that the fan has won. One without a value is not a code, and the fan has not won.
    #[serde(default, deserialize_with = "code_won")]
    pub code: Option<Code>,
    /// Whether the fan's entry is deleted. The code stays the fan's.
    #[serde(default, deserialize_with = "readable_or_default")]
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

fn code_won<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Code>, D::Error> {
    Ok(Option::<Code>::deserialize(from)?.filter(|code| !code.value.is_empty()))
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
    #[serde(deserialize_with = "required_whole")]
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
        assert_eq!((&records[0].code, &records[1].code), (&None, &Some(code)));
        assert_eq!((records[0].removed, records[1].removed), (false, true));
    }

    #[test]
    fn a_code_without_a_value_is_not_a_code() {
        let code = |code: &str| {
            let body = format!(
                r#"{{"records":[{{"campaignId":"c","marketId":"m","globalUserId":"u","score":1,"code":{code}}}]}}"#
            );
            page(&body).map(|mut page| page.records.remove(0).code)
        };
        for empty in ["null", r#"{"value":"","marketId":""}"#, r#"{"value":"","marketId":"m"}"#] {
            assert_eq!(code(empty), Ok(None), "{empty}");
        }
        let won = Code { market_id: "m".to_owned(), value: " ".to_owned() };
        assert_eq!(code(r#"{"value":" ","marketId":"m"}"#), Ok(Some(won)), "whatever it is");
        assert!(code("7").is_err() && code("{}").is_err(), "nobody knows whether the fan has won");
    }

    #[test]
    fn case_02_what_a_selection_does_not_need_of_a_record_fails_no_market() {
        let record = |member: &str| {
            let body =
                format!(r#"{{"records":[{{"campaignId":"c","marketId":"m","globalUserId":"u","score":1,{member}}}]}}"#);
            page(&body).unwrap().records.remove(0)
        };
        let (time, good) = ("2026-01-01T00:00:00Z", record(r#""registeredAt":"2026-01-01T00:00:00Z""#));
        assert_eq!((good.registered_at.as_str(), good.removed), (time, false));
        for member in [
            r#""removed":null"#,
            r#""removed":"no""#,
            r#""phoneNumber":5551234"#,
            r#""locale":1"#,
            r#""locale":"\ud800""#,
            r#""verdict":"WINNER""#,
            r#""memberId":7"#,
        ] {
            assert_eq!(record(&format!(r#"{member},"registeredAt":"{time}""#)), good, "{member}");
        }
        for member in [r#""registeredAt":null"#, r#""registeredAt":1767225600"#, r#""note":1e999"#] {
            let expected = ScoringRecord { registered_at: String::new(), ..good.clone() };
            assert_eq!(record(member), expected, "{member}");
        }
        let fans = [r#""globalUserId":null"#, r#""globalUserId":7"#].map(|fan| {
            let body = format!(r#"{{"records":[{{"campaignId":"c","marketId":"m","score":1,{fan}}}]}}"#);
            page(&body).unwrap().records.remove(0).global_user_id
        });
        assert_eq!(fans, [None, None], "such a record is rejected and counted");
    }

    #[test]
    fn case_21_a_count_of_fans_is_a_whole_number_however_it_is_written() {
        let count = |text: &str| {
            let body = format!(r#"{{"count":{text}}}"#);
            Count::read(&ResponseSummary::new("entry", 200, &body), &body).map(|answer| answer.count)
        };
        assert_eq!([count("30.0"), count("3e1"), count("30")], [Ok(30), Ok(30), Ok(30)]);
        for wrong in ["null", "-1", "1.5", "\"30\""] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
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
