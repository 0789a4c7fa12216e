//! Items of one `pk`, in the order of `sk`.

use super::{Dynamodb, value};
use aws_sdk_dynamodb::types::AttributeValue;
use backend_aws::error;
use host_adapters_platform::Result;
use host_adapters_platform::limits::invalid;
use host_adapters_platform::limits::item::check_pk;
use host_adapters_records::table::{Key, Page, Query};

impl Dynamodb {
    pub(super) async fn page(&self, table: &str, query: Query) -> Result<Page> {
        check_pk(&query.pk)?;
        let limit = i32::try_from(query.limit).unwrap_or(i32::MAX);
        if limit == 0 {
            return Err(invalid("a query's `limit` must be at least 1"));
        }
        // DynamoDB refuses to start outside the range. A start before the range is its beginning; after the range there
        // are no items.
        let start = query.after.filter(|after| *after >= query.prefix);
        if start.as_ref().is_some_and(|after| !after.starts_with(&query.prefix)) {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let start = start.map(|sk| value::key(Key { pk: query.pk.clone(), sk }));
        let mut request = self
            .client
            .query()
            .table_name(table)
            .consistent_read(true)
            .limit(limit)
            .set_exclusive_start_key(start)
            .expression_attribute_values(":pk", AttributeValue::S(query.pk));
        request = if query.prefix.is_empty() {
            request.key_condition_expression("pk = :pk")
        } else {
            request
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .expression_attribute_values(":prefix", AttributeValue::S(query.prefix))
        };
        let answer = request.send().await.map_err(|failed| error(table, &failed))?;
        let next = answer.last_evaluated_key.as_ref().and_then(value::key_of).map(|key| key.sk);
        Ok(Page { items: answer.items().iter().map(value::json_of).collect(), next })
    }
}
