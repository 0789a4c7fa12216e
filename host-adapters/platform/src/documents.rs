//! `registration:platform/documents`.

use crate::grants::Need;
use crate::{PlatformService, Result, took_effect};
use host_adapters_records::Caller;
use host_adapters_records::documents::{DocumentPage, Find, FindOne, ReplaceOne, UpdateOne, UpdateResult};

pub(crate) async fn documents_find_one(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: FindOne,
) -> Result<Option<String>> {
    platform.check(caller, Need::ReadDocuments(&args.collection))?;
    platform.documents.find_one(&args.collection, &args.filter).await
}

pub(crate) async fn documents_find(platform: &PlatformService, caller: Caller<'_>, args: Find) -> Result<DocumentPage> {
    platform.check(caller, Need::ReadDocuments(&args.collection))?;
    platform.documents.find(&args.collection, args.query).await
}

pub(crate) async fn documents_replace_one(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: ReplaceOne,
) -> Result<()> {
    platform.check(caller, Need::WriteDocuments(&args.collection))?;
    took_effect(platform.documents.replace_one(&args.collection, &args.filter, &args.document).await)
}

/// A filter looks at no more than it must to write, so the right to write is enough, as it is for tables.
pub(crate) async fn documents_update_one(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: UpdateOne,
) -> Result<UpdateResult> {
    platform.check(caller, Need::WriteDocuments(&args.collection))?;
    took_effect(platform.documents.update_one(&args.collection, &args.filter, &args.update).await)
}
