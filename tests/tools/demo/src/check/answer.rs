//! Compares a response of check-eligibility with the label of its registration.

use crate::generate::{Expected, Registration};
use crate::load::EligibilityResponse;
use serde_json::Value;

/// How a response differs from the label; `None` if it does not.
pub fn difference(registration: &Registration, answer: &EligibilityResponse) -> Option<String> {
    let campaign = registration.campaign_id.as_deref();
    match (&registration.expected, answer) {
        (Expected::Eligible { fields, linked_from }, EligibilityResponse::Eligible { .. }) => {
            let EligibilityResponse::Eligible { campaign_id, fields: found, linked_campaign_id } = answer else {
                return None;
            };
            if campaign != Some(campaign_id) {
                return Some(format!("campaignId is {campaign_id}, not {}", campaign.unwrap_or("none")));
            }
            if linked_from != linked_campaign_id {
                return Some(format!("linkedCampaignId is {linked_campaign_id:?}, not {linked_from:?}"));
            }
            fields_difference(fields, found)
        }
        (
            Expected::Ineligible { reason, detail },
            EligibilityResponse::Ineligible { reason: found, detail: told, campaign_id },
        ) => {
            if reason != found {
                return Some(format!("the reason is {found} {}, not {reason}", told.clone().unwrap_or_default()));
            }
            if detail != told {
                return Some(format!("{reason}: the detail is {told:?}, not {detail:?}"));
            }
            // If no campaign was found, none is named.
            let named = campaign_id.is_none() || campaign_id.as_deref() == campaign;
            (!named).then(|| format!("{reason}: campaignId is {campaign_id:?}, not {campaign:?}"))
        }
        (Expected::Eligible { .. }, EligibilityResponse::Ineligible { reason, detail, .. }) => {
            Some(format!("{reason} {}, not eligible", detail.clone().unwrap_or_default()))
        }
        (Expected::Ineligible { reason, .. }, EligibilityResponse::Eligible { .. }) => {
            Some(format!("eligible, not {reason}"))
        }
    }
}

/// The first field that differs. Only names are given, no values of fans, because the result may be logged.
pub(super) fn fields_difference(expected: &serde_json::Map<String, Value>, found: &Value) -> Option<String> {
    let Some(found) = found.as_object() else { return Some("fields is not an object".to_owned()) };
    let wrong = expected.iter().find(|(name, value)| found.get(*name) != Some(value)).map(|(name, _)| name);
    if let Some(name) = wrong {
        return Some(format!("field {name} is not as expected"));
    }
    let extra = found.keys().find(|name| !expected.contains_key(*name));
    extra.map(|name| format!("field {name} should not be there"))
}
