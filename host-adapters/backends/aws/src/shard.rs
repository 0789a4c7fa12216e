//! What the readers of shards share: iterators that are kept from one read to the next, and the form of sequence numbers.

use host_adapters_platform::limits::invalid;
use host_adapters_platform::{Position, Result};
use std::time::Duration;
use tokio::time::Instant;

/// The iterators of one shard, by position: that of the next position is kept, so that a read costs one call.
#[derive(Debug, Default)]
pub struct ShardIterators(Vec<Known>);

#[derive(Debug)]
struct Known {
    position: Position,
    iterator: String,
    since: Instant,
}

impl ShardIterators {
    /// Takes the iterator of a position, which is used once. One as old as `fresh` is no longer used.
    pub fn take(&mut self, position: &Position, fresh: Duration) -> Option<String> {
        self.0.retain(|known| known.since.elapsed() < fresh);
        let at = self.0.iter().position(|known| known.position == *position)?;
        Some(self.0.swap_remove(at).iterator)
    }

    /// Keeps the iterator of a position, and drops those as old as `fresh`.
    pub fn put(&mut self, position: Position, iterator: String, fresh: Duration) {
        self.0.retain(|known| known.position != position && known.since.elapsed() < fresh);
        self.0.push(Known { position, iterator, since: Instant::now() });
    }
}

/// Refuses a text that cannot be a sequence number of at most this many decimal digits.
///
/// # Errors
/// `invalid`.
pub fn check_sequence(text: &str, digits: usize) -> Result<()> {
    if (1..=digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(invalid(format!("`{text}` is not a sequence number")))
}
