//! `[[component.<id>.tool.host-adapters.source]]`: what feeds a worker, with the ranges that AWS gives the same
//! settings.

use super::app::Host;
use host_adapters_settings::{Fields, suggestion};
use host_adapters_sources::SourceConfig;
use std::ops::Range;

/// A source with the places its names were written at, for the checks against what is declared.
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
            // The manifest allows twelve hours at most.
            config.visibility_timeout_secs = u32::try_from(queue.visibility_timeout.as_secs()).unwrap_or(u32::MAX);
        }
        self.source
    }
}

/// Reads one source block; the names in it are checked later.
pub(super) fn read(mut fields: Fields<'_, '_>) -> Option<RawSource> {
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
