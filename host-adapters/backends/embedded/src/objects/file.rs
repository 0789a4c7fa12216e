//! The file of one object: opening, reading and writing it.
//!
//! Only regular files are objects. Links are not followed, because programs that write into the folder may not have the
//! host's rights, and nothing waits for the writer of a FIFO.

use super::version::Version;
use super::{UNFINISHED, file_name};
use host_adapters_platform::limits::object::ObjectKey;
use host_adapters_records::objects::ByteRange;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK);

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The folder or its disk fails, for any object.
    Disk(io::Error),
    /// The file of this object fails; others do not.
    Object(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// The file of an object in its bucket's folder as it is now, and which version it holds; `None` where there is no object.
pub(super) fn open(folder: &Path, key: &ObjectKey) -> Result<Option<(File, Version)>, Failure> {
    let bucket = File::open(folder)?;
    match open_within(bucket.into(), &file_name::of(key)) {
        Ok(file) => {
            let version = Version::of(&file.metadata()?);
            Ok(version.map(|version| (file, version)))
        }
        // A link, a socket, or a plain file where a folder would continue the name: other programs put them there.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => Ok(None),
        Err(error) => Err(of_open(folder, key, error.into())),
    }
}

fn open_within(folder: OwnedFd, path: &Path) -> rustix::io::Result<File> {
    path.iter().try_fold(folder, |above, name| openat(above, name, FLAGS, Mode::empty())).map(File::from)
}

/// A file that this host may not read is a failure of its object, as long as the folder can be read and searched.
fn of_open(folder: &Path, key: &ObjectKey, error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::PermissionDenied && fs::read_dir(folder.join(".")).is_ok() {
        return Failure::Object(format!("the file of `{key}` cannot be read: {error}; give this host the right to"));
    }
    Failure::Disk(error)
}

/// Bytes of the version `etag`, all from one file, whatever is renamed over it meanwhile; `None` where the file holds, or
/// comes to hold, another version.
pub(super) fn read(file: &File, version: &Version, etag: &str, range: ByteRange) -> io::Result<Option<Vec<u8>>> {
    if version.etag != etag {
        return Ok(None);
    }
    let rest = version.size.saturating_sub(range.offset);
    let mut content = vec![0; usize::try_from(rest.min(range.length.into())).unwrap_or(usize::MAX)];
    match file.read_exact_at(&mut content, range.offset) {
        // Cut while it was read.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let is_same = Version::of(&file.metadata()?).is_some_and(|now| now == *version);
    Ok(is_same.then_some(content))
}

/// Writes all of an object or nothing; it is on disk when this returns. `stamp` sets the file's time. Returns the etag.
pub(super) fn write(
    folder: &Path,
    key: &ObjectKey,
    content: &[u8],
    stamp: impl FnOnce(&File) -> io::Result<()>,
) -> Result<String, Failure> {
    let path = folder.join(file_name::of(key));
    let parent = path.parent().unwrap_or(folder);
    make_continued(folder, parent, key)?;
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(content)?;
    stamp(file.as_file())?;
    file.as_file().sync_all()?;
    let version = Version::of(&file.as_file().metadata()?).ok_or_else(|| io::Error::other("it is not a file"))?;
    file.persist(&path).map_err(|failed| match failed.error.kind() {
        io::ErrorKind::IsADirectory => in_the_way("a folder", &path, key),
        _ => failed.error.into(),
    })?;
    // The names too, of the folders above as well: a long key may have made them.
    for above in parent.ancestors().take_while(|above| above.starts_with(folder)) {
        File::open(above)?.sync_all()?;
    }
    Ok(version.etag)
}

/// Makes the folders that continue a long name, below the bucket's own: that one is the operator's disk, perhaps gone.
fn make_continued(folder: &Path, parent: &Path, key: &ObjectKey) -> Result<(), Failure> {
    let mut above: Vec<_> = parent.ancestors().take_while(|above| *above != folder).collect();
    above.reverse();
    for path in above {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Not a link to a folder either.
                if !fs::symlink_metadata(path)?.is_dir() {
                    return Err(in_the_way("something other than a folder", path, key));
                }
            }
            made => made?,
        }
    }
    Ok(())
}

fn in_the_way(what: &str, path: &Path, key: &ObjectKey) -> Failure {
    let name = path.file_name().unwrap_or_default().display();
    Failure::Object(format!("{what} named `{name}` is in the way of the object `{key}`; remove it"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The tests may run as root, whom no file is closed to.
    #[test]
    fn a_file_that_may_not_be_read_is_not_an_outage_while_its_folder_may() {
        let folder = tempfile::tempdir().unwrap();
        let key = ObjectKey::parse("reports/closed".to_owned()).unwrap();
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let of_one = of_open(folder.path(), &key, denied());
        assert!(matches!(&of_one, Failure::Object(said) if said.contains("`reports/closed`")), "{of_one:?}");
        let of_all = of_open(&folder.path().join("gone"), &key, denied());
        assert!(matches!(of_all, Failure::Disk(_)), "{of_all:?}");
        let broken = of_open(folder.path(), &key, io::Error::other("broken"));
        assert!(matches!(broken, Failure::Disk(_)), "{broken:?}");
    }
}
