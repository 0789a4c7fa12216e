//! The Code Service (`schemas/services/code.json`): pools of access codes, which are reserved for a market and then
//! assigned to fans.

use super::done::Done;
use super::{Client, LIST, Path, ResponseBody, ResponseSummary, ServiceError};
use crate::Call;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Codes in one reservation (data flow: 20,000).
pub const MAX_PER_RESERVATION: usize = 20_000;

/// The code of the error that says that there are too few codes left.
pub const TOO_FEW_CODES: &str = "TOO_FEW_CODES";

/// Codes of one page, and of one request that assigns.
pub const MAX_PER_PAGE: usize = 1_000;

/// The Code Service, as one call uses it.
#[derive(Clone, Debug)]
pub struct CodeService<'a>(Client<'a>);

/// Codes that are reserved for a market and not assigned.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub struct CodePage {
    /// In the service's order.
    pub codes: Vec<String>,
    /// Where the next page begins; `None` at the end.
    #[serde(default)]
    pub next: Option<String>,
}

impl ResponseBody for CodePage {
    const MEMBERS: &[&str] = &["codes"];
}

/// The codes of a reservation; API usage prints a bare list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Reserved {
    Ours { codes: Vec<String> },
    List(Vec<String>),
}

impl ResponseBody for Reserved {
    const MEMBERS: &[&str] = &["codes", LIST];
}

impl Reserved {
    /// The codes, if they are as many as were asked for, each once.
    fn codes(self, summary: ResponseSummary, count: usize) -> Result<Vec<String>, ServiceError> {
        let (Self::Ours { codes } | Self::List(codes)) = self;
        let different = codes.iter().collect::<HashSet<_>>().len();
        if codes.len() == count && different == count {
            return Ok(codes);
        }
        let problem = format!("of {count} codes it has {}, {different} of them different", codes.len());
        Err(ServiceError::Unreadable { summary, problem })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reservation<'a> {
    market_id: &'a str,
    count: usize,
    reservation_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Assignment<'a> {
    market_id: &'a str,
    codes: &'a [String],
}

impl<'a> CodeService<'a> {
    /// The service, as `call` uses it.
    pub fn new(call: &'a Call) -> Self {
        Self(Client { service: "code", call })
    }

    /// Reserves `count` codes for a market, at most [`MAX_PER_RESERVATION`], or none:
    /// [`TOO_FEW_CODES`] is the code of the error then. The same reservation again answers the same codes, so a request
    /// whose answer was lost can be repeated.
    pub async fn reserve(
        &self,
        campaign_id: &str,
        market_id: &str,
        count: usize,
        reservation_id: &str,
    ) -> Result<Vec<String>, ServiceError> {
        let path = Path::new("/{campaignId}/codes/reserve", &[campaign_id]);
        let body = Reservation { market_id, count, reservation_id };
        let (summary, reserved): (_, Reserved) = self.0.send("POST", path, Some(&body)).await?;
        reserved.codes(summary, count)
    }

    /// Codes that are reserved for a market and not assigned, [`MAX_PER_PAGE`] at most: from the beginning, or `after` the
    /// page that named it as next.
    pub async fn reserved(
        &self,
        campaign_id: &str,
        market_id: &str,
        after: Option<&str>,
    ) -> Result<CodePage, ServiceError> {
        let limit = MAX_PER_PAGE.to_string();
        let mut query = vec![("marketId", market_id), ("state", "reserved"), ("limit", &limit)];
        query.extend(after.map(|after| ("after", after)));
        let path = Path::new("/{campaignId}/codes", &[campaign_id]).query(&query);
        self.0.page(path, after).await
    }

    /// Says that a market's codes, at most [`MAX_PER_PAGE`], are assigned to fans. To say it again changes nothing.
    pub async fn mark_assigned(
        &self,
        campaign_id: &str,
        market_id: &str,
        codes: &[String],
    ) -> Result<(), ServiceError> {
        let path = Path::new("/{campaignId}/assign", &[campaign_id]);
        let (summary, done): (_, Done) = self.0.send("POST", path, Some(&Assignment { market_id, codes })).await?;
        done.check(summary, codes.len())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn reserved(body: &str) -> Result<Vec<String>, ServiceError> {
        let summary = ResponseSummary::new("code", 200, body);
        Reserved::read(&summary, body)?.codes(summary, 2)
    }

    #[test]
    fn both_answers_to_a_reservation_are_understood() {
        let codes = vec!["CODE-1".to_owned(), "CODE-2".to_owned()];
        for body in [r#"{"codes":["CODE-1","CODE-2"]}"#, r#"["CODE-1","CODE-2"]"#] {
            assert_eq!(reserved(body), Ok(codes.clone()), "{body}");
        }
        assert_eq!(Reserved::expects(), ["codes", "[]"]);
    }

    #[test]
    fn fewer_codes_than_asked_or_one_of_them_twice_are_not_a_reservation() {
        for body in [
            r#"["CODE-1"]"#,
            r#"["CODE-1","CODE-2","CODE-3"]"#,
            r#"{"codes":["CODE-1","CODE-1"]}"#,
            r#"{"codes":[]}"#,
            r#"[1,2]"#,
            r#"{"reserved":["CODE-1","CODE-2"]}"#,
            "<html>",
            "",
        ] {
            assert!(reserved(body).unwrap_err().is_refusal(), "{body}");
        }
    }

    #[test]
    fn too_few_codes_are_told_from_what_else_a_service_refuses() {
        let error = |code| {
            let body = format!(r#"{{"error":{{"code":"{code}","message":"why"}}}}"#);
            ServiceError::from_answer(ResponseSummary::new("code", 409, &body), None)
        };
        assert!(error(TOO_FEW_CODES).has_code(TOO_FEW_CODES));
        assert!(!error("RESERVATION_DIFFERS").has_code(TOO_FEW_CODES));
    }
}
