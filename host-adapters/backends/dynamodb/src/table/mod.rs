//! Tables in DynamoDB, with string keys `pk` and `sk`. An item's fields are its attributes.

mod get;
mod provision;
mod query;
mod update;
mod value;
mod write;

pub(super) use provision::make;
pub(super) use value::{json_bytes, json_number, json_of_attributes};

use aws_sdk_dynamodb::Client;
use backend_aws::{Aws, error};
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

    /// Checks that the service answers and has the tables.
    ///
    /// # Errors
    /// When it does not answer, or lacks a table.
    pub async fn probe(&self) -> Result<()> {
        for table in self.names.declared() {
            let real = self.names.real(table)?;
            let described = self.client.describe_table().table_name(&real).send().await;
            described.map_err(|failed| error(&real, &failed))?;
        }
        Ok(())
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
