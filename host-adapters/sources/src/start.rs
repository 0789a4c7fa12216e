//! Where the readers of a stream begin, with its oldest record, its newest, or those of a time.

use chrono::{DateTime, Utc};
use host_adapters_delivery::stream::Start;
use host_adapters_settings::{Fields, Setting, Words};
use serde_json::{Value as Json, json};

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StartingPosition {
    /// With the oldest record that the stream still has.
    #[default]
    TrimHorizon,
    /// With records written from now on.
    Latest,
    /// With the first record that came at or after a time.
    AtTimestamp,
}

impl Words for StartingPosition {
    const WORDS: &'static [(&'static str, Self)] =
        &[("TRIM_HORIZON", Self::TrimHorizon), ("LATEST", Self::Latest), ("AT_TIMESTAMP", Self::AtTimestamp)];
}

/// A time in milliseconds since 1970 (UTC), if there is one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Timestamp(pub Option<u64>);

impl Setting for Timestamp {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        let raw = fields.string(key)?;
        let time = DateTime::parse_from_rfc3339(&raw.value).ok();
        let time_ms = time.and_then(|time| u64::try_from(time.timestamp_millis()).ok());
        if time_ms.is_none() {
            let message = format!("{key} = \"{}\" is not a time; write one as in \"2024-01-15T10:30:00Z\"", raw.value);
            fields.diagnostic(&raw.span, message);
        }
        Some(Self(time_ms))
    }

    fn schema(_default: Self, (): &()) -> Json {
        json!({"type": "string", "format": "date-time"})
    }
}

const POSITION: &str = "starting_position";
const TIMESTAMP: &str = "starting_position_timestamp";

/// Where to begin, by the settings.
pub(crate) fn start(position: StartingPosition, timestamp: Timestamp) -> Start {
    match (position, timestamp) {
        (StartingPosition::Latest, _) => Start::Latest,
        (StartingPosition::AtTimestamp, Timestamp(Some(time_ms))) => Start::At(time_ms),
        (StartingPosition::TrimHorizon | StartingPosition::AtTimestamp, _) => Start::Oldest,
    }
}

/// Reports settings that do not fit: `AT_TIMESTAMP` and its time belong together (docs/delivery.md, 4.20).
pub(crate) fn check(position: StartingPosition, timestamp: Timestamp, fields: &mut Fields<'_, '_>) {
    let is_at_time = position == StartingPosition::AtTimestamp;
    let is_future = |time_ms| i64::try_from(time_ms).is_ok_and(|time_ms| time_ms > Utc::now().timestamp_millis());
    let fault = if is_at_time && !fields.has(TIMESTAMP) {
        Some((POSITION, format!("{POSITION} = \"AT_TIMESTAMP\" needs a time; write {TIMESTAMP}")))
    } else if !is_at_time && fields.has(TIMESTAMP) {
        Some((TIMESTAMP, format!("{TIMESTAMP} is only for {POSITION} = \"AT_TIMESTAMP\"; leave it out")))
    } else if timestamp.0.is_some_and(is_future) {
        Some((TIMESTAMP, format!("{TIMESTAMP} is in the future; write LATEST, or an earlier time")))
    } else {
        None
    };
    if let Some((key, message)) = fault
        && let Some((_, span)) = fields.item(key)
    {
        fields.diagnostic(&span, message);
    }
}

/// What [`check`] demands, as JSON Schema.
pub(crate) fn rules() -> Json {
    let at_time = json!({"properties": {POSITION: {"const": "AT_TIMESTAMP"}}, "required": [POSITION]});
    let (time, no_time) = (json!({"required": [TIMESTAMP]}), json!({"not": {"required": [TIMESTAMP]}}));
    json!({"if": at_time, "then": time, "else": no_time})
}
