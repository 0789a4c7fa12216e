//! The cache of compiled components: a folder of files, shared by all hosts that use it.
//!
//! A file's name is the digest of the component's code and of the engine's version and settings. Custom sections of the
//! component itself (names, producers, stamps of a release) are not part of the code, because wasmtime does not read
//! them. Those of the modules inside it are, because their names appear in backtraces.

use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use wasmparser::{Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Files that are kept apart from those of serving versions. The least recently used are removed first.
const KEPT: usize = 32;
/// A file that has been incomplete for this long was left by a host that died.
const ABANDONED: Duration = Duration::from_secs(3600);

/// The cache: a folder, and the engine's version and settings.
pub(crate) struct Cache {
    folder: PathBuf,
    engine: u64,
}

/// A component ready to be linked.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    /// The file in the cache.
    pub(crate) path: PathBuf,
    /// Whether the file existed already.
    pub(crate) cached: bool,
}

impl Cache {
    pub(crate) fn new(engine: &Engine, folder: PathBuf) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self { folder, engine: hasher.finish() }
    }

    /// Takes a component from the cache, or compiles it and stores it there.
    pub(crate) fn component(&self, engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Compiled> {
        let path = self.folder.join(format!("{}-{:016x}.cwasm", code_digest(wasm), self.engine));
        if let Some(component) = cached(engine, &path) {
            touch(&path);
            return Ok(Compiled { component, path, cached: true });
        }
        let component = Component::new(engine, wasm)?;
        if let Err(error) = store(&path, &component.serialize()?) {
            tracing::warn!(path = %path.display(), %error, "a compiled component could not be cached; the next start compiles again");
        }
        Ok(Compiled { component, path, cached: false })
    }

    /// Removes files that are not in use, except those used last.
    pub(crate) fn prune(&self, serving: &HashSet<PathBuf>) {
        if let Err(error) = prune(&self.folder, serving) {
            tracing::warn!(path = %self.folder.display(), %error, "the cache of compiled components was not pruned");
        }
    }
}

/// SHA-256 of a file, hex.
pub fn digest(wasm: &[u8]) -> String {
    format!("{:x}", Sha256::digest(wasm))
}

/// The digest of everything that affects compilation. A file that cannot be read counts as a whole.
fn code_digest(wasm: &[u8]) -> String {
    let mut hash = Sha256::new();
    let mut at = 0;
    for section in custom_sections(wasm).unwrap_or_default() {
        hash.update(wasm.get(at..section.start).unwrap_or_default());
        at = section.end;
    }
    hash.update(wasm.get(at..).unwrap_or_default());
    format!("{:x}", hash.finalize())
}

/// The component's own custom sections, in order.
fn custom_sections(wasm: &[u8]) -> Option<Vec<std::ops::Range<usize>>> {
    let mut parser = Parser::new(0);
    let mut sections = Vec::new();
    let mut at = 0;
    loop {
        let wasmparser::Chunk::Parsed { consumed, payload } = parser.parse(wasm.get(at..)?, true).ok()? else {
            return None;
        };
        let start = at;
        at += consumed;
        match payload {
            Payload::CustomSection(_) => sections.push(start..at),
            // A section that is itself a module or a component counts as a whole.
            Payload::ModuleSection { unchecked_range, .. } | Payload::ComponentSection { unchecked_range, .. } => {
                at = unchecked_range.end;
            }
            Payload::End(_) => return Some(sections),
            _ => {}
        }
    }
}

#[expect(unsafe_code, reason = "the file was written by `store`, whole or not at all, in a folder of ours")]
fn cached(engine: &Engine, path: &Path) -> Option<Component> {
    if !path.exists() {
        return None;
    }
    // A file of another engine is refused by its header, and the component is compiled again.
    unsafe { Component::deserialize_file(engine, path) }.ok()
}

/// Records that a file was used. If that fails, the file only looks older.
fn touch(path: &Path) {
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// Writes another file and renames it, so that a reader never sees half a file.
fn store(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(folder)?;
    // Each writer has a unique name, because several hosts, and several loads of one host, may share the folder.
    static WRITERS: AtomicU64 = AtomicU64::new(0);
    let writer = WRITERS.fetch_add(1, Ordering::Relaxed);
    let partial = path.with_extension(format!("{}-{writer}.partial", std::process::id()));
    std::fs::write(&partial, bytes)?;
    std::fs::rename(partial, path)
}

fn prune(folder: &Path, serving: &HashSet<PathBuf>) -> io::Result<()> {
    let mut compiled = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        // Another host, which prunes too, has removed it.
        let Ok(used) = path.metadata().and_then(|it| it.modified()) else { continue };
        match path.extension().and_then(|it| it.to_str()) {
            Some("cwasm") if !serving.contains(&path) => compiled.push((used, path)),
            Some("partial") if used.elapsed().is_ok_and(|age| age > ABANDONED) => drop(std::fs::remove_file(path)),
            _ => {}
        }
    }
    compiled.sort();
    let surplus = compiled.len().saturating_sub(KEPT);
    // A component runs on after its file is removed, because it is mapped. A file that no longer exists was removed by
    // another host.
    compiled.into_iter().take(surplus).for_each(|(_, path)| drop(std::fs::remove_file(path)));
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"\0asm\x0d\0\x01\0";

    /// A custom section `n` with this content.
    fn custom(content: &[u8]) -> Vec<u8> {
        [&[0, 2 + u8::try_from(content.len()).unwrap(), 1, b'n'], content].concat()
    }

    /// A module with a custom section of its own, as a section of a component.
    fn module(content: &[u8]) -> Vec<u8> {
        let module = [b"\0asm\x01\0\0\0", custom(content).as_slice()].concat();
        [&[1, u8::try_from(module.len()).unwrap()], module.as_slice()].concat()
    }

    #[test]
    fn only_the_components_own_custom_sections_do_not_count_as_code() {
        let wasm = |inner: &[u8], own: &[u8]| [HEAD, &module(inner), &custom(own)].concat();
        let one = wasm(b"a", b"b");
        assert_ne!(digest(&one), digest(&wasm(b"a", b"c")));
        assert_eq!(code_digest(&one), code_digest(&wasm(b"a", b"c")));
        assert_ne!(code_digest(&one), code_digest(&wasm(b"x", b"b")));
    }

    #[test]
    fn a_file_that_is_not_a_component_counts_as_a_whole() {
        assert_ne!(code_digest(b"nonsense"), code_digest(b"nonsens3"));
        let cut = [HEAD, &[1, 100]].concat();
        assert_eq!(code_digest(&cut), digest(&cut));
    }

    #[test]
    fn serving_files_and_those_used_last_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: String, age_secs| {
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            let used = SystemTime::now() - Duration::from_secs(age_secs);
            File::options().append(true).open(&path).unwrap().set_modified(used).unwrap();
            path
        };
        let serves = file("old-serves.cwasm".into(), 9_000);
        let (old, abandoned) = (file("old.cwasm".into(), 8_000), file("x.1-1.partial".into(), 7_000));
        let writing = file("x.1-2.partial".into(), 1);
        let fresh: Vec<_> = (0..32).map(|n| file(format!("{n}.cwasm"), n)).collect();
        prune(folder.path(), &[serves.clone()].into()).unwrap();
        assert!(!old.exists() && !abandoned.exists());
        assert!(serves.exists() && writing.exists() && fresh.iter().all(|path| path.exists()));
    }
}
