//! Files that change while they are read, and what is not an object.

use super::file::{open, read};
use super::*;
use host_adapters_platform::Declared;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::FileTimes;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

const BUCKET: &str = "scoring";

fn opened(folder: &Path) -> Embedded {
    let declared = Declared { buckets: [BUCKET.to_owned()].into(), ..Declared::default() };
    Embedded::open(&folder.join("store"), &declared).unwrap()
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text.to_owned()).unwrap()
}

const ALL: ByteRange = ByteRange { offset: 0, length: 100 };

async fn keys(embedded: &Embedded) -> Vec<String> {
    let query = ObjectQuery { prefix: String::new(), after: None, limit: 1000 };
    embedded.list(BUCKET, &query).await.unwrap().items.into_iter().map(|info| info.key).collect()
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_read_is_of_the_file_that_was_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("a"), folder.path().join("b"));
    fs::write(&path, "first").unwrap();
    let (file, version) = open(folder.path(), &key("a")).unwrap().unwrap();
    fs::write(&other, "other").unwrap();
    fs::rename(&other, &path).unwrap();
    assert_eq!(read(&file, &version, &version.etag, ALL).unwrap().unwrap(), b"first", "renamed over it");
    let (_, now) = open(folder.path(), &key("a")).unwrap().unwrap();
    assert_ne!(now.etag, version.etag);
}

#[test]
fn a_file_that_is_written_again_in_its_place_is_another_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    for (change, content) in [("longer", "first and more"), ("shorter", "f"), ("later", "FIRST")] {
        fs::write(&path, "first").unwrap();
        let (file, version) = open(folder.path(), &key("a")).unwrap().unwrap();
        fs::write(&path, content).unwrap();
        let later = SystemTime::now() + Duration::from_secs(1);
        File::options().write(true).open(&path).unwrap().set_times(FileTimes::new().set_modified(later)).unwrap();
        assert_eq!(read(&file, &version, &version.etag, ALL).unwrap(), None, "{change}");
    }
}

#[tokio::test]
async fn a_file_that_is_renamed_in_is_an_object_and_no_other_name_is() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = opened(folder.path());
    let bucket = folder.path().join("objects").join(BUCKET);
    let incoming = folder.path().join("incoming");
    fs::write(&incoming, "rows").unwrap();
    fs::rename(&incoming, bucket.join("scrubbed%2F1.csv")).unwrap();
    for ignored in [".put-abc", ".hidden", "a%2fb", "100%"] {
        fs::write(bucket.join(ignored), "x").unwrap();
    }
    fs::create_dir(bucket.join("folder")).unwrap();
    assert_eq!(keys(&embedded).await, ["scrubbed/1.csv"]);
    let info = embedded.head(BUCKET, &key("scrubbed/1.csv")).await.unwrap();
    assert_eq!(embedded.get_range(BUCKET, &key("scrubbed/1.csv"), &info.etag, ALL).await.unwrap(), b"rows");
    let folder = embedded.head(BUCKET, &key("folder")).await.unwrap_err();
    assert_eq!(folder.kind, ErrorKind::NotFound, "{folder}");
}

#[tokio::test]
async fn what_a_crash_left_unfinished_is_gone_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    drop(opened(folder.path()));
    let bucket = folder.path().join("objects").join(BUCKET);
    fs::write(bucket.join(".put-abc"), "half").unwrap();
    fs::write(bucket.join("a"), "whole").unwrap();
    // Somebody else's.
    fs::create_dir(bucket.join(".put-folder")).unwrap();
    let embedded = opened(folder.path());
    assert_eq!(names(&bucket), [".put-folder", "a"]);
    assert_eq!(keys(&embedded).await, ["a"]);
}

/// The folder's fault is not the record's.
#[tokio::test]
async fn a_folder_that_is_gone_is_an_outage() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = opened(folder.path());
    fs::remove_dir(folder.path().join("objects").join(BUCKET)).unwrap();
    let query = ObjectQuery { prefix: String::new(), after: None, limit: 1 };
    let kinds = [
        embedded.head(BUCKET, &key("a")).await.unwrap_err().kind,
        embedded.get_range(BUCKET, &key("a"), "e", ALL).await.unwrap_err().kind,
        embedded.put(BUCKET, &key("a"), vec![]).await.unwrap_err().kind,
        embedded.put(BUCKET, &key(&"k".repeat(1000)), vec![]).await.unwrap_err().kind,
        embedded.list(BUCKET, &query).await.unwrap_err().kind,
    ];
    assert_eq!(kinds, [ErrorKind::Unavailable; 5]);
}

/// Other objects can be put, so it is not an outage.
#[tokio::test]
async fn a_put_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = opened(folder.path());
    let bucket = folder.path().join("objects").join(BUCKET);
    fs::create_dir(bucket.join("reports%2F1")).unwrap();
    let failed = embedded.put(BUCKET, &key("reports/1"), b"x".to_vec()).await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Invalid, "{failed}");
    assert!(failed.message.contains("`reports%2F1` is in the way of the object `reports/1`"), "{failed}");
    assert_eq!(names(&bucket), ["reports%2F1"], "the file that was to be renamed is gone");
}

#[tokio::test]
async fn what_is_not_a_folder_continues_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = opened(folder.path());
    let (bucket, outside, long) =
        (folder.path().join("objects").join(BUCKET), folder.path().join("outside"), key(&"k".repeat(300)));
    let file = file_name::of(&long);
    let (continued, rest) = (bucket.join(file.parent().unwrap()), file.file_name().unwrap());
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join(rest), "secret").unwrap();
    for in_the_way in ["file", "link"] {
        match in_the_way {
            "file" => fs::write(&continued, "not a folder").unwrap(),
            _ => symlink(&outside, &continued).unwrap(),
        }
        let read = embedded.head(BUCKET, &long).await.unwrap_err();
        assert_eq!(read.kind, ErrorKind::NotFound, "{in_the_way}: {read}");
        let put = embedded.put(BUCKET, &long, b"x".to_vec()).await.unwrap_err();
        assert_eq!(put.kind, ErrorKind::Invalid, "{in_the_way}: {put}");
        assert!(keys(&embedded).await.is_empty(), "{in_the_way}");
        fs::remove_file(&continued).unwrap();
    }
    assert_eq!(fs::read_to_string(outside.join(rest)).unwrap(), "secret");
}

/// A link would be followed with the host's rights; a FIFO has no end.
#[tokio::test]
async fn only_regular_files_are_objects() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = opened(folder.path());
    let (bucket, secret) = (folder.path().join("objects").join(BUCKET), folder.path().join("secret"));
    fs::write(&secret, "secret").unwrap();
    symlink(&secret, bucket.join("link")).unwrap();
    symlink(bucket.join("itself"), bucket.join("itself")).unwrap();
    symlink(bucket.join("nowhere"), bucket.join("dangling")).unwrap();
    mknodat(CWD, bucket.join("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(bucket.join("socket")).unwrap();
    for name in ["link", "itself", "dangling", "fifo", "socket"] {
        let head = embedded.head(BUCKET, &key(name)).await.unwrap_err();
        assert_eq!(head.kind, ErrorKind::NotFound, "{head}");
        let read = embedded.get_range(BUCKET, &key(name), "e", ALL).await.unwrap_err();
        assert_eq!(read.kind, ErrorKind::NotFound, "{read}");
    }
    assert!(keys(&embedded).await.is_empty());
    embedded.put(BUCKET, &key("link"), b"rows".to_vec()).await.unwrap();
    assert_eq!(keys(&embedded).await, ["link"]);
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret", "a put replaces the link itself");
}
