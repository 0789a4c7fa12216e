//! Decides whether a fan may enter a campaign: by the gates in their order, then by the fields.
//!
//! The caller calls [`step`] repeatedly with the facts known so far. `step` is pure and returns the next question, so
//! the caller looks up only the facts that the decision still needs.
//!
//! The first failure is the reason, in this order: status and dates, unknown gates, an entry in a linked campaign
//! without `doTransfer`, invitation or linked transfer, identity verification, fields.

use crate::{
    campaign::{Campaign, Intake},
    country::Country,
    fields::{self, Fields},
    gate::GateType,
    reason::{Detail, Reason, Refusal},
};
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

/// The facts known about the fan; `None` is not known yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The linked campaign in which the fan has an entry, if any.
    pub linked_entry: Option<Option<String>>,
    /// Whether the fan is on the invite list.
    pub invited: Option<bool>,
    /// Whether the fan's identity is verified.
    pub verified: Option<bool>,
}

/// A fact to look up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Question<'c> {
    /// In which of these campaigns does the fan have an entry? The first one counts.
    LinkedEntry(Vec<&'c str>),
    /// Is the fan on the campaign's invite list?
    Invited,
    /// Is the fan's identity verified?
    Verified,
}

/// The state of the evaluation of the gates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step<'c> {
    /// The decision needs the answer to this question.
    Ask(Question<'c>),
    /// A gate is closed.
    Refuse(Refusal),
    /// All gates are open.
    Admit {
        /// The campaign from which the fan's entry is transferred.
        linked_campaign_id: Option<String>,
    },
}

/// The next step through the gates of a campaign at `now`.
pub fn step<'c>(campaign: &'c Campaign, do_transfer: bool, facts: &Facts, now: DateTime<Utc>) -> Step<'c> {
    walk(campaign, do_transfer, facts, now).unwrap_or_else(|stop| stop)
}

/// [`step`], with every step but the last as an error.
fn walk<'c>(
    campaign: &'c Campaign,
    do_transfer: bool,
    facts: &Facts,
    now: DateTime<Utc>,
) -> Result<Step<'c>, Step<'c>> {
    let intake = campaign.intake(now);
    if intake == Intake::Nothing || (intake == Intake::Transfers && !do_transfer) {
        return Err(Step::Refuse(Reason::CampaignClosed.into()));
    }
    no_unknown_gate(campaign)?;
    let linked = linked_entry(campaign, facts)?;
    if linked.is_some() && !do_transfer {
        return Err(Step::Refuse(Reason::LinkedEntry.into()));
    }
    // `doTransfer` alone does not make a transfer: the fan must have an entry in the linked campaign.
    if intake == Intake::Transfers && linked.is_none() {
        return Err(Step::Refuse(Reason::CampaignClosed.into()));
    }
    if linked.is_none() {
        may_enter_unlinked(campaign, facts)?;
    }
    if has(campaign, &GateType::Idv) && !facts.verified.ok_or(Step::Ask(Question::Verified))? {
        return Err(Step::Refuse(Reason::IdvNotVerified.into()));
    }
    Ok(Step::Admit { linked_campaign_id: linked.map(str::to_owned) })
}

/// Refuses a fan without an entry in a linked campaign who is not invited. An invitation replaces that entry;
/// in a campaign without invitations, the entry is a prerequisite.
fn may_enter_unlinked<'c>(campaign: &'c Campaign, facts: &Facts) -> Result<(), Step<'c>> {
    let gate = [GateType::Invite, GateType::Linked].into_iter().find(|gate| has(campaign, gate));
    match gate {
        None => Ok(()),
        Some(GateType::Invite) if facts.invited.ok_or(Step::Ask(Question::Invited))? => Ok(()),
        Some(gate) => Err(closed(Reason::NotInvited, &gate)),
    }
}

/// Refuses gates that no fan can pass: of an unknown type, or without a linked campaign.
fn no_unknown_gate(campaign: &Campaign) -> Result<(), Step<'_>> {
    let shut = campaign.gates.iter().find(|gate| match gate.kind {
        GateType::Unknown(_) => true,
        GateType::Linked => gate.linked_campaign_id.is_none(),
        GateType::Invite | GateType::Idv => false,
    });
    shut.map_or(Ok(()), |gate| Err(closed(Reason::IneligibleEntry, &gate.kind)))
}

/// The linked campaign in which the fan has an entry. Asks only if a campaign is linked.
fn linked_entry<'c, 'f>(campaign: &'c Campaign, facts: &'f Facts) -> Result<Option<&'f str>, Step<'c>> {
    let gates = campaign.gates.iter().filter(|gate| gate.kind == GateType::Linked);
    let linked: Vec<&str> = gates.filter_map(|gate| gate.linked_campaign_id.as_deref()).collect();
    match &facts.linked_entry {
        _ if linked.is_empty() => Ok(None),
        Some(entry) => Ok(entry.as_deref()),
        None => Err(Step::Ask(Question::LinkedEntry(linked))),
    }
}

fn has(campaign: &Campaign, kind: &GateType) -> bool {
    campaign.gates.iter().any(|gate| gate.kind == *kind)
}

fn closed(reason: Reason, gate: &GateType) -> Step<'static> {
    Step::Refuse(Refusal::with(reason, Detail::GateType(gate.as_str().to_owned())))
}

/// The decision of checkEligibility. It is serialised key for key as API usage prints it.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The fan may enter, with these fields.
    Eligible {
        /// The campaign.
        campaign_id: String,
        /// The entry, normalised.
        fields: Fields,
        /// The campaign from which the entry is transferred.
        linked_campaign_id: Option<String>,
    },
    /// The fan may not enter.
    Ineligible {
        /// The campaign; `None` if it does not exist or is not known.
        campaign_id: Option<String>,
        /// The reason, and the detail.
        refusal: Refusal,
    },
}

impl Decision {
    /// The decision on a fan whom the gates admit, by the fields.
    pub fn of_admitted(
        campaign: Campaign,
        entry: Map<String, Value>,
        country: Option<Country>,
        linked_campaign_id: Option<String>,
    ) -> Self {
        match fields::normalise(&campaign.fields, entry, country) {
            Ok(fields) => Self::Eligible { campaign_id: campaign.id, fields, linked_campaign_id },
            Err(fields::InvalidField(name)) => {
                Self::refused(Some(campaign.id), Refusal::with(Reason::InvalidEntry, Detail::Field(name)))
            }
        }
    }

    /// The decision to refuse a fan.
    pub fn refused(campaign_id: Option<String>, refusal: impl Into<Refusal>) -> Self {
        Self::Ineligible { campaign_id, refusal: refusal.into() }
    }

    /// The refusal; `None` if the fan may enter.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Eligible { .. } => None,
            Self::Ineligible { refusal, .. } => Some(refusal),
        }
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Eligible { campaign_id, fields, linked_campaign_id } => {
                map.serialize_entry("isEligible", &true)?;
                map.serialize_entry("campaignId", campaign_id)?;
                map.serialize_entry("fields", fields)?;
                map.serialize_entry("linkedCampaignId", linked_campaign_id)?;
            }
            Self::Ineligible { campaign_id, refusal } => {
                map.serialize_entry("isEligible", &false)?;
                map.serialize_entry("reason", &refusal.reason)?;
                if let Some(campaign_id) = campaign_id {
                    map.serialize_entry("campaignId", campaign_id)?;
                }
                if let Some(detail) = &refusal.detail {
                    map.serialize_entry("detail", detail)?;
                }
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
