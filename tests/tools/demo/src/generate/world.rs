//! What a run is made of: campaigns, fans, and the registrations that they send, each with its expected outcome.
//!
//! The expected outcome is a label: it says how the registration was made, nothing evaluates it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// All that a run needs to know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// Campaigns as the Campaign Service keeps them.
    pub campaigns: Vec<Value>,
    /// Markets as the Campaign Service keeps them.
    pub markets: Vec<Value>,
    /// Who is on which invite list.
    pub invites: Vec<Invite>,
    /// What the User Service says of fans' identities.
    pub verifications: BTreeMap<String, bool>,
    /// Everybody who registers.
    pub fans: Vec<Fan>,
    /// In the order in which they are sent.
    pub registrations: Vec<Registration>,
}

/// One name of a fan on a campaign's invite list.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Invite {
    /// Which campaign.
    pub campaign_id: String,
    /// `{"email": …}`, `{"globalUserId": …}` or `{"memberId": …}`.
    pub name: Value,
}

/// A fan: what the token says, what the browser says, and the profile that should come of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fan {
    /// `sub` of the token.
    pub global_user_id: String,
    /// `email` of the token.
    pub email: String,
    /// `memberId` of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// `idv` of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idv: Option<bool>,
    /// `userInfo` of every registration of this fan.
    pub user_info: Map<String, Value>,
    /// What the User Service should hold once an entry of this fan was accepted.
    pub profile: Map<String, Value>,
}

/// One call of check-eligibility.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registration {
    /// Who: a globalUserId.
    pub fan: String,
    /// For which campaign.
    pub slug: String,
    /// The id of that campaign; none if there is no such campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<String>,
    /// What the fan entered.
    pub entry: Map<String, Value>,
    /// Whether the fan asks for a transfer from a linked campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub do_transfer: Option<bool>,
    /// How it was made.
    pub label: String,
    /// What should come of it.
    pub expected: Expected,
}

/// What should come of a registration.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "outcome", deny_unknown_fields)]
pub enum Expected {
    /// Accepted.
    #[serde(rename_all = "camelCase")]
    Eligible {
        /// The entry, normalised.
        fields: Map<String, Value>,
        /// The campaign that it is transferred from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        linked_from: Option<String>,
    },
    /// Refused.
    Ineligible {
        /// Why.
        reason: String,
        /// What exactly: `{"field": …}` or `{"gateType": …}`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<Value>,
    },
}

impl Registration {
    /// The campaign if the registration should be accepted.
    pub fn accepted_by(&self) -> Option<&str> {
        match self.expected {
            Expected::Eligible { .. } => self.campaign_id.as_deref(),
            Expected::Ineligible { .. } => None,
        }
    }
}

impl World {
    /// For each registration the one that the same fan sent before, if any: it must be answered first.
    pub fn predecessors(&self) -> Vec<Option<usize>> {
        let mut last = HashMap::new();
        let sent = self.registrations.iter().enumerate();
        sent.map(|(position, registration)| last.insert(registration.fan.as_str(), position)).collect()
    }

    /// The last registration that should be accepted, for each entry `(campaign, fan)`: what the Entry Service should
    /// hold in the end.
    pub fn latest(&self) -> BTreeMap<(&str, &str), usize> {
        let sent = self.registrations.iter().enumerate();
        sent.filter_map(|(position, r)| Some(((r.accepted_by()?, r.fan.as_str()), position))).collect()
    }

    /// The ids of all campaigns.
    pub fn campaign_ids(&self) -> impl Iterator<Item = &str> {
        self.campaigns.iter().filter_map(|campaign| campaign.get("id")?.as_str())
    }
}
