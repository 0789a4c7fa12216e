//! Rows of the lease table. Columns are the KCL's: `leaseKey`, `leaseOwner`, `leaseCounter`, `checkpoint`,
//! `checkpointSubSequenceNumber`, `ownerSwitchesSinceCheckpoint`, `parentShardId`.

use super::LeaseRows;
use aws_sdk_dynamodb::types::AttributeValue;
use backend_aws::error;
use host_adapters_platform::{Checkpoint, Result, Shard};
use host_adapters_records::{Error, ErrorKind};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

const TRIM_HORIZON: &str = "TRIM_HORIZON";
const SHARD_END: &str = "SHARD_END";
/// Before the time with which a worker begins, milliseconds since 1970 (UTC).
const AT_TIMESTAMP: &str = "AT_TIMESTAMP:";
/// For how long a shard must be missing from the listings until its row is deleted.
const GONE: Duration = Duration::from_secs(10 * 60);

/// The row of one shard and one worker.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) key: String,
    pub(super) shard: String,
    pub(super) parents: Vec<String>,
    pub(super) owner: Option<String>,
    pub(super) counter: u64,
    pub(super) checkpoint: Option<Checkpoint>,
    /// Whether it is stored in the table.
    pub(super) exists: bool,
}

type Item = HashMap<String, AttributeValue>;

/// The common beginning of the keys of one worker's leases on one stream: a table's, named by the table, or another.
pub fn scope(worker: &str, stream: &str) -> String {
    format!("{worker}:{stream}:")
}

pub(super) fn key(scope: &str, shard: &str) -> String {
    format!("{scope}{shard}")
}

pub(super) fn checkpoint_text(checkpoint: &Checkpoint) -> String {
    match checkpoint {
        Checkpoint::AtTimestamp(time_ms) => format!("{AT_TIMESTAMP}{time_ms}"),
        Checkpoint::At(sequence) => sequence.clone(),
        Checkpoint::ShardEnd => SHARD_END.to_owned(),
    }
}

fn checkpoint_of(text: String) -> Checkpoint {
    match text.strip_prefix(AT_TIMESTAMP).map(str::parse) {
        Some(Ok(time_ms)) => Checkpoint::AtTimestamp(time_ms),
        _ if text == SHARD_END => Checkpoint::ShardEnd,
        _ => Checkpoint::At(text),
    }
}

/// Whether `to` is after `from`. Sequence numbers are compared as numbers of any length.
pub(super) fn forward(from: Option<&Checkpoint>, to: &Checkpoint) -> bool {
    let number = |text: &str| {
        let digits = text.trim_start_matches('0');
        (digits.len(), digits.to_owned())
    };
    match (from, to) {
        (None, _) => true,
        (Some(Checkpoint::ShardEnd), _) | (Some(_), Checkpoint::AtTimestamp(_)) => false,
        (Some(Checkpoint::AtTimestamp(_)), _) => true,
        (Some(Checkpoint::At(_)), Checkpoint::ShardEnd) => true,
        (Some(Checkpoint::At(from)), Checkpoint::At(to)) => number(to) > number(from),
    }
}

impl Row {
    /// A row that is not stored in the table yet.
    pub(super) fn new(scope: &str, shard: &str, parents: Vec<String>) -> Self {
        let (key, shard) = (key(scope, shard), shard.to_owned());
        Self { key, shard, parents, owner: None, counter: 0, checkpoint: None, exists: false }
    }

    fn read(scope: &str, item: &Item) -> Option<Self> {
        let text = |name| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).cloned();
        let key = text("leaseKey")?;
        let checkpoint = text("checkpoint").filter(|text| text != TRIM_HORIZON);
        let counter = item.get("leaseCounter").and_then(|value| value.as_n().ok()?.parse().ok());
        Some(Self {
            shard: key.strip_prefix(scope)?.to_owned(),
            parents: item.get("parentShardId").and_then(|value| value.as_ss().ok()).cloned().unwrap_or_default(),
            owner: text("leaseOwner"),
            counter: counter.unwrap_or(0),
            checkpoint: checkpoint.map(checkpoint_of),
            exists: true,
            key,
        })
    }

    fn item(&self) -> Item {
        let mut item = HashMap::from([
            ("leaseKey".to_owned(), AttributeValue::S(self.key.clone())),
            ("leaseCounter".to_owned(), AttributeValue::N(self.counter.to_string())),
            ("checkpoint".to_owned(), AttributeValue::S(TRIM_HORIZON.to_owned())),
            ("checkpointSubSequenceNumber".to_owned(), AttributeValue::N("0".to_owned())),
            ("ownerSwitchesSinceCheckpoint".to_owned(), AttributeValue::N("0".to_owned())),
        ]);
        if !self.parents.is_empty() {
            item.insert("parentShardId".to_owned(), AttributeValue::Ss(self.parents.clone()));
        }
        item
    }

    /// The condition that the row is unchanged since this host read it.
    pub(super) fn unchanged(&self) -> (&'static str, Vec<(&'static str, AttributeValue)>) {
        let counter = (":counter", AttributeValue::N(self.counter.to_string()));
        match (&self.owner, self.exists) {
            (_, false) => ("attribute_not_exists(leaseKey)", vec![]),
            (None, true) => ("leaseCounter = :counter AND attribute_not_exists(leaseOwner)", vec![counter]),
            (Some(owner), true) => {
                let owner = (":owner", AttributeValue::S(owner.clone()));
                ("leaseCounter = :counter AND leaseOwner = :owner", vec![counter, owner])
            }
        }
    }
}

