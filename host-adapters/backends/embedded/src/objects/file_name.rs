//! The file of a key: its text as a file's name, with `%2F` for a slash, `%25` for a percent sign, and `%2E` for a dot at
//! the beginning. No two keys have one file, and no key a folder of another's: `a`, `a/` and `a/b` are the files `a`,
//! `a%2F` and `a%2Fb`. A name of more than 240 bytes, of which a file system takes 255, is continued in a folder, whose name
//! ends with a bare `%`.

use host_adapters_platform::limits::object::ObjectKey;
use percent_encoding::percent_decode;
use std::path::{Path, PathBuf};

/// The longest name that is not continued.
const LONGEST: usize = 240;
/// The end of the name of a folder that continues it.
const CONTINUED: &str = "%";

/// The file of a key, within its bucket's folder.
pub(super) fn of(key: &ObjectKey) -> PathBuf {
    let (mut path, mut name) = (PathBuf::new(), String::new());
    for character in key.as_str().chars() {
        let mut text = [0; 4];
        let text = match character {
            '%' => "%25",
            '/' => "%2F",
            '.' if name.is_empty() => "%2E",
            other => other.encode_utf8(&mut text),
        };
        if name.len() + text.len() > LONGEST {
            path.push(std::mem::take(&mut name) + CONTINUED);
            // A dot begins the next name.
            name.push_str(if text == "." { "%2E" } else { text });
        } else {
            name.push_str(text);
        }
    }
    path.join(name)
}

/// Whether a name is that of a folder which continues it.
pub(super) fn is_continued(name: &[u8]) -> bool {
    name.ends_with(CONTINUED.as_bytes())
}

/// The key of a file, within its bucket's folder; `None` for a name that no key has.
pub(super) fn key_of(path: &Path) -> Option<ObjectKey> {
    let names = path.iter().map(|name| name.as_encoded_bytes());
    let names = names.map(|name| name.strip_suffix(CONTINUED.as_bytes()).unwrap_or(name));
    let text = percent_decode(&names.collect::<Vec<_>>().concat()).decode_utf8().ok()?.into_owned();
    let key = ObjectKey::parse(text).ok()?;
    (of(&key) == path).then_some(key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn key(text: &str) -> ObjectKey {
        ObjectKey::parse(text.to_owned()).unwrap()
    }

    #[test]
    fn every_key_has_a_file_of_its_own() {
        let (long, dots, slashes) = ("ü".repeat(512), "a.".repeat(512), format!("{}b", "/".repeat(1023)));
        let odd = [long.as_str(), &dots, &slashes, &format!("{}.b", "a".repeat(LONGEST)), &"a".repeat(LONGEST + 1)];
        let keys =
            ["a", "a/", "a//", "a/b", "/a", ".a", "a.b", "a/.b", "a%2Fb", "a%2fb", "a%", "%", "%2E", "ü b+c", "..."];
        let files: std::collections::BTreeSet<_> = keys.iter().chain(&odd).map(|it| of(&key(it))).collect();
        assert_eq!(files.len(), keys.len() + odd.len());
        for text in keys.into_iter().chain(odd) {
            let file = of(&key(text));
            assert_eq!(key_of(&file), Some(key(text)), "{file:?}");
            for name in file.iter() {
                let name = name.to_str().unwrap();
                assert!(name.len() <= 255 && !name.starts_with('.') && !name.is_empty(), "{file:?}");
            }
            assert!(!is_continued(file.file_name().unwrap().as_encoded_bytes()), "{file:?}");
            assert!(file.parent().unwrap().iter().all(|name| is_continued(name.as_encoded_bytes())), "{file:?}");
        }
        assert_eq!(of(&key("scrubbed/Ü 1.csv")), Path::new("scrubbed%2FÜ 1.csv"));
    }

    #[test]
    fn names_that_no_key_has_are_of_none() {
        for name in [".put-x", ".a", "a%2fb", "%61", "a%", "a%/b", "a\n", "%2E%2E", "a%zz", "%FF"] {
            assert_eq!(key_of(Path::new(name)), None, "{name}");
        }
    }
}
