//! Creating missing tables, and checking those that others made.

use super::Dynamodb;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType, TableDescription, TableStatus,
};
use backend_aws::error;
use host_adapters_platform::Result;
use host_adapters_platform::limits::invalid;
use host_adapters_records::{Error, ErrorKind};
use std::collections::HashMap;
use std::time::Duration;

/// The keys of a table: the partition key, and the sort key.
pub(crate) const KEYS: [&str; 2] = ["pk", "sk"];

/// How often a new table's state is read, and how many times at most.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: u32 = 120;

impl Dynamodb {
    /// Makes a table if it does not exist, with a stream of both images if `stream`.
    ///
    /// # Errors
    /// When DynamoDB refuses, or the existing table has no such stream.
    pub async fn provision(&self, table: &str, stream: bool) -> Result<()> {
        make(&self.client, &self.names.real(table)?, &KEYS, stream).await
    }
}

/// Makes a table with string keys if it does not exist, and waits until it can be used.
pub(crate) async fn make(client: &Client, table: &str, keys: &[&str], stream: bool) -> Result<()> {
    if !is_active(client, table, keys, stream).await? {
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
        wait(client, table, keys, stream).await?;
    }
    Ok(())
}

async fn wait(client: &Client, table: &str, keys: &[&str], stream: bool) -> Result<()> {
    for _ in 0..LOOKS {
        if is_active(client, table, keys, stream).await? {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(Error::new(ErrorKind::Unavailable, format!("{table}: DynamoDB is still creating it; try again")))
}

/// Whether the table exists and can be used.
async fn is_active(client: &Client, table: &str, keys: &[&str], stream: bool) -> Result<bool> {
    match describe(client, table).await {
        Ok(described) => {
            check(table, &described, keys, stream)?;
            Ok(described.table_status == Some(TableStatus::Active))
        }
        Err(Error { kind: ErrorKind::NotFound, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What the service says about a table.
pub(crate) async fn describe(client: &Client, table: &str) -> Result<TableDescription> {
    let described = client.describe_table().table_name(table).send().await.map_err(|failed| error(table, &failed))?;
    let nothing = || Error::new(ErrorKind::Unavailable, format!("{table}: the service does not describe it"));
    described.table.ok_or_else(nothing)
}

/// Checks that a table has these keys, all strings, and no others; and, if `stream`, a stream of both images.
pub(crate) fn check(table: &str, described: &TableDescription, keys: &[&str], stream: bool) -> Result<()> {
    let (found, wanted) = (found_keys(described), keys.iter().map(|key| format!("`{key}` of type S")));
    let (found, wanted) = (found.join(" and "), wanted.collect::<Vec<_>>().join(" and "));
    if found != wanted {
        return Err(invalid(format!("{table}: its key is {found}; it must be {wanted}")));
    }
    let view = described.stream_specification.as_ref().filter(|stream| stream.stream_enabled);
    match view.and_then(|stream| stream.stream_view_type.as_ref()) {
        Some(StreamViewType::NewAndOldImages) => Ok(()),
        _ if !stream => Ok(()),
        Some(view) => Err(invalid(format!("{table}: its stream shows {view}; it must show NEW_AND_OLD_IMAGES"))),
        None => Err(invalid(format!("{table}: it has no stream; turn one on that shows NEW_AND_OLD_IMAGES"))),
    }
}

/// The keys of a table, the partition key first, each with its type.
fn found_keys(described: &TableDescription) -> Vec<String> {
    let types: HashMap<&str, &ScalarAttributeType> = described
        .attribute_definitions()
        .iter()
        .map(|attribute| (attribute.attribute_name(), attribute.attribute_type()))
        .collect();
    let mut keys: Vec<&KeySchemaElement> = described.key_schema().iter().collect();
    keys.sort_by_key(|key| *key.key_type() != KeyType::Hash);
    let typed = |key: &KeySchemaElement| {
        let name = key.attribute_name();
        format!("`{name}` of type {}", types.get(name).map_or("?", |it| it.as_str()))
    };
    keys.into_iter().map(typed).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, non_snake_case, reason = "tests, named after a line of docs/delivery.md")]
mod tests {
    use super::*;

    /// A table with these keys, and a stream with this view.
    fn table(keys: &[(&str, ScalarAttributeType)], view: Option<StreamViewType>) -> TableDescription {
        let mut table = TableDescription::builder();
        for ((name, attribute), kind) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
            let definition = AttributeDefinition::builder().attribute_name(*name).attribute_type(attribute.clone());
            table = table
                .key_schema(KeySchemaElement::builder().attribute_name(*name).key_type(kind).build().unwrap())
                .attribute_definitions(definition.build().unwrap());
        }
        let stream = |view| StreamSpecification::builder().stream_enabled(true).stream_view_type(view).build().unwrap();
        table.set_stream_specification(view.map(stream)).build()
    }

    #[test]
    fn d4_17__case_05_tables_made_by_others_are_refused_by_name() {
        use ScalarAttributeType::{N, S};
        let ours = [("pk", S), ("sk", S)];
        for (table, stream, problem) in [
            (table(&ours, Some(StreamViewType::NewAndOldImages)), true, None),
            (table(&ours, None), false, None),
            (table(&ours, None), true, Some("it has no stream")),
            (table(&ours, Some(StreamViewType::KeysOnly)), true, Some("its stream shows KEYS_ONLY")),
            (table(&ours, Some(StreamViewType::KeysOnly)), false, None),
            (table(&[("id", S)], None), false, Some("its key is `id` of type S; it must be `pk` of type S and `sk`")),
            (table(&[("pk", S)], None), false, Some("its key is `pk` of type S; it must be")),
            (table(&[("pk", S), ("sk", N)], None), false, Some("`sk` of type N")),
            (table(&[("sk", S), ("pk", S)], None), false, Some("its key is `sk` of type S and `pk`")),
        ] {
            match (check("t", &table, &KEYS, stream), problem) {
                (Ok(()), None) => {}
                (Err(error), Some(problem)) => {
                    assert_eq!(error.kind, ErrorKind::Invalid);
                    assert!(error.message.starts_with("t: ") && error.message.contains(problem), "{error}");
                }
                (found, _) => panic!("{problem:?}: {found:?}"),
            }
        }
    }
}
