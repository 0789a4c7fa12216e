//! S3.

use super::rest::{Scripted, refusal, response};
use axum::body::{Body, Bytes};
use axum::http::Method;
use backend_s3::S3;
use host_adapters_platform::limits::object::ObjectQuery;
use host_adapters_platform::{ObjectsBackend, Result};
use host_adapters_records::objects::ByteRange;
use host_adapters_records::{Error, ErrorKind};
use tests::contract::suites::objects::key;

const RANGE: ByteRange = ByteRange { offset: 2, length: 3 };

async fn objects(server: &Scripted) -> S3 {
    S3::new(&server.aws().await, "p-", ["b".to_owned()].into())
}

async fn read(server: &Scripted) -> Result<Vec<u8>> {
    objects(server).await.get_range("b", &key("k"), "e", RANGE).await
}

fn kind<T>(result: &Result<T>) -> Option<ErrorKind> {
    result.as_ref().err().map(|error| error.kind)
}

/// S3 answers 503 while it makes room.
pub async fn waits_out_a_slow_down() {
    let etag = [("etag", "\"e\"")];
    let server = Scripted::start(move |_, before| match before {
        0 => refusal(503, "SlowDown"),
        _ => response(200, &etag, ""),
    })
    .await;
    assert_eq!(objects(&server).await.put("b", &key("k"), vec![1]).await, Ok("e".to_owned()));
    assert_eq!(server.requests(), ["PUT /p-b/k", "PUT /p-b/k"]);
    let busy = Scripted::start(|_, _| refusal(503, "SlowDown")).await;
    let busy = objects(&busy).await.put("b", &key("k"), vec![1]).await;
    assert_eq!(kind(&busy), Some(ErrorKind::Throttled), "{busy:?}");
    // A response to HEAD has no body with a code.
    let busy = Scripted::start(|_, _| response(503, &[], Body::empty())).await;
    let busy = objects(&busy).await.head("b", &key("k")).await;
    assert_eq!(kind(&busy), Some(ErrorKind::Throttled), "{busy:?}");
    let busy = Scripted::start(|request, _| {
        let is_object = request.uri().path() == "/p-b/k";
        response(if is_object { 404 } else { 503 }, &[], Body::empty())
    })
    .await;
    let busy = objects(&busy).await.head("b", &key("k")).await;
    assert_eq!(kind(&busy), Some(ErrorKind::Throttled), "{busy:?}");
}

/// Whatever the operator has to mend, no record is given up for it.
pub async fn is_an_outage_when_it_is_refused() {
    for (status, code) in [
        (403, "AccessDenied"),
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
        (301, "PermanentRedirect"),
        (404, "NoSuchBucket"),
        (500, "InternalError"),
    ] {
        let server = Scripted::start(move |request, _| match *request.method() {
            Method::HEAD => response(status, &[], Body::empty()),
            _ => refusal(status, code),
        })
        .await;
        let (objects, query) = (objects(&server).await, ObjectQuery { prefix: String::new(), after: None, limit: 1 });
        let kinds = [
            kind(&objects.head("b", &key("k")).await),
            kind(&objects.get_range("b", &key("k"), "e", RANGE).await),
            kind(&objects.put("b", &key("k"), vec![]).await),
            kind(&objects.list("b", &query).await),
        ];
        assert_eq!(kinds, [Some(ErrorKind::Unavailable); 4], "{code}");
    }
}

/// S3 shows an archived object like any other, and does not hand it out before it is restored.
pub async fn tells_an_archived_object_from_an_outage() {
    let server = Scripted::start(|request, _| match *request.method() {
        Method::HEAD => response(200, &[("etag", "\"e\""), ("content-length", "9")], Body::empty()),
        _ => refusal(403, "InvalidObjectState"),
    })
    .await;
    assert_eq!(objects(&server).await.head("b", &key("k")).await.unwrap().etag, "e");
    let error = read(&server).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    assert!(error.message.contains("InvalidObjectState"), "{error}");
}

/// A response to HEAD has no body that would tell.
pub async fn tells_a_missing_bucket_from_a_missing_object() {
    for (bucket, expected) in [(200, ErrorKind::NotFound), (404, ErrorKind::Unavailable), (403, ErrorKind::Unavailable)]
    {
        let server = Scripted::start(move |request, _| {
            let is_object = request.uri().path() == "/p-b/k";
            response(if is_object { 404 } else { bucket }, &[], Body::empty())
        })
        .await;
        let head = objects(&server).await.head("b", &key("k")).await;
        assert_eq!(kind(&head), Some(expected), "{head:?}");
    }
}

/// The bucket is not asked: a policy may allow reads and refuse that.
pub async fn trusts_the_code_of_a_missing_object() {
    for (code, expected) in [("NoSuchKey", ErrorKind::NotFound), ("NoSuchBucket", ErrorKind::Unavailable)] {
        let server = Scripted::start(move |request, _| match *request.method() {
            Method::HEAD => response(403, &[], Body::empty()),
            _ => refusal(404, code),
        })
        .await;
        assert_eq!(kind(&read(&server).await), Some(expected), "{code}");
        assert_eq!(server.requests(), ["GET /p-b/k"], "{code}");
    }
    // Not S3's.
    let server = Scripted::start(|_, _| response(404, &[("content-type", "text/html")], "<html>gone</html>")).await;
    let answer = read(&server).await;
    assert_eq!(kind(&answer), Some(ErrorKind::Unavailable), "{answer:?}");
}

