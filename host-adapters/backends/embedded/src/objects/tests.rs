//! Files that change while they are read, and what is not an object.

use super::*;
use host_adapters_platform::Declared;
use std::fs::FileTimes;

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

#[test]
fn a_read_is_of_the_file_that_was_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("a"), folder.path().join("b"));
    fs::write(&path, "first").unwrap();
    let (file, version) = open(&path).unwrap().unwrap();
    fs::write(&other, "other").unwrap();
    fs::rename(&other, &path).unwrap();
    assert_eq!(read(&file, &version, &version.etag, ALL).unwrap().unwrap(), b"first", "renamed over it");
    let (_, now) = open(&path).unwrap().unwrap();
    assert_ne!(now.etag, version.etag);
}

#[test]
fn a_file_that_is_written_again_in_its_place_is_another_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    for (change, content) in [("longer", "first and more"), ("shorter", "f"), ("later", "FIRST")] {
        fs::write(&path, "first").unwrap();
        let (file, version) = open(&path).unwrap().unwrap();
        fs::write(&path, content).unwrap();
        let later = SystemTime::now() + Duration::from_secs(1);
        File::options().write(true).open(&path).unwrap().set_times(FileTimes::new().set_modified(later)).unwrap();
        assert_eq!(read(&file, &version, &version.etag, ALL).unwrap(), None, "{change}");
    }
}

/// The file system may give a new file the number of the one before the last, within one tick of its clock.
#[tokio::test]
async fn no_two_puts_have_one_etag() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = opened(folder.path());
    let mut etags = BTreeSet::new();
    for _ in 0..100 {
        etags.insert(embedded.put(BUCKET, &key("a"), b"same".to_vec()).await.unwrap());
    }
    assert_eq!(etags.len(), 100);
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
    let embedded = opened(folder.path());
    let left: Vec<_> = fs::read_dir(&bucket).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["a"]);
    assert_eq!(keys(&embedded).await, ["a"]);
}

/// A disk that fails is an outage, and leaves the object as it was.
#[tokio::test]
async fn a_put_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = opened(folder.path());
    let (bucket, long) = (folder.path().join("objects").join(BUCKET), "k".repeat(1000));
    let in_the_way = bucket.join(file_name::of(&key(&long)).iter().next().unwrap());
    fs::write(&in_the_way, "not a folder").unwrap();
    let failed = embedded.put(BUCKET, &key(&long), b"x".to_vec()).await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Unavailable, "{failed}");
    let left: Vec<_> = fs::read_dir(&bucket).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [in_the_way]);
}
