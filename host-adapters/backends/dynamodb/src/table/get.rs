//! Reading items by key, a hundred a request.

use super::Dynamodb;
use super::value::{self, Attributes};
use aws_sdk_dynamodb::types::KeysAndAttributes;
use backend_aws::{error, side_by_side};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use host_adapters_platform::Result;
use host_adapters_platform::limits::item::check_key;
use host_adapters_records::table::Key;
use host_adapters_records::{Error, ErrorKind};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// DynamoDB's limit for a `BatchGetItem`.
const KEYS: usize = 100;

impl Dynamodb {
    /// The items in the order of the keys.
    pub(crate) async fn get_all(&self, table: &str, keys: Vec<Key>) -> Result<Vec<Option<String>>> {
        keys.iter().try_for_each(check_key)?;
        // DynamoDB refuses a request with the same key twice.
        let distinct: Vec<Key> = keys.iter().collect::<HashSet<_>>().into_iter().cloned().collect();
        let mut found = HashMap::new();
        for items in side_by_side(distinct.chunks(KEYS).map(|keys| self.get(table, keys))).await {
            found.extend(items?);
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    /// Repeats the request until every key is processed, or DynamoDB processes none.
    async fn get(&self, table: &str, keys: &[Key]) -> Result<HashMap<Key, String>> {
        let mut open: Vec<Attributes> = keys.iter().cloned().map(value::key).collect();
        let mut found = HashMap::new();
        let mut capacity = Capacity::of(table);
        while !open.is_empty() {
            let asked = open.len();
            let request = KeysAndAttributes::builder().set_keys(Some(open)).consistent_read(true).build();
            let request = request.map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))?;
            let answer = self.client.batch_get_item().request_items(table, request).send().await;
            let answer = answer.map_err(|failed| error(table, &failed))?;
            let items = answer.responses.into_iter().flatten().flat_map(|(_, items)| items);
            found.extend(items.filter_map(|item| Some((value::key_of(&item)?, value::json_of(&item)))));
            open = answer.unprocessed_keys.into_iter().flatten().flat_map(|(_, left)| left.keys).collect();
            capacity.wait(asked, open.len()).await?;
        }
        Ok(found)
    }
}

/// The waits between attempts at what DynamoDB left unprocessed.
pub(super) struct Capacity<'a> {
    table: &'a str,
    waits: ExponentialBackoff,
}

impl<'a> Capacity<'a> {
    pub(super) fn of(table: &'a str) -> Self {
        Self { table, waits: Self::waits() }
    }

    fn waits() -> ExponentialBackoff {
        let waits = ExponentialBuilder::default().with_min_delay(Duration::from_millis(50)).with_jitter();
        waits.with_max_delay(Duration::from_secs(5)).with_max_times(8).build()
    }

    /// Waits before the `left` of `asked` requests are repeated; gives up after several attempts in which nothing was
    /// processed.
    pub(super) async fn wait(&mut self, asked: usize, left: usize) -> Result<()> {
        if left == 0 {
            return Ok(());
        }
        if left < asked {
            self.waits = Self::waits();
        }
        let Some(wait) = self.waits.next() else {
            let message =
                format!("{}: DynamoDB leaves {left} requests unprocessed; the table lacks capacity", self.table);
            return Err(Error::new(ErrorKind::Throttled, message));
        };
        tokio::time::sleep(wait).await;
        Ok(())
    }
}
