//! Campaigns of every kind.

use serde_json::{Value, json};

/// What decides about a registration, apart from its fields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Open to all fans.
    Open,
    /// For invited fans.
    Invite,
    /// For invited fans and those who transfer from the campaign with this index.
    InviteOrTransfer(usize),
    /// For fans with a verified identity.
    Verified,
    /// Its status is CLOSED.
    Closed,
    /// Its dates are in the past.
    Over,
    /// Its dates are in the future.
    NotYetOpen,
    /// Accepts only transfers from the campaign with this index.
    Transferring(usize),
    /// Has a gate of a type that the documents name but do not describe.
    CardGate,
}

/// A campaign.
#[derive(Clone, Debug)]
pub struct Campaign {
    pub id: String,
    pub slug: String,
    pub kind: Kind,
    /// Ids of its markets.
    pub markets: Vec<String>,
    /// The part of the fans who name one market and no other, beyond those who do by chance.
    pub one_market: f64,
    /// Its fields apart from email, phone and markets.
    pub extras: Extras,
}

/// Fields that some campaigns have.
#[derive(Clone, Copy, Debug)]
pub struct Extras {
    pub postal_code: bool,
    pub ticket_count: bool,
    pub opt_in: bool,
    pub note: bool,
}

const ALWAYS: &str = "2020-01-01T00:00:00.000Z";
const NEVER: &str = "2099-12-31T00:00:00.000Z";
const PAST: &str = "2021-06-30T00:00:00.000Z";
const CITIES: [(&str, &str); 8] = [
    ("Los Angeles", "America/Los_Angeles"),
    ("New York", "America/New_York"),
    ("Chicago", "America/Chicago"),
    ("Toronto", "America/Toronto"),
    ("London", "Europe/London"),
    ("Berlin", "Europe/Berlin"),
    ("Denver", "America/Denver"),
    ("Sydney", "Australia/Sydney"),
];

/// Campaigns by size: the largest two are open; the long tail has open ones first, then all kinds in turn.
pub fn all(count: usize) -> Vec<Campaign> {
    (0..count).map(|index| campaign(index, kind(index))).collect()
}

/// The campaign of the documents' first scenario: one market, Los Angeles.
pub fn alone() -> Campaign {
    Campaign {
        id: "tour".to_owned(),
        slug: "tour".to_owned(),
        markets: vec!["los-angeles".to_owned()],
        ..campaign(0, Kind::Open)
    }
}

/// The largest eleven are open. The others are small enough for invite-only campaigns, which have at most a fiftieth of
/// all registrations.
fn kind(index: usize) -> Kind {
    let Some(place) = index.checked_sub(11) else { return Kind::Open };
    // Transfers come from large open campaigns.
    let from = 1 + place % 5;
    match place % 16 {
        0 | 7 => Kind::Invite,
        2 | 12 => Kind::Verified,
        3 | 9 => Kind::InviteOrTransfer(from),
        5 => Kind::Closed,
        6 => Kind::Transferring(from),
        10 => Kind::Over,
        13 => Kind::CardGate,
        14 => Kind::NotYetOpen,
        _ => Kind::Open,
    }
}

fn campaign(index: usize, kind: Kind) -> Campaign {
    let id = format!("demo-campaign-{index:02}");
    // A few campaigns have a single market.
    let markets = (0..1 + (index * 3 + 4) % 7).map(|market| format!("{id}-market-{market}")).collect();
    let extras = Extras {
        postal_code: index.is_multiple_of(2),
        ticket_count: !index.is_multiple_of(3),
        opt_in: index % 4 < 3,
        note: index % 5 == 1,
    };
    // Winners of the largest campaign are selected. Whoever wins two markets takes a seat of both.
    let one_market = if index == 0 { 0.9 } else { 0.0 };
    Campaign { slug: format!("demo-artist-{index:02}"), id, kind, markets, one_market, extras }
}

impl Campaign {
    /// The campaign as a document of the Campaign Service and of the collection `campaigns`.
    pub fn document(&self) -> Value {
        let (open, close) = match self.kind {
            Kind::Over => (ALWAYS, PAST),
            Kind::NotYetOpen => (NEVER, "2100-01-31T00:00:00.000Z"),
            _ => (ALWAYS, NEVER),
        };
        json!({
            "id": self.id, "slug": self.slug, "name": format!("Demo {}", self.slug), "status": self.status(),
            "locale": "en-US",
            "date": { "open": open, "close": close, "sendReminderEmails": [], "triggeredEmailReminders": [] },
            "fields": self.fields(), "gates": self.gates(), "options": { "automatedReminders": false },
        })
    }

    /// Its markets, as documents of the Campaign Service.
    pub fn market_documents(&self) -> impl Iterator<Item = Value> {
        self.markets.iter().zip(CITIES.iter().cycle()).enumerate().map(|(index, (id, (city, zone)))| {
            json!({
                "id": id, "campaignId": self.id, "eventId": format!("{id}-event"), "name": city,
                "ticketer": if index % 2 == 0 { "TM" } else { "AXS" }, "capacity": 500, "timeZone": zone,
                "date": { "presale": "2099-12-31T18:00:00.000Z" }, "options": { "automatedReminders": false },
            })
        })
    }

    fn status(&self) -> &'static str {
        match self.kind {
            Kind::Closed => "CLOSED",
            Kind::Transferring(_) => "TRANSFERRING",
            // The documents' other name for ACTIVE.
            Kind::Open if self.extras.note => "OPEN",
            _ => "ACTIVE",
        }
    }

    fn gates(&self) -> Vec<Value> {
        let linked = |from| json!({ "type": "linked", "linkedCampaignId": format!("demo-campaign-{from:02}") });
        match self.kind {
            Kind::Invite => vec![json!({ "type": "invite" })],
            Kind::InviteOrTransfer(from) => vec![json!({ "type": "invite" }), linked(from)],
            Kind::Transferring(from) => vec![linked(from)],
            Kind::Verified => vec![json!({ "type": "idv" })],
            Kind::CardGate => vec![json!({ "type": "card" })],
            Kind::Open | Kind::Closed | Kind::Over | Kind::NotYetOpen => Vec::new(),
        }
    }

    fn fields(&self) -> Vec<Value> {
        let mut fields = vec![
            json!({ "name": "email", "type": "email", "required": true }),
            json!({ "name": "phone", "type": "phone", "required": true }),
            json!({ "name": "markets", "type": "markets", "required": true, "options": self.markets }),
        ];
        let Extras { postal_code, ticket_count, opt_in, note } = self.extras;
        fields.extend(postal_code.then(|| json!({ "name": "postalCode", "type": "postalCode", "required": false })));
        fields.extend(ticket_count.then(|| json!({ "name": "ticket_count", "type": "integer", "min": 1, "max": 8 })));
        fields.extend(opt_in.then(|| json!({ "name": "opt_in", "type": "boolean" })));
        fields.extend(note.then(|| json!({ "name": "note", "type": "string" })));
        fields
    }
}
