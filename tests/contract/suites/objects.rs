//! Objects: single objects, parts of one version, and lists.

use super::backend::{BUCKET, Backend, OTHER_BUCKET};
use host_adapters_platform::Result;
use host_adapters_platform::limits::object::{MAX_PUT_BYTES, ObjectKey, ObjectQuery, is_etag};
use host_adapters_records::ErrorKind;
use host_adapters_records::objects::{ByteRange, List, MAX_RANGE_BYTES, ObjectInfo, ObjectPage};
use std::time::{SystemTime, UNIX_EPOCH};

pub fn key(key: &str) -> ObjectKey {
    ObjectKey::parse(key.to_owned()).unwrap()
}

pub async fn put(backend: &impl Backend, name: &str, content: impl Into<Vec<u8>>) -> String {
    backend.objects().put(BUCKET, &key(name), content.into()).await.unwrap()
}

async fn head(backend: &impl Backend, name: &str) -> ObjectInfo {
    backend.objects().head(BUCKET, &key(name)).await.unwrap()
}

async fn read(backend: &impl Backend, name: &str, etag: &str, offset: u64, length: u32) -> Result<Vec<u8>> {
    backend.objects().get_range(BUCKET, &key(name), etag, ByteRange { offset, length }).await
}

async fn list(backend: &impl Backend, prefix: &str, after: Option<&str>, limit: u32) -> ObjectPage {
    let (bucket, prefix, after) = (BUCKET.to_owned(), prefix.to_owned(), after.map(str::to_owned));
    let query = ObjectQuery::parse(List { bucket, prefix, after, limit }).unwrap();
    backend.objects().list(BUCKET, &query).await.unwrap()
}

/// The keys of all pages.
async fn keys(backend: &impl Backend, prefix: &str, limit: u32) -> Vec<String> {
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = list(backend, prefix, after.as_deref(), limit).await;
        assert!(page.items.len() <= limit as usize, "{page:?}");
        keys.extend(page.items.into_iter().map(|info| info.key));
        after = page.next;
        if after.is_none() {
            return keys;
        }
    }
}

pub async fn keeps_objects(backend: &impl Backend) {
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let (bytes, empty) = (vec![0, 255, 10, 13, 7], Vec::new());
    for (name, content) in [("folder/bytes", bytes), ("empty", empty)] {
        let etag = put(backend, name, content.clone()).await;
        let info = head(backend, name).await;
        assert_eq!((info.key.as_str(), info.size, info.etag.as_str()), (name, content.len() as u64, etag.as_str()));
        // S3 tells whole seconds.
        assert!(u128::from(info.modified_ms) + 2_000 > before, "{} is before {before}", info.modified_ms);
        assert_eq!(read(backend, name, &etag, 0, 100).await.unwrap(), content);
        assert_eq!(list(backend, name, None, 10).await.items.remove(0).size, info.size);
    }
    assert_eq!(list(backend, "empty", None, 10).await.items[0].etag, head(backend, "empty").await.etag);
}

pub async fn reads_ranges(backend: &impl Backend) {
    let etag = put(backend, "ten", "0123456789").await;
    for (offset, length, expected) in [
        (0, 10, "0123456789"),
        (0, 1, "0"),
        (3, 4, "3456"),
        (9, 1, "9"),
        (3, 100, "3456789"),
        (0, MAX_RANGE_BYTES, "0123456789"),
        (3, 0, ""),
        (10, 1, ""),
        (1_000, 5, ""),
        (u64::MAX, 5, ""),
    ] {
        let bytes = read(backend, "ten", &etag, offset, length).await.unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected, "{length} from {offset}");
    }
    let empty = put(backend, "empty", "").await;
    assert_eq!(read(backend, "empty", &empty, 0, 5).await.unwrap(), b"");
}

