//! `registration:platform/objects`: checks the grant, then the call, and calls the backend.

use crate::grants::Need;
use crate::limits::object::{ObjectKey, ObjectQuery, check_content, check_range, is_etag};
use crate::{PlatformService, Result, took_effect};
use host_adapters_records::objects::{ByteRange, GetRange, Head, List, ObjectInfo, ObjectPage, Put};
use host_adapters_records::{Caller, Error, ErrorKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Buckets of objects, as the platform interface `objects` needs them. What a caller asks for has been checked before it
/// gets here, so that every backend refuses the same.
#[async_trait::async_trait]
pub trait ObjectsBackend: Send + Sync + 'static {
    /// The object at a key; [`absent`] if there is none.
    async fn head(&self, bucket: &str, key: &ObjectKey) -> Result<ObjectInfo>;
    /// Bytes of one version of an object, without those beyond its end; [`changed`] if it is another version.
    async fn get_range(&self, bucket: &str, key: &ObjectKey, etag: &str, range: ByteRange) -> Result<Vec<u8>>;
    /// Writes an object, all of it or nothing; returns its etag.
    async fn put(&self, bucket: &str, key: &ObjectKey, content: Vec<u8>) -> Result<String>;
    /// A page of objects in the order of their keys' bytes.
    async fn list(&self, bucket: &str, query: &ObjectQuery) -> Result<ObjectPage>;
    /// What a declared bucket is called on the server.
    fn real_name(&self, bucket: &str) -> String {
        bucket.to_owned()
    }
}

/// The created objects that a queue is notified of.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Notification {
    /// The bucket.
    pub bucket: String,
    /// What their keys begin with; empty for any.
    pub prefix: String,
    /// What their keys end with; empty for any.
    pub suffix: String,
    /// The queue.
    pub queue: String,
}

/// A key as S3's notifications write it: as in a form, but for slashes.
pub fn encoded(key: &str) -> String {
    const KEPT: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');
    utf8_percent_encode(key, KEPT).to_string().replace(' ', "+")
}

impl Notification {
    /// Whether the queue is notified of an object.
    pub fn is_of(&self, bucket: &str, key: &str) -> bool {
        bucket == self.bucket && key.starts_with(&self.prefix) && key.ends_with(&self.suffix)
    }
}

/// The error for a key under which there is nothing.
pub fn absent(bucket: &str, key: &ObjectKey) -> Error {
    Error::new(ErrorKind::NotFound, format!("{bucket}: there is no object `{key}`"))
}

/// The error for an object that is another version than was asked for.
pub fn changed(bucket: &str, key: &ObjectKey) -> Error {
    Error::new(ErrorKind::Changed, format!("{bucket}: the object `{key}` was replaced; restart with `head`"))
}

pub(crate) async fn objects_head(platform: &PlatformService, caller: Caller<'_>, args: Head) -> Result<ObjectInfo> {
    platform.check(caller, Need::ReadObject(&args.bucket, &args.key))?;
    platform.objects.head(&args.bucket, &ObjectKey::parse(args.key)?).await
}

pub(crate) async fn objects_get_range(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: GetRange,
) -> Result<Vec<u8>> {
    platform.check(caller, Need::ReadObject(&args.bucket, &args.key))?;
    let (key, range) = (ObjectKey::parse(args.key)?, check_range(args.range)?);
    if !is_etag(&args.etag) {
        return Err(changed(&args.bucket, &key));
    }
    platform.objects.get_range(&args.bucket, &key, &args.etag, range).await
}

pub(crate) async fn objects_put(platform: &PlatformService, caller: Caller<'_>, args: Put) -> Result<String> {
    platform.check(caller, Need::WriteObject(&args.bucket, &args.key))?;
    let key = ObjectKey::parse(args.key)?;
    check_content(&args.content)?;
    took_effect(caller, platform.objects.put(&args.bucket, &key, args.content).await)
}

pub(crate) async fn objects_list(platform: &PlatformService, caller: Caller<'_>, args: List) -> Result<ObjectPage> {
    platform.check(caller, Need::ListObjects(&args.bucket, &args.prefix))?;
    let bucket = args.bucket.clone();
    platform.objects.list(&bucket, &ObjectQuery::parse(args)?).await
}
