//! `registration:platform/table`.

use crate::grants::Need;
use crate::outage::whole;
use crate::{PlatformService, Result, took_effect};
use host_adapters_records::table::{BatchGet, BatchUpdate, BatchWrite, Page, Query};
use host_adapters_records::{Caller, Error};

/// Tables, as the platform interface `table` needs them.
#[async_trait::async_trait]
#[allow(missing_docs, reason = "meanings as in platform.wit")]
pub trait TableBackend: Send + Sync + 'static {
    async fn batch_get(&self, args: BatchGet) -> Result<Vec<Option<String>>>;
    async fn batch_write(&self, args: BatchWrite) -> Result<Vec<Option<Error>>>;
    async fn batch_update(&self, args: BatchUpdate) -> Result<Vec<Option<Error>>>;
    async fn query(&self, args: Query) -> Result<Page>;
}

pub(crate) async fn table_batch_get(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: BatchGet,
) -> Result<Vec<Option<String>>> {
    platform.check(caller, Need::ReadTable(&args.table))?;
    platform.tables.batch_get(args).await
}

pub(crate) async fn table_batch_write(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: BatchWrite,
) -> Result<Vec<Option<Error>>> {
    platform.check(caller, Need::WriteTable(&args.table))?;
    took_effect(caller, whole(platform.tables.batch_write(args).await?, Option::as_ref))
}

/// A condition reads only what it needs in order to write, so the right to write is enough, as on DynamoDB.
pub(crate) async fn table_batch_update(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: BatchUpdate,
) -> Result<Vec<Option<Error>>> {
    platform.check(caller, Need::WriteTable(&args.table))?;
    took_effect(caller, whole(platform.tables.batch_update(args).await?, Option::as_ref))
}

pub(crate) async fn table_query(platform: &PlatformService, caller: Caller<'_>, args: Query) -> Result<Page> {
    platform.check(caller, Need::ReadTable(&args.table))?;
    platform.tables.query(args).await
}
