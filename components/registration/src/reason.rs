//! Why a fan may not enter. Names are those of "Use Cases & Workflows" where it specifies the flow, else those of the
//! table in "API Usage".

use serde::Serialize;

/// Why an entry is refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// There is no such campaign.
    CampaignNotFound,
    /// The campaign takes no entries now.
    CampaignClosed,
    /// The fan is already in the linked campaign and did not ask for a transfer.
    LinkedEntry,
    /// Neither invited nor in the linked campaign.
    NotInvited,
    /// The fan's identity is not verified.
    IdvNotVerified,
    /// A field of the entry breaks the campaign's rules.
    InvalidEntry,
    /// A gate that nobody can pass.
    IneligibleEntry,
    /// A dependency of the decision failed; the same call may succeed later.
    InternalServerError,
}

/// The detail of a refusal; serialised as `{"field": …}` or `{"gateType": …}`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Detail {
    /// The first bad field.
    Field(String),
    /// The gate that is closed to the fan.
    GateType(String),
}

/// A refusal: the reason, and the detail if it helps the fan.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// The detail.
    pub detail: Option<Detail>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: None }
    }
}

impl Refusal {
    /// A refusal with its detail.
    pub fn with(reason: Reason, detail: Detail) -> Self {
        Self { reason, detail: Some(detail) }
    }
}
