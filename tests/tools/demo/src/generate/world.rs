//! The input of a run: campaigns, fans, and their registrations, each with its expected outcome.
//!
//! The expected outcome follows from how the registration was made; it is not computed from its contents.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Everything that a run needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// Campaigns, as documents of the Campaign Service.
    pub campaigns: Vec<Value>,
    /// Markets, as documents of the Campaign Service.
    pub markets: Vec<Value>,
    /// The entries of all invite lists.
    pub invites: Vec<Invite>,
    /// The identities that the User Service knows, verified or not.
    pub verifications: BTreeMap<String, bool>,
    /// All fans who register.
    pub fans: Vec<Fan>,
    /// In the order in which they are sent.
    pub registrations: Vec<Registration>,
    /// The markets whose winners are selected in the end.
    pub selections: Vec<Selection>,
    /// The scores of the fans of their campaigns.
    pub scores: Vec<Score>,
}

/// A market whose winners are selected.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selection {
    /// The campaign.
    pub campaign_id: String,
    /// The market.
    pub market_id: String,
    /// How many fans can win.
    pub seats: Seats,
    /// The one code of all winners, if the ticketer is TM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_code: Option<String>,
    /// The number of codes that the Code Service has for the market, apart from a shared one.
    pub codes: usize,
    /// How many fans win in all by a later task, where two tasks come first, at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<usize>,
}

/// How many fans can win.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Seats {
    /// This many.
    Capacity(usize),
    /// This part of the eligible ones.
    SelectionRatio(f64),
}

/// What decides about a fan: what a scored file says, or a scoring record without a fan.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Score {
    /// The campaign.
    pub campaign_id: String,
    /// The fan; `None` in records that must be rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_user_id: Option<String>,
    /// The market of a record without a fan. The markets of a fan are those of the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market_id: Option<String>,
    /// The higher the better.
    pub score: f64,
    /// Whether the fan is rejected, and so not eligible.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rejected: bool,
    /// RFC 3339. Breaks ties: the earlier first.
    pub registered_at: String,
}

/// One identifier of a fan on a campaign's invite list.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Invite {
    /// The campaign.
    pub campaign_id: String,
    /// `{"email": …}`, `{"globalUserId": …}` or `{"memberId": …}`.
    pub name: Value,
}

/// A fan: the claims of the token, the browser's data, and the resulting profile.
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
    /// `userInfo` of the registrations of this fan.
    pub user_info: Map<String, Value>,
    /// The profile that the User Service should have once the entries of this fan were accepted, without `updatedAt`.
    pub profile: Map<String, Value>,
}

impl Fan {
    /// `userInfo` of a registration of this fan.
    pub fn user_info(&self, registration: &Registration) -> Map<String, Value> {
        let mut user_info = self.user_info.clone();
        user_info.extend(registration.phone_number.clone().map(|number| ("phoneNumber".to_owned(), number.into())));
        user_info
    }
}

/// One call of check-eligibility.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registration {
    /// The globalUserId of the fan.
    pub fan: String,
    /// The slug of the campaign.
    pub slug: String,
    /// The id of that campaign; `None` if it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<String>,
    /// The fields that the fan entered.
    pub entry: Map<String, Value>,
    /// The number in the `userInfo` of this registration, where it is another than the fan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Whether the fan asks for a transfer from a linked campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub do_transfer: Option<bool>,
    /// How it was made.
    pub label: String,
    /// The expected outcome.
    pub expected: Expected,
}

/// The expected outcome of a registration.
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
        /// The reason.
        reason: String,
        /// The detail: `{"field": …}` or `{"gateType": …}`.
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
    /// For each registration the previous one of the same fan, if any, which must be answered first.
    pub fn predecessors(&self) -> Vec<Option<usize>> {
        let mut last = HashMap::new();
        let sent = self.registrations.iter().enumerate();
        sent.map(|(position, registration)| last.insert(registration.fan.as_str(), position)).collect()
    }

    /// For each entry `(campaign, fan)` the last registration that should be accepted, which the Entry Service should
    /// have in the end.
    pub fn latest(&self) -> BTreeMap<(&str, &str), usize> {
        let sent = self.registrations.iter().enumerate();
        sent.filter_map(|(position, r)| Some(((r.accepted_by()?, r.fan.as_str()), position))).collect()
    }

    /// The fans with an entry that names the market, by globalUserId.
    pub fn fans_of(&self, campaign: &str, market: &str) -> Vec<&str> {
        let names_it = |position: usize| match self.registrations.get(position).map(|it| &it.expected) {
            Some(Expected::Eligible { fields, .. }) => {
                fields.get("markets").and_then(Value::as_array).is_some_and(|all| all.iter().any(|it| it == market))
            }
            _ => false,
        };
        let entries = self.latest().into_iter().filter(|((of, _), position)| *of == campaign && names_it(*position));
        entries.map(|((_, fan), _)| fan).collect()
    }

    /// The campaigns with markets whose winners are selected.
    pub fn selected_campaigns(&self) -> BTreeSet<&str> {
        self.selections.iter().map(|selection| selection.campaign_id.as_str()).collect()
    }

    /// The ids of all campaigns.
    pub fn campaign_ids(&self) -> impl Iterator<Item = &str> {
        self.campaigns.iter().filter_map(|campaign| campaign.get("id")?.as_str())
    }
}
