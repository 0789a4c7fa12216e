//! Sequence numbers of records and changes in the file, and how far workers have settled a shard.

use host_adapters_platform::limits::invalid;
use host_adapters_platform::{Checkpoint, Result};
use std::ops::RangeInclusive;

/// The mark of a shard's end, greater than every sequence number.
pub(crate) const SHARD_END: i64 = i64::MAX;

/// A sequence number as text of fixed length, so that texts sort like numbers.
pub(crate) fn text(id: i64) -> String {
    format!("{id:020}")
}

/// Parses the text of a sequence number of the shard that has these.
pub(crate) fn parse(text: &str, of: &RangeInclusive<i64>) -> Result<i64> {
    let id = text.parse().ok().filter(|id| of.contains(id));
    id.ok_or_else(|| invalid(format!("`{text}` is not a sequence number of this shard")))
}

/// The checkpoint that is stored as this number.
pub(crate) fn checkpoint(settled: i64) -> Checkpoint {
    if settled == SHARD_END { Checkpoint::ShardEnd } else { Checkpoint::At(text(settled)) }
}
