//! How often messages of queues have failed: an item for each message that failed, in a table next to the lease table.
//!
//! A count is read and then written, which takes two calls for many messages. Only one host at a time has a message, so
//! nothing is lost between the two; if the queue hands a message out twice, a failure may count once instead of twice.

use crate::Dynamodb;
use aws_sdk_dynamodb::types::TimeToLiveSpecification;
use backend_aws::{Aws, error};
use host_adapters_platform::{FAILURES_KEPT, FailureTable, Result};
use host_adapters_records::table::Key;
use host_adapters_records::{Error, ErrorKind};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where DynamoDB finds when an item expires, in seconds since 1970.
const EXPIRES: &str = "expires";

/// The table of failures.
#[derive(Clone)]
pub struct DynamodbFailures {
    tables: Dynamodb,
    table: String,
}

impl DynamodbFailures {
    /// Failures in `table`.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self { tables: Dynamodb::new(aws, "", BTreeSet::from([table.to_owned()])), table: table.to_owned() }
    }

    /// Checks that the service answers and has the table.
    ///
    /// # Errors
    /// When it does not answer, or lacks the table.
    pub async fn probe(&self) -> Result<()> {
        self.tables.probe(&self.table, false).await
    }

    /// Makes the table if it does not exist, and lets its items expire.
    ///
    /// # Errors
    /// When DynamoDB refuses.
    pub async fn provision(&self) -> Result<()> {
        self.tables.provision(&self.table, false).await?;
        let client = &self.tables.client;
        let described = client.describe_time_to_live().table_name(&self.table).send().await;
        let described = described.map_err(|failed| error(&self.table, &failed))?.time_to_live_description;
        if described.is_some_and(|it| it.attribute_name.as_deref() == Some(EXPIRES)) {
            return Ok(());
        }
        let expiry = TimeToLiveSpecification::builder().enabled(true).attribute_name(EXPIRES).build();
        let expiry = expiry.map_err(|wrong| Error::new(ErrorKind::Invalid, wrong.to_string()))?;
        let request = client.update_time_to_live().table_name(&self.table).time_to_live_specification(expiry);
        request.send().await.map(drop).map_err(|failed| error(&self.table, &failed))
    }

    async fn write(&self, puts: Vec<String>, deletes: Vec<Key>) -> Result<()> {
        let failed = self.tables.write_all(&self.table, puts, deletes).await?;
        failed.into_iter().flatten().next().map_or(Ok(()), Err)
    }
}

#[async_trait::async_trait]
impl FailureTable for DynamodbFailures {
    async fn count_failures(&self, queue: &str, messages: &[String]) -> Result<Vec<u32>> {
        let expires = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + FAILURES_KEPT;
        let found = self.tables.get_all(&self.table, keys(queue, messages)).await?;
        let counts: Vec<u32> = found.iter().map(|item| failures(item.as_deref()).saturating_add(1)).collect();
        let item = |(message, count): (&String, &u32)| {
            json!({"pk": message, "sk": queue, "failures": count, EXPIRES: expires.as_secs()}).to_string()
        };
        self.write(messages.iter().zip(&counts).map(item).collect(), Vec::new()).await?;
        Ok(counts)
    }

    async fn forget_failures(&self, queue: &str, messages: &[String]) -> Result<()> {
        self.write(Vec::new(), keys(queue, messages)).await
    }
}

/// The ids of messages differ among queues and applications, so that they spread over the table's partitions.
fn keys(queue: &str, messages: &[String]) -> Vec<Key> {
    messages.iter().map(|message| Key { pk: message.clone(), sk: queue.to_owned() }).collect()
}

/// The number of failures in an item.
fn failures(item: Option<&str>) -> u32 {
    let item: Option<Value> = item.and_then(|item| serde_json::from_str(item).ok());
    item.and_then(|item| item.get("failures")?.as_u64()?.try_into().ok()).unwrap_or(0)
}
