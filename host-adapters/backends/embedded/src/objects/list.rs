//! Lists objects in the order of their keys' bytes.

use super::file_name::{is_continued, key_of};
use super::version::Version;
use host_adapters_platform::limits::object::ObjectQuery;
use host_adapters_records::objects::ObjectPage;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A page of the objects in a bucket's folder. Files that no key has, and what is not a regular file, are left out.
pub(super) fn page(folder: &Path, query: &ObjectQuery) -> io::Result<ObjectPage> {
    let mut found = Vec::new();
    gather(folder, Path::new(""), query, &mut found)?;
    found.sort_unstable();
    let limit = query.limit as usize;
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| is_more).map(|(key, _)| key.clone());
    let mut items = Vec::with_capacity(found.len());
    for (key, path) in found {
        match fs::symlink_metadata(folder.join(path)) {
            // Gone meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            metadata => items.extend(Version::of(&metadata?).map(|version| version.info(&key))),
        }
    }
    Ok(ObjectPage { items, next })
}

/// Adds the keys that the query asks for, with their files, from a folder within the bucket's.
fn gather(folder: &Path, within: &Path, query: &ObjectQuery, found: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(within))? {
        let entry = entry?;
        // A link's own, not that of its target.
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let path = within.join(&name);
        if is_continued(name.as_encoded_bytes()) && kind.is_dir() {
            gather(folder, &path, query, found)?;
        } else if let Some(key) = key_of(&path).filter(|_| kind.is_file()) {
            let (key, after) = (key.as_str(), query.after.as_deref());
            if key.starts_with(&query.prefix) && after.is_none_or(|after| key > after) {
                found.push((key.to_owned(), path));
            }
        }
    }
    Ok(())
}
