//! `registration:platform/documents`.

use crate::grants::Need;
use crate::{PlatformService, Result};
use platform_wire::documents::{FindOne, ReplaceOne};

pub(crate) async fn find_one(platform: &PlatformService, caller: &str, args: FindOne) -> Result<Option<String>> {
    platform.check(caller, Need::ReadDocuments(&args.collection))?;
    platform.documents.find_one(&args.collection, &args.filter).await
}

pub(crate) async fn replace_one(platform: &PlatformService, caller: &str, args: ReplaceOne) -> Result<()> {
    platform.check(caller, Need::WriteDocuments(&args.collection))?;
    platform.documents.replace_one(&args.collection, &args.filter, &args.document).await
}
