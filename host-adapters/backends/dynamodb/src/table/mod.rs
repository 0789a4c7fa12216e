//! Tables in DynamoDB, with string keys `pk` and `sk`. An item's fields are its attributes.

mod get;
mod provision;
mod query;
mod update;
mod value;
mod write;

pub(super) use provision::{KEYS, check, describe, make};
pub(super) use value::{JsonNumber, json_bytes, json_of_attributes};

use aws_sdk_dynamodb::Client;
use backend_aws::Aws;
use host_adapters_platform::names::Names;
use host_adapters_platform::{Result, TableBackend};
use host_adapters_records::Error;
use host_adapters_records::table::{BatchGet, BatchUpdate, BatchWrite, Page, Query};
use std::collections::BTreeSet;

/// The tables of one account and region.
#[derive(Clone)]
pub struct Dynamodb {
    pub(crate) client: Client,
    names: Names,
}

impl Dynamodb {
    /// The tables with these names, each with `prefix` before it.
    pub fn new(aws: &Aws, prefix: &str, tables: BTreeSet<String>) -> Self {
        Self { client: Client::new(aws.sdk()), names: Names::new("table", prefix, tables) }
    }

    /// Checks that the service answers and has a table, with our keys and, if `stream`, with a stream of both images.
    ///
    /// # Errors
    /// When it does not answer, lacks the table, or has one that somebody else made for another purpose.
    pub async fn probe(&self, table: &str, stream: bool) -> Result<()> {
        let real = self.names.real(table)?;
        check(&real, &describe(&self.client, &real).await?, &KEYS, stream)
    }
}

#[async_trait::async_trait]
impl TableBackend for Dynamodb {
    async fn batch_get(&self, args: BatchGet) -> Result<Vec<Option<String>>> {
        self.get_all(&self.names.real(&args.table)?, args.keys).await
    }

    async fn batch_write(&self, args: BatchWrite) -> Result<Vec<Option<Error>>> {
        self.write_all(&self.names.real(&args.table)?, args.puts, args.deletes).await
    }

    async fn batch_update(&self, args: BatchUpdate) -> Result<Vec<Option<Error>>> {
        self.update_all(&self.names.real(&args.table)?, args.updates).await
    }

    async fn query(&self, args: Query) -> Result<Page> {
        self.page(&self.names.real(&args.table)?, args).await
    }
}
