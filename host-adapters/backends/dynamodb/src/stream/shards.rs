//! The shards of a table's stream.

use super::DynamodbStreams;
use crate::table::{KEYS, check, describe};
use backend_aws::error;
use host_adapters_platform::{Result, Shard};
use host_adapters_records::{Error, ErrorKind};

impl DynamodbStreams {
    /// The ARN of the table's current stream. It is asked for each time, because a stream that is turned off and on has
    /// another ARN, and may have another view.
    pub(super) async fn stream_arn(&self, table: &str) -> Result<String> {
        let real = self.names.real(table)?;
        let mut described = describe(&self.tables, &real).await?;
        let Some(arn) = described.latest_stream_arn.take() else {
            let message = format!("table `{table}` has no stream; turn it on with NEW_AND_OLD_IMAGES");
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        check(&real, &described, &KEYS, true)?;
        Ok(arn)
    }

    pub(super) async fn list_shards(&self, table: &str) -> Result<Vec<Shard>> {
        let arn = self.stream_arn(table).await?;
        let (mut shards, mut after) = (Vec::new(), None);
        loop {
            let request = self.client.describe_stream().stream_arn(&arn).set_exclusive_start_shard_id(after);
            let answer = request.send().await.map_err(|failed| error(table, &failed))?;
            let Some(stream) = answer.stream_description else { break };
            let listed = stream.shards.into_iter().flatten().filter_map(|shard| {
                let parents = shard.parent_shard_id.into_iter().collect();
                Some(Shard { id: shard.shard_id?, parents, ..Shard::default() })
            });
            shards.extend(listed);
            after = stream.last_evaluated_shard_id;
            if after.is_none() {
                break;
            }
        }
        self.iterators.learn(table, arn, &shards);
        Ok(shards)
    }
}
