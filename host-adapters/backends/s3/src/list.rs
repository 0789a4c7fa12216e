//! Lists objects. S3 orders keys by their bytes, and can continue after any key, so a page's last key is the position
//! of the next page.

use super::{S3, millis, unquoted};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{EncodingType, Object};
use backend_aws::error;
use host_adapters_platform::Result;
use host_adapters_platform::limits::object::ObjectQuery;
use host_adapters_records::objects::{ObjectInfo, ObjectPage};
use host_adapters_records::{Error, ErrorKind};
use percent_encoding::percent_decode_str;

impl S3 {
    pub(super) async fn page(&self, real: &str, query: &ObjectQuery) -> Result<ObjectPage> {
        let mut token = None;
        loop {
            let answer = self.part(real, query, token).await?;
            let is_encoded = answer.encoding_type() == Some(&EncodingType::Url);
            let items: Vec<_> = answer.contents().iter().map(|object| info(object, is_encoded)).collect();
            let is_more = answer.is_truncated() == Some(true);
            token = answer.next_continuation_token;
            // S3 may look at many keys and find none to show; only the token knows that place.
            if !is_more || !items.is_empty() {
                let next = items.last().filter(|_| is_more).map(|last| last.key.clone());
                return Ok(ObjectPage { items, next });
            }
            if token.is_none() {
                let why = format!("{real}: truncated list without a continuation token");
                return Err(Error::new(ErrorKind::Unavailable, why));
            }
        }
    }

    /// What one request lists, from the query's place or that of a token.
    async fn part(&self, real: &str, query: &ObjectQuery, token: Option<String>) -> Result<ListObjectsV2Output> {
        let request = self.client.list_objects_v2().bucket(real).prefix(&query.prefix);
        let request = request.max_keys(query.limit.try_into().unwrap_or(i32::MAX));
        // Keys of other programs may hold characters that XML cannot have.
        let request = request.encoding_type(EncodingType::Url);
        let request = match token {
            Some(token) => request.continuation_token(token),
            None => request.set_start_after(query.after.clone()),
        };
        request.send().await.map_err(|failed| error(real, &failed))
    }
}

fn info(object: &Object, is_encoded: bool) -> ObjectInfo {
    let key = object.key().unwrap_or_default();
    ObjectInfo {
        key: if is_encoded { decoded(key) } else { key.to_owned() },
        size: object.size().and_then(|size| size.try_into().ok()).unwrap_or_default(),
        etag: unquoted(object.e_tag()),
        modified_ms: millis(object.last_modified()),
    }
}

/// As S3 encodes keys in lists: a space is a `+`, and a `+` is `%2B`.
fn decoded(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_as_s3_encodes_them() {
        assert_eq!(decoded("scrubbed/%C3%9C+1%2B1%252F.csv"), "scrubbed/Ü 1+1%2F.csv");
    }
}
