//! The gates of a campaign: who may enter.

use serde::{Deserialize, Serialize};

/// One gate of a campaign.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// The type of the gate.
    #[serde(rename = "type")]
    pub kind: GateType,
    /// For a `linked` gate, the campaign that entries are transferred from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked_campaign_id: Option<String>,
}

/// The type of a gate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "String", into = "String")]
pub enum GateType {
    /// An invitation, by e-mail, globalUserId or memberId.
    Invite,
    /// Identity verification.
    Idv,
    /// An entry in the linked campaign. Fans with such an entry may transfer it, as an alternative to an invitation,
    /// and cannot be in both campaigns. Without an invitation gate such an entry is a prerequisite.
    Linked,
    /// A type that this version does not know (the documents name card and geography gates but do not describe them).
    /// It admits nobody.
    Unknown(String),
}

impl GateType {
    /// Its name in campaign documents and decisions.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "invite",
            Self::Idv => "idv",
            Self::Linked => "linked",
            Self::Unknown(name) => name,
        }
    }
}

impl From<String> for GateType {
    fn from(name: String) -> Self {
        match name.as_str() {
            "invite" => Self::Invite,
            "idv" => Self::Idv,
            "linked" => Self::Linked,
            _ => Self::Unknown(name),
        }
    }
}

impl From<GateType> for String {
    fn from(kind: GateType) -> Self {
        match kind {
            GateType::Unknown(name) => name,
            known => known.as_str().to_owned(),
        }
    }
}
