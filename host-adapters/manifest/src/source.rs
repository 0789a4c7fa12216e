//! `[[component.<id>.tool.host-adapters.source]]`: what feeds a worker, with the ranges that AWS gives the same
//! settings.

use super::app::Host;
use host_adapters_settings::{Block, Fields, Setting, suggestion};
use host_adapters_sources::SourceConfig;
use serde_json::{Value as Json, json};
use std::ops::Range;

/// The sources of a component that could be read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sources {
    pub(super) read: Vec<RawSource>,
    /// Whether there is any block, read or not.
    pub(super) any: bool,
}

impl Setting for Sources {
    type Rule = ();

    fn read(fields: &mut Fields<'_, '_>, key: &'static str, (): &()) -> Option<Self> {
        let blocks = fields.list(key);
        Some(Self { any: !blocks.is_empty(), read: blocks.into_iter().filter_map(read).collect() })
    }

    fn schema(_default: Self, (): &()) -> Json {
        json!({"type": "array", "items": Block::reference("source")})
    }
}

/// A source with the places its names were written at, for the checks against what is declared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct RawSource {
    pub(super) source: SourceConfig,
    /// The queue or table.
    pub(super) from: Range<usize>,
    /// Whether it says how long records stay invisible; if not, the queue's own time holds.
    pub(super) own_visibility: bool,
}

impl RawSource {
    /// The source; where it does not say how long a record stays invisible, its queue does.
    pub(super) fn finish(mut self, host: &Host) -> SourceConfig {
        if let SourceConfig::Sqs(config) = &mut self.source
            && !self.own_visibility
            && let Some(queue) = host.queues.get(&config.queue)
        {
            config.visibility_timeout_secs = queue.visibility_timeout_secs;
        }
        self.source
    }
}

/// Reads one source block; the names in it are checked later.
fn read(mut fields: Fields<'_, '_>) -> Option<RawSource> {
    let written = fields.string("type");
    let written = fields.required("type", written, "\"sqs\" or \"dynamodb-stream\"")?;
    if !SourceConfig::KINDS.contains(&written.value.as_str()) {
        // What else stands in the block cannot be judged.
        let words = suggestion(&written.value, SourceConfig::KINDS.iter().copied());
        fields.diagnostic(&written.span, format!("unknown source type \"{}\"{words}", written.value));
        return None;
    }
    let own_visibility = fields.has("visibility_timeout_secs");
    let from = ["queue", "table"].iter().find_map(|key| fields.place(key)).unwrap_or_else(|| fields.span.clone());
    SourceConfig::read(&written.value, fields).map(|source| RawSource { source, from, own_visibility })
}