pub async fn tells_that_an_object_was_replaced(backend: &impl Backend) {
    let first = put(backend, "file", "0123456789").await;
    let second = put(backend, "file", "9876543210").await;
    assert_ne!(first, second);
    for (offset, length) in [(0, 10), (5, 1), (3, 0), (10, 1), (u64::MAX, 1)] {
        for etag in [first.as_str(), "never", ""] {
            let kind = read(backend, "file", etag, offset, length).await.unwrap_err().kind;
            assert_eq!(kind, ErrorKind::Changed, "{length} from {offset} of {etag:?}");
        }
    }
    assert_eq!(read(backend, "file", &second, 0, 10).await.unwrap(), b"9876543210");
    let shorter = put(backend, "file", "").await;
    assert_eq!(read(backend, "file", &second, 0, 10).await.unwrap_err().kind, ErrorKind::Changed);
    assert_eq!(head(backend, "file").await.etag, shorter);
}

/// Any that [`is_etag`] lets pass: a record with a wrong one must not look like an outage.
pub async fn finds_no_version_of_an_odd_etag(backend: &impl Backend) {
    put(backend, "file", "0123456789").await;
    let longest = "e".repeat(1024);
    for etag in [" ", "*", "W/x", "a, b", "\\", "%22", "<&>", "~", &longest] {
        assert!(is_etag(etag), "{etag:?}");
        let kind = read(backend, "file", etag, 0, 10).await.unwrap_err().kind;
        assert_eq!(kind, ErrorKind::Changed, "{etag:?}");
    }
}

/// Each version is of one letter only, which a mixture would not be.
pub async fn reads_one_version_while_others_write(backend: &impl Backend) {
    const SIZE: u32 = 256 * 1024;
    const PARTS: u32 = 4;
    put(backend, "file", vec![b'a'; SIZE as usize]).await;
    let write = async {
        for letter in b'b'..=b'z' {
            put(backend, "file", vec![letter; SIZE as usize]).await;
        }
    };
    let read = async {
        let (mut whole, part) = (0, SIZE / PARTS);
        for _ in 0..40 {
            let (etag, mut bytes) = (head(backend, "file").await.etag, Vec::new());
            for nth in 0..PARTS {
                match read(backend, "file", &etag, u64::from(nth * part), part).await {
                    Ok(more) => bytes.extend(more),
                    Err(error) => assert_eq!(error.kind, ErrorKind::Changed, "{error}"),
                }
            }
            assert!(bytes.windows(2).all(|two| two[0] == two[1]), "two versions");
            whole += u32::from(bytes.len() == SIZE as usize);
        }
        whole
    };
    let ((), whole) = tokio::join!(write, read);
    assert!(whole > 0, "no version was read whole");
}

