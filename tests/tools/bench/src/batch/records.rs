//! The ten records: entries of one campaign in the first minutes of a presale, eight new and two changed.

use host_adapters_records::Attribute;
use host_adapters_records::table::Key;
use host_adapters_runtime::{Event, Payload};
use serde_json::{Value, json};

/// A batch, and the items and the response for it.
pub struct Batch {
    /// The events for the worker.
    pub events: Vec<Event>,
    /// The items, as JSON text.
    pub items: Vec<(Key, String)>,
    /// The response of the Entry Service.
    pub answer: String,
}

const CAMPAIGN: &str = "campaign-4c1f0b7e";

/// An empty batch, for components that send no requests.
pub fn nothing() -> Batch {
    Batch { events: vec![], items: vec![], answer: String::new() }
}

/// The batch of all rounds.
pub fn batch() -> Batch {
    let fans: Vec<_> = (0..10).map(|number| format!("user-7d0e5a3c-{number:04}")).collect();
    let items: Vec<_> = fans.iter().enumerate().map(|(number, fan)| item(number, fan)).collect();
    let results: Vec<_> = fans.iter().map(|fan| json!({"globalUserId": fan, "status": "upserted"})).collect();
    Batch {
        events: items.iter().enumerate().map(|(number, item)| event(number, item)).collect(),
        items: fans.iter().zip(&items).map(|(fan, item)| (key(fan), item.to_string())).collect(),
        answer: json!({ "results": results }).to_string(),
    }
}

fn key(fan: &str) -> Key {
    Key { pk: format!("CAMPAIGN#{CAMPAIGN}"), sk: format!("USER#{fan}") }
}

/// An item as AppSync's resolver writes it: the form as JSON text.
fn item(number: usize, fan: &str) -> Value {
    let time = format!("2024-01-15T10:30:{number:02}.123Z");
    let fields = json!({
        "agreedToTerms": true, "countryCode": "US", "email": format!("fan.{number}@example.com"), "firstName": "Jane",
        "lastName": "Doe", "markets": ["market-101", "market-205", "market-317"], "phone": "+15551234567",
        "postalCode": "90210", "ticketCount": 2 + number % 3,
    });
    json!({
        "pk": key(fan).pk, "sk": key(fan).sk, "campaignId": CAMPAIGN, "globalUserId": fan,
        "memberId": format!("member-{number:06}"), "fields": fields.to_string(), "needsReplication": true,
        "date": {"created": time, "updated": time, "fanModified": time},
    })
}

fn event(number: usize, item: &Value) -> Event {
    let body = json!({
        "entry": item, "operation": if number < 8 { "INSERT" } else { "MODIFY" },
        "recordId": format!("49590338271490256608559692538361571095921575989136588{number:03}"),
        "date": "2024-01-15T10:30:10.000Z",
    });
    let correlation_id = format!("5f0c2a9e-6a3b-4f57-9d6e-0242ac12{number:04}");
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned();
    Event {
        id: format!("059f36b4-87a3-44ab-83d2-661975830a{number:02}"),
        source: "sqs:saveEntriesQueue".to_owned(),
        ordering_key: None,
        payload: Payload::Json(body.to_string()),
        attributes: vec![
            Attribute::text("correlationId", &correlation_id),
            Attribute::text("traceparent", &traceparent),
        ],
        attempt: 1,
        time_ms: 1_705_314_610_000,
        correlation_id,
        traceparent: Some(traceparent),
    }
}