/// A server that does not know If-Match answers what there is.
pub async fn takes_no_other_version_for_the_one_asked_for() {
    let headers = [("etag", "\"other\""), ("content-range", "bytes 2-4/9")];
    let server = Scripted::start(move |request, _| {
        assert_eq!(
            (&request.headers()["if-match"], &request.headers()["range"]),
            (&"\"e\"".parse().unwrap(), &"bytes=2-4".parse().unwrap())
        );
        response(206, &headers, "abc")
    })
    .await;
    assert_eq!(kind(&read(&server).await), Some(ErrorKind::Changed));
    // Neither is an object of another version taken for an empty rest of this one.
    let server = Scripted::start(|request, _| match *request.method() {
        Method::HEAD => response(200, &[("etag", "\"other\""), ("content-length", "1")], Body::empty()),
        _ => refusal(416, "InvalidRange"),
    })
    .await;
    assert_eq!(kind(&read(&server).await), Some(ErrorKind::Changed));
}

/// One that does not know ranges answers all.
pub async fn takes_no_other_range_for_the_one_asked_for() {
    for (status, range, body) in
        [(200, None, "abc"), (206, Some("bytes 0-2/9"), "abc"), (206, Some("bytes 2-8/9"), "abcdefg")]
    {
        let server = Scripted::start(move |_, _| {
            let range = range.map(|range| ("content-range", range));
            let headers: Vec<_> = [("etag", "\"e\"")].into_iter().chain(range).collect();
            response(status, &headers, body)
        })
        .await;
        let answer = read(&server).await;
        assert_eq!(kind(&answer), Some(ErrorKind::Unavailable), "{range:?}: {answer:?}");
    }
    let headers = [("etag", "\"e\""), ("content-range", "bytes 2-3/4")];
    let server = Scripted::start(move |_, _| response(206, &headers, "cd")).await;
    assert_eq!(read(&server).await.unwrap(), b"cd");
}

pub async fn is_an_outage_when_an_object_breaks_off() {
    let headers = [("etag", "\"e\""), ("content-range", "bytes 2-4/9"), ("content-length", "3")];
    let server = Scripted::start(move |_, _| {
        let parts = [Ok(Bytes::from_static(b"a")), Err(std::io::Error::other("cut"))];
        response(206, &headers, Body::from_stream(futures::stream::iter(parts)))
    })
    .await;
    let answer = read(&server).await;
    assert_eq!(kind(&answer), Some(ErrorKind::Unavailable), "{answer:?}");
}

/// Keys of other programs; and the next page begins behind the last one's key, as it is and not as it is written.
pub async fn lists_keys_that_xml_cannot_hold() {
    let server = Scripted::start(|request, before| {
        let query = request.uri().query().unwrap_or_default();
        assert!(query.contains("encoding-type=url") && query.contains("max-keys=2"), "{query}");
        assert_eq!(query.contains("start-after=%C3%BC%2B%201"), before == 1, "{query}");
        let contents = ["a%01b", "%C3%BC%2B+1"].map(|key| {
            let time = "<LastModified>2024-01-15T10:00:00.000Z</LastModified>";
            format!("<Contents><Key>{key}</Key>{time}<ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>")
        });
        let (more, contents) = if before == 0 { ("true", contents.concat()) } else { ("false", String::new()) };
        let body = format!(
            "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <EncodingType>url</EncodingType><IsTruncated>{more}</IsTruncated>{contents}</ListBucketResult>"
        );
        response(200, &[("content-type", "application/xml")], body)
    })
    .await;
    let objects = objects(&server).await;
    let query = ObjectQuery { prefix: String::new(), after: None, limit: 2 };
    let page = objects.list("b", &query).await.unwrap();
    let keys: Vec<_> = page.items.iter().map(|info| info.key.as_str()).collect();
    assert_eq!((keys, page.next.as_deref()), (vec!["a\u{1}b", "ü+ 1"], Some("ü+ 1")));
    let (info, expected) = (&page.items[0], (7, "e", 1_705_312_800_000));
    assert_eq!((info.size, info.etag.as_str(), info.modified_ms), expected);
    let last = objects.list("b", &ObjectQuery { after: page.next, ..query }).await;
    assert_eq!(last.map(|page| (page.items.len(), page.next)), Ok::<_, Error>((0, None)));
}

/// S3 may answer that there is more, and show none of it.
pub async fn goes_on_behind_an_empty_page() {
    let script = |last: &'static str| {
        move |request: &axum::extract::Request, before: usize| {
            let query = request.uri().query().unwrap_or_default();
            assert_eq!(query.contains("continuation-token=t%2B1"), before == 1, "{query}");
            assert_eq!(query.contains("start-after=a"), before == 0, "{query}");
            let content = match before {
                0 => "<IsTruncated>true</IsTruncated><NextContinuationToken>t+1</NextContinuationToken>",
                _ => last,
            };
            let body = format!("<?xml version=\"1.0\"?><ListBucketResult>{content}</ListBucketResult>");
            response(200, &[("content-type", "application/xml")], body)
        }
    };
    let list = async |last| {
        let server = Scripted::start(script(last)).await;
        let query = ObjectQuery { prefix: String::new(), after: Some("a".to_owned()), limit: 2 };
        let page = objects(&server).await.list("b", &query).await;
        assert_eq!(server.requests().len(), 2);
        page.map(|page| (page.items.into_iter().map(|info| info.key).collect::<Vec<_>>(), page.next))
    };
    let more = list("<IsTruncated>true</IsTruncated><Contents><Key>b</Key></Contents>").await;
    assert_eq!(more, Ok((vec!["b".to_owned()], Some("b".to_owned()))));
    assert_eq!(list("<IsTruncated>false</IsTruncated>").await, Ok((vec![], None)));
    let lost = list("<IsTruncated>true</IsTruncated>").await;
    assert_eq!(kind(&lost), Some(ErrorKind::Unavailable), "{lost:?}");
}
