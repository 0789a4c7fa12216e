//! Objects in S3.

mod bucket;
mod config;
mod list;

pub use config::S3Config;
pub use config::S3Config as Config;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use backend_aws::{Aws, error};
use host_adapters_platform::limits::object::{ObjectKey, ObjectQuery};
use host_adapters_platform::names::Names;
use host_adapters_platform::objects::{absent, changed};
use host_adapters_platform::{ObjectsBackend, Result};
use host_adapters_records::objects::{ByteRange, ObjectInfo, ObjectPage};
use host_adapters_records::{Error, ErrorKind};
use std::collections::BTreeSet;

const NOT_FOUND: u16 = 404;
const PRECONDITION_FAILED: u16 = 412;
const RANGE_NOT_SATISFIABLE: u16 = 416;
const SERVICE_UNAVAILABLE: u16 = 503;

/// No object is as large (S3 takes 50 TB); a range from here on is not asked for.
const BEYOND_ALL: u64 = 1 << 50;

/// The buckets of one account and region.
#[derive(Clone)]
pub struct S3 {
    client: Client,
    names: Names,
    region: Option<String>,
}

impl S3 {
    /// The buckets with these names, each with `prefix` before it.
    pub fn new(aws: &Aws, prefix: &str, buckets: BTreeSet<String>) -> Self {
        let sdk = aws.sdk();
        Self {
            client: Client::from_conf(configured(sdk)),
            names: Names::new("bucket", prefix, buckets),
            region: sdk.region().map(ToString::to_string),
        }
    }

    /// No bytes of a version, if the object still is that version.
    async fn nothing_of(&self, bucket: &str, key: &ObjectKey, etag: &str) -> Result<Vec<u8>> {
        match self.head(bucket, key).await? {
            ObjectInfo { etag: now, .. } if now == etag => Ok(Vec::new()),
            _ => Err(changed(bucket, key)),
        }
    }
}

#[async_trait::async_trait]
impl ObjectsBackend for S3 {
    async fn head(&self, bucket: &str, key: &ObjectKey) -> Result<ObjectInfo> {
        let real = self.names.real(bucket)?;
        match self.client.head_object().bucket(&real).key(key.as_str()).send().await {
            Ok(it) => Ok(ObjectInfo {
                key: key.to_string(),
                size: it.content_length().and_then(|size| size.try_into().ok()).unwrap_or_default(),
                etag: unquoted(it.e_tag()),
                modified_ms: millis(it.last_modified()),
            }),
            Err(failed) if status(&failed) == Some(NOT_FOUND) => Err(self.absent(bucket, key).await),
            Err(failed) => Err(error_of_head(&real, &failed)),
        }
    }

    async fn get_range(&self, bucket: &str, key: &ObjectKey, etag: &str, range: ByteRange) -> Result<Vec<u8>> {
        let real = self.names.real(bucket)?;
        let Some(last) = u64::from(range.length).checked_sub(1).filter(|_| range.offset < BEYOND_ALL) else {
            return self.nothing_of(bucket, key, etag).await;
        };
        let bytes = format!("bytes={}-{}", range.offset, range.offset + last);
        let request = self.client.get_object().bucket(&real).key(key.as_str());
        match request.if_match(format!("\"{etag}\"")).range(bytes).send().await {
            Ok(answer) if unquoted(answer.e_tag()) != etag => Err(changed(bucket, key)),
            Ok(answer) => body(&real, answer, range).await,
            // Any other 404 is about the bucket, or from a server that is not S3.
            Err(failed) if failed.code() == Some("NoSuchKey") => Err(absent(bucket, key)),
            Err(failed) => match status(&failed) {
                Some(PRECONDITION_FAILED) => Err(changed(bucket, key)),
                Some(RANGE_NOT_SATISFIABLE) => self.nothing_of(bucket, key, etag).await,
                _ => Err(error(&real, &failed)),
            },
        }
    }

    async fn put(&self, bucket: &str, key: &ObjectKey, content: Vec<u8>) -> Result<String> {
        let real = self.names.real(bucket)?;
        let request = self.client.put_object().bucket(&real).key(key.as_str()).body(ByteStream::from(content));
        let answer = request.send().await.map_err(|failed| error(&real, &failed))?;
        Ok(unquoted(answer.e_tag()))
    }

    async fn list(&self, bucket: &str, query: &ObjectQuery) -> Result<ObjectPage> {
        self.page(&self.names.real(bucket)?, query).await
    }

    fn real_name(&self, bucket: &str) -> String {
        self.names.real(bucket).unwrap_or_else(|_| bucket.to_owned())
    }
}

/// The configuration of a client.
fn configured(sdk: &SdkConfig) -> aws_sdk_s3::Config {
    let is_amazon = sdk.endpoint_url().is_none();
    let checksum = match is_amazon {
        // A bucket with Object Lock takes no put without one.
        true => RequestChecksumCalculation::WhenSupported,
        // Other servers do not know the SDK's checksums.
        false => RequestChecksumCalculation::WhenRequired,
    };
    Builder::from(sdk)
        // A server other than Amazon's has one host name for all buckets.
        .force_path_style(!is_amazon)
        .request_checksum_calculation(checksum)
        // S3 has none for a range.
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build()
}

/// The bytes of an answer, if they are those of the range: a server that does not know ranges would send all of an object.
async fn body(real: &str, answer: GetObjectOutput, range: ByteRange) -> Result<Vec<u8>> {
    let failed = |why: String| Error::new(ErrorKind::Unavailable, format!("{real}: {why}"));
    let begins = format!("bytes {}-", range.offset);
    let is_range = answer.content_range().is_some_and(|sent| sent.starts_with(&begins));
    if !is_range || answer.content_length().is_none_or(|bytes| bytes > range.length.into()) {
        return Err(failed(format!("the server answered another range than {begins}, or more of it")));
    }
    let content = answer.body.collect().await.map_err(|error| failed(format!("an object broke off: {error}")))?;
    Ok(content.to_vec())
}

/// The error of a request with HEAD, whose response has no body and so no code: 503 is S3's `SlowDown`.
fn error_of_head<E>(real: &str, failed: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let error = error(real, failed);
    match status(failed) {
        Some(SERVICE_UNAVAILABLE) => Error::new(ErrorKind::Throttled, error.message),
        _ => error,
    }
}

fn status<E>(failed: &SdkError<E>) -> Option<u16> {
    failed.raw_response().map(|response| response.status().as_u16())
}

/// An etag as events have it, without the quotation marks of HTTP.
fn unquoted(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

fn millis(time: Option<&aws_sdk_s3::primitives::DateTime>) -> u64 {
    time.and_then(|time| time.to_millis().ok()).and_then(|millis| millis.try_into().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(sdk: &SdkConfig) -> Option<RequestChecksumCalculation> {
        configured(sdk).request_checksum_calculation().cloned()
    }

    /// A bucket with Object Lock and a default retention refuses a put without.
    #[test]
    fn what_is_put_on_aws_has_a_checksum() {
        assert_eq!(checksum(&SdkConfig::builder().build()), Some(RequestChecksumCalculation::WhenSupported));
        let own = SdkConfig::builder().endpoint_url("http://127.0.0.1:9").build();
        assert_eq!(checksum(&own), Some(RequestChecksumCalculation::WhenRequired));
    }
}