pub async fn names_what_is_missing(backend: &impl Backend) {
    put(backend, "a/b", "x").await;
    for name in ["a", "a/", "a/b/", "A/b", "none"] {
        let error = backend.objects().head(BUCKET, &key(name)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
        assert!(error.message.contains(name), "{error}");
        assert_eq!(read(backend, name, "e", 0, 1).await.unwrap_err().kind, ErrorKind::NotFound, "{name}");
    }
    assert_eq!(backend.objects().head(OTHER_BUCKET, &key("a/b")).await.unwrap_err().kind, ErrorKind::NotFound);
    let error = backend.objects().head("nobody-s", &key("a/b")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.message.contains("there is no bucket `nobody-s`"), "{error}");
}

/// In the order of their bytes.
pub async fn keeps_odd_keys(backend: &impl Backend) {
    let (long, wide) = ("k".repeat(1024), "ü".repeat(512));
    let odd = [
        " a ",
        "\"'<>&",
        "#f",
        "%",
        "%2F",
        "%2e%2e",
        "*",
        "+",
        "...",
        ".hidden",
        ".put-x",
        "/",
        "//",
        "/a",
        "?x=1",
        "A",
        "\\",
        "a",
        "a b",
        "a%2Fb",
        "a+b",
        "a.",
        "a/",
        "a//b",
        "a/..b",
        "a/b",
        "a/b/c",
        "a:b",
        "a~",
        "k",
        &long,
        "e\u{301}",
        &wide,
        "\u{e9}",
        "ü/👍",
        "\u{ffee}",
        "\u{10000}",
    ];
    let mut sorted = odd.map(str::to_owned).to_vec();
    sorted.sort_unstable();
    for name in odd {
        put(backend, name, name).await;
    }
    for name in odd {
        let info = head(backend, name).await;
        let content = read(backend, name, &info.etag, 0, 2_000).await.unwrap();
        assert_eq!(String::from_utf8(content).unwrap(), name);
    }
    assert_eq!(keys(backend, "", 1_000).await, sorted);
    assert_eq!(keys(backend, "", 7).await, sorted, "in pages");
}

/// UTF-16, in which some servers compare, has surrogates before U+FFEE.
pub async fn lists_in_the_order_of_bytes(backend: &impl Backend) {
    let ordered = ["B", "a", "a-b", "a.b", "a/", "a/b", "a/c", "a0", "b", "é", "\u{ffee}", "\u{10000}"];
    for name in ordered.iter().rev() {
        put(backend, name, "x").await;
    }
    put(backend, "a", "again").await;
    for limit in [1, 3, 4, 11, 12, 13, 1_000] {
        assert_eq!(keys(backend, "", limit).await, ordered, "{limit} a page");
    }
    let page = list(backend, "", None, 12).await;
    assert_eq!((page.items.len(), page.next), (12, None), "the last page says that it is the last");
    let behind = list(backend, "", Some("a/a"), 2).await;
    assert_eq!(behind.items.iter().map(|info| info.key.as_str()).collect::<Vec<_>>(), ["a/b", "a/c"]);
    put(backend, "a/bb", "came meanwhile").await;
    assert_eq!(list(backend, "", Some("a/b"), 1).await.items[0].key, "a/bb");
}

pub async fn lists_what_begins_with_a_prefix(backend: &impl Backend) {
    for name in ["fanlist/raw/1", "fanlist/scored/1", "fanlist/scored/2", "scrubbed/1", "scrubbed-old/1", "scr%2Fubbed"]
    {
        put(backend, name, "x").await;
    }
    backend.objects().put(OTHER_BUCKET, &key("scrubbed/other"), b"x".to_vec()).await.unwrap();
    for (prefix, expected) in [
        ("scrubbed/", &["scrubbed/1"][..]),
        ("scrubbed", &["scrubbed-old/1", "scrubbed/1"]),
        ("fanlist/scored/", &["fanlist/scored/1", "fanlist/scored/2"]),
        ("scr%", &["scr%2Fubbed"]),
        ("scrubbed/1", &["scrubbed/1"]),
        ("Scrubbed", &[]),
        ("..", &[]),
    ] {
        assert_eq!(keys(backend, prefix, 1).await, expected, "{prefix}");
    }
}

/// A put in progress shows what was there before, whole.
pub async fn lists_whole_objects_only(backend: &impl Backend) {
    let sizes = [1, 70_000, 300_000];
    put(backend, "file", vec![b'x'; sizes[0]]).await;
    let write = async {
        for size in sizes.into_iter().cycle().take(30) {
            put(backend, "file", vec![b'x'; size]).await;
        }
    };
    let look = async {
        for _ in 0..60 {
            let items = list(backend, "", None, 1_000).await.items;
            let [info] = items.as_slice() else { panic!("{items:?}") };
            assert!(info.key == "file" && sizes.contains(&(info.size as usize)), "{info:?}");
        }
    };
    tokio::join!(write, look);
}

pub async fn moves_the_most_of_one_call(backend: &impl Backend) {
    let content: Vec<u8> = (0..MAX_PUT_BYTES).map(|at| (at / 7) as u8).collect();
    let etag = put(backend, "large", content.clone()).await;
    assert!(read(backend, "large", &etag, 0, MAX_RANGE_BYTES).await.unwrap() == content);
    assert!(read(backend, "large", &etag, 1, MAX_RANGE_BYTES).await.unwrap() == content[1..]);
}
