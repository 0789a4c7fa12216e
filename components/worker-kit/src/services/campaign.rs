//! The Campaign Service (`schemas/services/campaign.json`). Of campaigns and markets only what workers ask for is read.

use super::{Client, Path, ResponseBody, ServiceError};
use crate::Call;
use host_adapters_json::lenient::optional_whole;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The Campaign Service, as one call uses it.
#[derive(Clone, Debug)]
pub struct CampaignService<'a>(Client<'a>);

/// A campaign.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Campaign {
    /// Its id.
    pub id: String,
    /// `ACTIVE`, `TRANSFERRING` or `CLOSED`; `OPEN` is another name of `ACTIVE`.
    pub status: String,
}

/// A market of a campaign.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Market {
    /// Its id.
    pub id: String,
    /// Its campaign.
    pub campaign_id: String,
    /// With `TM` all winners share one code; with any other value each needs their own code.
    pub ticketer: String,
    /// How many fans can win.
    #[serde(default, deserialize_with = "optional_whole")]
    pub capacity: Option<u64>,
    /// The share of the eligible fans that can win, above 0 and at most 1; instead of a capacity.
    #[serde(default)]
    pub selection_ratio: Option<f64>,
    /// The code that all winners share.
    #[serde(default)]
    pub shared_code: Option<String>,
}

/// Campaigns, each as the service returns it: JSON text.
#[derive(Debug, Deserialize)]
struct Campaigns {
    campaigns: Vec<Box<RawValue>>,
}

impl ResponseBody for Campaigns {
    const MEMBERS: &[&str] = &["campaigns", "error"];
}

impl ResponseBody for Campaign {
    // Not `status`, which health pages often have. With `error` the service says that it knows no such campaign.
    const MEMBERS: &[&str] = &["slug", "error"];
}

impl ResponseBody for Market {
    const MEMBERS: &[&str] = &["ticketer", "error"];
}

impl<'a> CampaignService<'a> {
    /// The service, as `call` uses it.
    pub fn new(call: &'a Call) -> Self {
        Self(Client { service: "campaign", call })
    }

    /// The campaign of that id; `None` if the service does not know it.
    pub async fn campaign(&self, id: &str) -> Result<Option<Campaign>, ServiceError> {
        self.0.find(Path::new("/campaigns/{campaignId}", &[id])).await
    }

    /// The campaigns with a market for an event, as the fan with this token may see them; none if the service knows no such
    /// event.
    pub async fn campaigns_by_event(&self, event_id: &str, token: &str) -> Result<Vec<Box<RawValue>>, ServiceError> {
        let path = Path::new("/campaigns", &[]).query(&[("eventId", event_id)]);
        match self.0.get_for(token, path).await {
            Ok((_, Campaigns { campaigns })) => Ok(campaigns),
            Err(error) if error.is_not_found() => Ok(vec![]),
            Err(error) => Err(error),
        }
    }

    /// A market of a campaign; `None` if the service does not know it.
    pub async fn market(&self, campaign_id: &str, market_id: &str) -> Result<Option<Market>, ServiceError> {
        self.0.find(Path::new("/campaigns/{campaignId}/markets/{marketId}", &[campaign_id, market_id])).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::services::ResponseSummary;

    fn capacity(text: &str) -> Result<Option<u64>, ServiceError> {
        let body = format!(r#"{{"id":"m","campaignId":"c","ticketer":"TM","name":"Los Angeles","capacity":{text}}}"#);
        let market = Market::read(&ResponseSummary::new("campaign", 200, &body), &body)?;
        Ok(market.capacity)
    }

    #[test]
    fn a_capacity_is_a_whole_number() {
        for (text, expected) in [("500", Some(500)), ("500.0", Some(500)), ("5e2", Some(500)), ("0", Some(0))] {
            assert_eq!(capacity(text), Ok(expected), "{text}");
        }
        assert_eq!(capacity("null"), Ok(None));
        for text in ["500.5", "-1", "1e300", "\"500\""] {
            assert!(capacity(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_market_has_a_capacity_or_a_ratio_and_a_code_that_is_shared_or_none() {
        let body = r#"{"id":"m","campaignId":"c","ticketer":"TM","selectionRatio":0.1,"sharedCode":"S-1"}"#;
        let market = Market::read(&ResponseSummary::new("campaign", 200, body), body).unwrap();
        let (campaign_id, ticketer) = ("c".to_owned(), "TM".to_owned());
        let (selection_ratio, shared_code) = (Some(0.1), Some("S-1".to_owned()));
        let expected =
            Market { id: "m".to_owned(), campaign_id, ticketer, capacity: None, selection_ratio, shared_code };
        assert_eq!(market, expected);
    }

    #[test]
    fn campaigns_of_an_event_are_told_as_the_service_tells_them() {
        let read = |body: &str| {
            let answer = Campaigns::read(&ResponseSummary::new("campaign", 200, body), body)?;
            Ok::<_, ServiceError>(answer.campaigns.iter().map(|campaign| campaign.get().to_owned()).collect::<Vec<_>>())
        };
        let campaign = r#"{"id":"c","price":12345678901234567890.10}"#;
        assert_eq!(read(&format!(r#"{{"campaigns":[{campaign}]}}"#)).unwrap(), [campaign]);
        assert_eq!(read(r#"{"campaigns":[]}"#).unwrap(), [""; 0]);
        assert!(read(r#"{"status":"UP"}"#).is_err());
        assert_eq!(Campaigns::expects(), ["campaigns", "error"]);
    }

    #[test]
    fn a_health_page_is_not_a_campaign() {
        let page = r#"{"status":"UP"}"#;
        assert!(Campaign::read(&ResponseSummary::new("campaign", 200, page), page).is_err());
        assert_eq!(Campaign::expects(), ["slug", "error"]);
    }
}
