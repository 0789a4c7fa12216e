//! Campaigns, as in the Campaign Service: `schemas/domain/campaign.json`.

use crate::{field::Field, gate::Gate};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A campaign: when it takes entries, from whom, and what an entry must contain.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Campaign {
    /// Its id.
    pub id: String,
    /// Its name in URLs; unique.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Whether it takes entries.
    pub status: Status,
    /// BCP 47 tag.
    #[serde(default = "default_locale")]
    pub locale: String,
    /// When it takes entries.
    pub date: Dates,
    /// The fields that an entry may have, in the order in which they are checked and returned.
    pub fields: Vec<Field>,
    /// Who may enter; empty for everybody. The document requires it: a campaign without this member is malformed, not
    /// open.
    pub gates: Vec<Gate>,
    /// Switches of other workers.
    #[serde(default)]
    pub options: Options,
}

/// Whether a campaign takes entries.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It takes new entries and transfers.
    #[serde(alias = "OPEN")]
    Active,
    /// It takes only transfers from a linked campaign.
    Transferring,
    /// It takes no entries.
    Closed,
    /// A status that this version does not know; read as closed.
    #[serde(other)]
    Unknown,
}

/// The times of a campaign.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dates {
    /// Entries are taken from this instant on.
    pub open: DateTime<Utc>,
    /// Entries are taken until just before this instant.
    pub close: DateTime<Utc>,
    /// When reminder e-mails are to be sent.
    #[serde(default)]
    pub send_reminder_emails: Vec<DateTime<Utc>>,
    /// When the reminder e-mails were sent.
    #[serde(default)]
    pub triggered_email_reminders: Vec<DateTime<Utc>>,
}

/// Switches of a campaign.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Options {
    /// Whether winners are reminded of the presale.
    pub automated_reminders: bool,
}

/// The entries that a campaign takes at a certain time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Intake {
    /// New entries and transfers.
    All,
    /// Transfers only.
    Transfers,
    /// No entries.
    Nothing,
}

impl Campaign {
    /// The entries that the campaign takes at `now`, by its status and its dates.
    pub fn intake(&self, now: DateTime<Utc>) -> Intake {
        if now < self.date.open || now >= self.date.close {
            return Intake::Nothing;
        }
        match self.status {
            Status::Active => Intake::All,
            Status::Transferring => Intake::Transfers,
            Status::Closed | Status::Unknown => Intake::Nothing,
        }
    }
}

fn default_locale() -> String {
    "en-US".to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use serde_json::json;

    fn campaign(status: &str) -> Campaign {
        serde_json::from_value(json!({
            "id": "c", "slug": "s", "name": "n", "status": status, "fields": [], "gates": [], "_id": "mongo's",
            "date": {"open": "2024-01-01T00:00:00Z", "close": "2024-02-01T00:00:00+01:00"},
        }))
        .unwrap()
    }

    #[test]
    fn open_is_read_as_active_and_an_unknown_status_as_closed() {
        let now = "2024-01-15T00:00:00Z".parse().unwrap();
        let intakes = ["ACTIVE", "OPEN", "TRANSFERRING", "CLOSED", "DRAFT"].map(|status| campaign(status).intake(now));
        assert_eq!(intakes, [Intake::All, Intake::All, Intake::Transfers, Intake::Nothing, Intake::Nothing]);
    }

    #[test]
    fn the_window_is_open_from_its_first_instant_until_just_before_its_last() {
        let campaign = campaign("ACTIVE");
        let (open, close, tick) = (campaign.date.open, campaign.date.close, TimeDelta::nanoseconds(1));
        assert_eq!(close, "2024-01-31T23:00:00Z".parse::<DateTime<Utc>>().unwrap());
        let at = [open - tick, open, close - tick, close].map(|now| campaign.intake(now));
        assert_eq!(at, [Intake::Nothing, Intake::All, Intake::All, Intake::Nothing]);
    }

    #[test]
    fn a_campaign_without_gates_is_malformed() {
        let text = r#"{"id":"c","slug":"s","name":"n","status":"ACTIVE","fields":[],
            "date":{"open":"2024-01-01T00:00:00Z","close":"2024-02-01T00:00:00Z"}}"#;
        let error = serde_json::from_str::<Campaign>(text).unwrap_err().to_string();
        assert!(error.contains("gates"), "{error}");
    }
}
