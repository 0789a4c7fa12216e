//! Objects while connections to their server fail.

use super::proxy::{Line, Proxy};
use crate::backends::on_servers::servers::{endpoints, unique};
use backend_s3::S3;
use host_adapters_platform::limits::object::{MAX_PUT_BYTES, ObjectQuery};
use host_adapters_platform::{ObjectsBackend, Result};
use host_adapters_records::ErrorKind;
use host_adapters_records::objects::{ByteRange, MAX_RANGE_BYTES};
use std::time::Duration;
use tests::aws::aws;
use tests::contract::suites::backend::BUCKET;
use tests::contract::suites::objects::key;

const ALL: ByteRange = ByteRange { offset: 0, length: MAX_RANGE_BYTES };

fn kind<T>(result: &Result<T>) -> Option<ErrorKind> {
    result.as_ref().err().map(|error| error.kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_an_outage_and_never_a_part_of_an_object() {
    let mut at = endpoints().await.clone();
    let proxy = Proxy::before(at.of("moto")).await;
    let objects = S3::new(&aws(&at.s3).await, &unique(), [BUCKET.to_owned()].into());
    objects.provision().await.unwrap();
    let (large, content) = (key("large"), vec![7; MAX_PUT_BYTES]);
    let etag = objects.put(BUCKET, &large, content.clone()).await.unwrap();

    // Some two seconds for all of it.
    proxy.set(Line::Slow(Duration::from_millis(8)));
    let (read, ()) = tokio::join!(objects.get_range(BUCKET, &large, &etag, ALL), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        proxy.set(Line::Cut);
    });
    assert_eq!(kind(&read), Some(ErrorKind::Unavailable));
    let query = ObjectQuery { prefix: String::new(), after: None, limit: 1 };
    let kinds = [
        kind(&objects.head(BUCKET, &large).await),
        kind(&objects.get_range(BUCKET, &large, &etag, ALL).await),
        kind(&objects.put(BUCKET, &large, vec![]).await),
        kind(&objects.list(BUCKET, &query).await),
    ];
    assert_eq!(kinds, [Some(ErrorKind::Unavailable); 4]);

    proxy.set(Line::Open);
    assert!(objects.get_range(BUCKET, &large, &etag, ALL).await.unwrap() == content);
}
