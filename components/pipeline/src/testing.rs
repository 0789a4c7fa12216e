//! What the tests share: records, documents, schemas.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::format::format;
use crate::kind::Kind;
use crate::message::TYPE;
use crate::object::Object;
use host_adapters_event::{Attribute, Event, Payload};
use serde_json::{Value, json};
use std::path::Path;

/// When the records of the tests were queued: 2024-01-15T10:30:00.000Z.
pub(crate) const SENT_MS: u64 = 1_705_314_600_000;

/// A record of `dataQueue`.
pub(crate) fn event(body: &str) -> Event {
    Event {
        id: "message-1".to_owned(),
        source: "sqs:dataQueue".to_owned(),
        ordering_key: None,
        payload: Payload::of_text(body.to_owned()),
        attributes: vec![],
        attempt: 1,
        time_ms: SENT_MS,
        correlation_id: "correlation-1".to_owned(),
        traceparent: None,
    }
}

/// A record of a type's queue.
pub(crate) fn typed(kind: &str, body: &str) -> Event {
    Event { attributes: vec![Attribute::text(TYPE, kind)], ..event(body) }
}

/// `{type, data}`.
pub(crate) fn message(kind: Kind, data: &Value) -> String {
    json!({"type": kind.name(), "data": data}).to_string()
}

fn json_file(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A document of `tests/fixtures/domain/`.
pub(crate) fn document(name: &str) -> Value {
    json_file(&format!("tests/fixtures/domain/{name}.json"))
}

/// The schema of a type.
pub(crate) fn schema(kind: Kind) -> Value {
    json_file(&format!("schemas/pipeline/{}.json", kind.name().to_lowercase().replace('_', "-")))
}

/// An entity of a type as its owner keeps it.
pub(crate) fn entity(kind: Kind) -> Value {
    match kind {
        Kind::Campaign => document("campaigns/artist-presale-2024"),
        Kind::EventMapping => json!({"campaignId": "campaign-789", "marketId": "market-123", "eventId": "event-1"}),
        Kind::Market => document("markets/market-123"),
        Kind::RegisteredMarket => {
            json!({"campaignId": "campaign-789", "marketId": "market-123", "stats": {"totalRegistrations": 5000}})
        }
        Kind::Registration => document("entries/user-456"),
    }
}

/// The same, as it is published.
pub(crate) fn published(kind: Kind) -> Value {
    let formatted = format(kind, Object::parse(&entity(kind).to_string()).unwrap(), SENT_MS).unwrap();
    serde_json::from_str(&formatted.compact().unwrap()).unwrap()
}
