//! Creating missing tables.

use super::Dynamodb;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType, TableStatus,
};
use backend_aws::error;
use host_adapters_platform::Result;
use host_adapters_records::{Error, ErrorKind};
use std::time::Duration;

/// How often a new table's state is read, and how many times at most.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: u32 = 120;

impl Dynamodb {
    /// Makes a table if it does not exist, with a stream of both images if `stream`.
    ///
    /// # Errors
    /// When DynamoDB refuses, or the existing table has no such stream.
    pub async fn provision(&self, table: &str, stream: bool) -> Result<()> {
        make(&self.client, &self.names.real(table)?, &["pk", "sk"], stream).await
    }
}

/// Makes a table with string keys if it does not exist, and waits until it can be used.
pub(crate) async fn make(client: &Client, table: &str, keys: &[&str], stream: bool) -> Result<()> {
    if !is_active(client, table, stream).await? {
        let wrong = |error: BuildError| Error::new(ErrorKind::Invalid, error.to_string());
        let mut request = client.create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
        for (name, kind) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
            let key = KeySchemaElement::builder().attribute_name(*name).key_type(kind).build().map_err(wrong)?;
            let attribute = AttributeDefinition::builder().attribute_name(*name).attribute_type(ScalarAttributeType::S);
            request = request.key_schema(key).attribute_definitions(attribute.build().map_err(wrong)?);
        }
        if stream {
            let images =
                StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewAndOldImages);
            request = request.stream_specification(images.build().map_err(wrong)?);
        }
        match request.send().await {
            Ok(_) => {}
            // Another host is making it.
            Err(failed) if failed.as_service_error().is_some_and(|error| error.is_resource_in_use_exception()) => {}
            Err(failed) => return Err(error(table, &failed)),
        }
        wait(client, table, stream).await?;
    }
    Ok(())
}

async fn wait(client: &Client, table: &str, stream: bool) -> Result<()> {
    for _ in 0..LOOKS {
        if is_active(client, table, stream).await? {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(Error::new(ErrorKind::Unavailable, format!("{table}: DynamoDB is still creating it; try again")))
}

/// Whether the table exists and can be used.
async fn is_active(client: &Client, table: &str, stream: bool) -> Result<bool> {
    let described = match client.describe_table().table_name(table).send().await {
        Ok(answer) => answer.table,
        Err(failed) => match error(table, &failed) {
            Error { kind: ErrorKind::NotFound, .. } => return Ok(false),
            error => return Err(error),
        },
    };
    let Some(described) = described else { return Ok(false) };
    let view = described.stream_specification.and_then(|stream| stream.stream_view_type);
    if stream && view != Some(StreamViewType::NewAndOldImages) {
        let message = format!("{table}: the table exists without a stream of NEW_AND_OLD_IMAGES; turn that on");
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    Ok(described.table_status == Some(TableStatus::Active))
}
