//! `[[component.<id>.tool.host-adapters.source]]`: what feeds a worker. The kinds and their settings are in
//! `host-adapters-sources`.

use host_adapters_platform::Declared;
use host_adapters_settings::{Block, Fields, Setting, suggestion};
use host_adapters_sources::SourceConfig;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::ops::Range;

/// The sources of a component that could be read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sources {
    pub(super) read: Vec<RawSource>,
    /// Whether there is any block, read or not.
    pub(super) any: bool,
}

impl Sources {
    /// Whether one of them hands over tasks.
    pub(super) fn do_tasks(&self) -> bool {
        self.read.iter().any(|it| it.source.does_tasks())
    }
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

/// A source with the parts of its block that are needed after the whole manifest has been read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct RawSource {
    pub(super) source: SourceConfig,
    /// Where it names what it reads.
    pub(super) from: Range<usize>,
    /// The keys of its block, and where their values stand.
    keys: BTreeMap<String, Range<usize>>,
}

impl RawSource {
    /// The queue that it reads, if it reads one, that of its dead letters, and where the latter is named.
    pub(super) fn dead_letters(&self, worker: &str) -> Option<(String, String, Range<usize>)> {
        Some((self.source.queue()?, self.source.dead_letter_queue(worker)?, self.place("dead_letter_queue").clone()))
    }

    /// Where the value of a key stands, or else what it reads is named.
    pub(super) fn place(&self, key: &str) -> &Range<usize> {
        self.keys.get(key).unwrap_or(&self.from)
    }

    /// The source; what its block leaves out may be declared elsewhere.
    pub(super) fn finish(mut self, declared: &Declared) -> SourceConfig {
        self.source.complete(declared, &|key| self.keys.contains_key(key));
        self.source
    }
}

/// Reads one source block; the names in it are checked later.
fn read(mut fields: Fields<'_, '_>) -> Option<RawSource> {
    let kinds = || SourceConfig::KINDS.iter().copied();
    let raw = fields.string("type");
    let words: Vec<_> = kinds().map(|kind| format!("\"{kind}\"")).collect();
    let raw = fields.required("type", raw, &words.join(" or "))?;
    if !kinds().any(|kind| kind == raw.value) {
        // The rest of the block cannot be checked.
        let words = suggestion(&raw.value, kinds());
        fields.diagnostic(&raw.span, format!("unknown source type \"{}\"{words}", raw.value));
        return None;
    }
    let source = SourceConfig::read(&raw.value, &mut fields);
    let keys = fields.keys().filter_map(|key| Some((key.to_owned(), fields.place(key)?))).collect();
    let key = source.as_ref().and_then(|source| Some(source.reads()?.key));
    let from = key.and_then(|key| fields.place(key)).unwrap_or_else(|| fields.span.clone());
    fields.finish();
    source.map(|source| RawSource { source, from, keys })
}