impl LeaseRows {
    /// All rows of a scope by shard. Lease tables are small: a row per shard and worker.
    pub(super) async fn rows(&self, scope: &str) -> Result<HashMap<String, Row>> {
        let (mut rows, mut after) = (HashMap::new(), None);
        loop {
            let scan = self
                .client
                .scan()
                .table_name(&self.table)
                .consistent_read(true)
                .filter_expression("begins_with(leaseKey, :scope)")
                .expression_attribute_values(":scope", AttributeValue::S(scope.to_owned()))
                .set_exclusive_start_key(after);
            let answer = scan.send().await.map_err(|failed| error(&self.table, &failed))?;
            let found = answer.items.into_iter().flatten().filter_map(|item| Row::read(scope, &item));
            rows.extend(found.map(|row| (row.shard.clone(), row)));
            after = answer.last_evaluated_key;
            if after.is_none() {
                return Ok(rows);
            }
        }
    }

    /// One row.
    pub(super) async fn row(&self, scope: &str, shard: &str) -> Result<Option<Row>> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = request.key("leaseKey", AttributeValue::S(key(scope, shard))).send().await;
        let item = answer.map_err(|failed| error(&self.table, &failed))?.item;
        Ok(item.and_then(|item| Row::read(scope, &item)))
    }

    /// Stores the row of a shard that has none; `None` if another host was first.
    pub(super) async fn make(&self, scope: &str, shard: &Shard) -> Result<Option<Row>> {
        let row = Row { exists: true, ..Row::new(scope, &shard.id, shard.parents.clone()) };
        let put = self.client.put_item().table_name(&self.table).set_item(Some(row.item()));
        match put.condition_expression("attribute_not_exists(leaseKey)").send().await {
            Ok(_) => Ok(Some(row)),
            Err(failed) => match error(&self.table, &failed) {
                Error { kind: ErrorKind::ConditionFailed, .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Deletes the rows of shards that the stream has dropped. Returns whether there are rows of unlisted shards that
    /// this host did not know. A shard may also be unlisted because it is younger than this host's list and another
    /// host has listed it.
    pub(super) async fn tidy(&self, scope: &str, shards: &[Shard], rows: &HashMap<String, Row>) -> bool {
        let listed = |row: &&Row| shards.iter().any(|shard| shard.id == row.shard);
        let unlisted: Vec<&Row> = rows.values().filter(|row| !listed(row)).collect();
        let (gone, news) = self.miss(scope, &unlisted);
        for row in gone {
            self.forget(&row.key);
            let (condition, values) = row.unchanged();
            let delete = self.client.delete_item().table_name(&self.table);
            let delete = delete.key("leaseKey", AttributeValue::S(row.key.clone())).condition_expression(condition);
            let delete =
                values.into_iter().fold(delete, |it, (name, value)| it.expression_attribute_values(name, value));
            if let Err(failed) = delete.send().await {
                tracing::debug!(shard = row.shard, error = %error(&self.table, &failed), "old lease not deleted");
            }
        }
        news
    }

    /// Which rows were unlisted for so long that their shards are gone, and whether one of the others is new.
    fn miss<'a>(&self, scope: &str, unlisted: &[&'a Row]) -> (Vec<&'a Row>, bool) {
        let mut state = self.state();
        let missing = &mut state.unlisted;
        missing.retain(|key, _| !key.starts_with(scope) || unlisted.iter().any(|row| row.key == *key));
        let before = missing.len();
        let is_gone = |row: &&&Row| missing.entry(row.key.clone()).or_insert_with(Instant::now).elapsed() >= GONE;
        let gone = unlisted.iter().filter(is_gone).copied().collect();
        (gone, state.unlisted.len() > before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_read_as_they_were_written() {
        for checkpoint in
            [Checkpoint::AtTimestamp(1_705_312_800_000), Checkpoint::At("10".to_owned()), Checkpoint::ShardEnd]
        {
            assert_eq!(checkpoint_of(checkpoint_text(&checkpoint)), checkpoint);
        }
    }

    #[test]
    fn checkpoints_only_go_forward() {
        let at = |text: &str| Checkpoint::At(text.to_owned());
        for (from, to, expected) in [
            (None, at("1"), true),
            (Some(at("9")), at("10"), true),
            (Some(at("10")), at("9"), false),
            (Some(at("10")), at("10"), false),
            (Some(at("0010")), at("11"), true),
            (None, Checkpoint::AtTimestamp(5), true),
            (Some(Checkpoint::AtTimestamp(5)), Checkpoint::AtTimestamp(6), false),
            (Some(Checkpoint::AtTimestamp(5)), at("1"), true),
            (Some(Checkpoint::AtTimestamp(5)), Checkpoint::ShardEnd, true),
            (Some(at("1")), Checkpoint::AtTimestamp(5), false),
            (Some(at("10")), Checkpoint::ShardEnd, true),
            (Some(Checkpoint::ShardEnd), at("11"), false),
        ] {
            assert_eq!(forward(from.as_ref(), &to), expected, "{from:?} to {to:?}");
        }
    }
}
