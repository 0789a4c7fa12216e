//! The documentation of the host's keys in a manifest: the JSON Schema, and the blocks from which README's tables are
//! made.

use super::component::ToolSettings;
use super::host::HostSettings;
use host_adapters_settings::Block;
use host_adapters_sources::SourceConfig;
use serde_json::{Map, Value as Json, json};

/// Every table of settings, those of sources left out ([`SourceConfig::blocks`]).
pub fn blocks() -> Vec<Block> {
    Block::with_all_within([Block::of::<HostSettings>("application"), Block::of::<ToolSettings>("component")])
}

/// The JSON Schema of what this host reads in `spin.toml`.
pub fn schema() -> Json {
    let (blocks, sources) = (blocks(), SourceConfig::blocks());
    let mut definitions: Map<_, _> =
        blocks.iter().chain(&sources).map(|block| (block.name.to_owned(), block.schema())).collect();
    definitions.insert("source".to_owned(), one_of(sources.iter().map(|block| Block::reference(block.name))));
    let tool = |block: &str| {
        let own = json!({"type": "object", "properties": {"host-adapters": Block::reference(block)}});
        json!({"type": "object", "properties": {"tool": own}})
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://registration.example/schemas/config/host-adapters.json",
        "title": "host-adapters in spin.toml",
        "description": "What host-adapters reads in spin.toml under the tables `tool` of the application and of each component. Spin ignores them.",
        "type": "object",
        "properties": {
            "application": tool("application"),
            "component": {"type": "object", "additionalProperties": tool("component")},
        },
        "$defs": definitions,
    })
}

/// A table that is of one of several kinds, by its `type`.
pub(super) fn one_of(kinds: impl Iterator<Item = Json>) -> Json {
    json!({"type": "object", "required": ["type"], "oneOf": kinds.collect::<Vec<_>>()})
}
