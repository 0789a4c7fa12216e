//! `registration:platform/documents`: checks the grant, then the call, and calls the backend.

use crate::filter::Filter;
use crate::find::Query;
use crate::grants::Need;
use crate::limits::document::Document;
use crate::update::Update;
use crate::{PlatformService, Result, took_effect};
use host_adapters_records::Caller;
use host_adapters_records::documents::{DocumentPage, Find, FindOne, ReplaceOne, UpdateOne, UpdateResult};

/// Collections of documents, as the platform interface `documents` needs them. What a caller asks for has been checked
/// before it gets here, so that every backend refuses the same.
#[async_trait::async_trait]
#[allow(missing_docs, reason = "meanings as in platform.wit")]
pub trait DocumentsBackend: Send + Sync + 'static {
    async fn find_one(&self, collection: &str, filter: Filter) -> Result<Option<String>>;
    async fn find(&self, collection: &str, query: Query) -> Result<DocumentPage>;
    async fn replace_one(&self, collection: &str, filter: Filter, document: Document) -> Result<()>;
    async fn update_one(&self, collection: &str, filter: Filter, update: Update) -> Result<UpdateResult>;
}

pub(crate) async fn documents_find_one(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: FindOne,
) -> Result<Option<String>> {
    platform.check(caller, Need::ReadDocuments(&args.collection))?;
    platform.documents.find_one(&args.collection, Filter::parse(&args.filter)?).await
}

pub(crate) async fn documents_find(platform: &PlatformService, caller: Caller<'_>, args: Find) -> Result<DocumentPage> {
    platform.check(caller, Need::ReadDocuments(&args.collection))?;
    platform.documents.find(&args.collection, Query::parse(&args.query)?).await
}

pub(crate) async fn documents_replace_one(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: ReplaceOne,
) -> Result<()> {
    platform.check(caller, Need::WriteDocuments(&args.collection))?;
    let (filter, document) = (Filter::parse(&args.filter)?, Document::parse(args.document)?);
    took_effect(caller, platform.documents.replace_one(&args.collection, filter, document).await)
}

/// A filter reads only what it needs in order to write, so the right to write is enough, as for tables.
pub(crate) async fn documents_update_one(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: UpdateOne,
) -> Result<UpdateResult> {
    platform.check(caller, Need::WriteDocuments(&args.collection))?;
    let (filter, update) = (Filter::parse(&args.filter)?, Update::parse(&args.update)?);
    took_effect(caller, platform.documents.update_one(&args.collection, filter, update).await)
}
