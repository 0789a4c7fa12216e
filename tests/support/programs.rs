//! Paths of what is tested: the project, its programs, its components.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The project's root.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Cargo's target folder: this test runs from `<target>/release/deps`.
pub fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}

/// A folder for files that tests make and reuse.
pub fn scratch() -> PathBuf {
    target().join("tmp")
}

/// The folder of native programs.
pub fn native() -> PathBuf {
    target().join("release")
}

static MACHINE: RwLock<()> = RwLock::new(());

/// A lock for tests that would disturb one another: while it is kept, no other of them runs.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// The same for tests that mostly wait: they run beside each other, and not beside those that run alone.
pub fn beside_others() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// The compiled components of all tests' hosts. Without them each host compiles for ten seconds and more.
pub fn compiled() -> PathBuf {
    let folder = project().join("target/compiled-for-tests");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Makes the data folder of a host, if it is not there, with the compiled components of all.
pub fn make_data(folder: &Path) {
    let (shared, compiled) = (compiled(), folder.join("compiled"));
    std::fs::create_dir_all(folder).unwrap();
    if !compiled.exists() {
        std::os::unix::fs::symlink(shared, compiled).unwrap();
    }
}

/// The program `host-adapters`.
pub fn host_adapters() -> PathBuf {
    let program = std::env::var_os("HOST_ADAPTERS_BIN").map(PathBuf::from);
    existing(program.unwrap_or_else(|| target().join("release/host-adapters")))
}

/// The program `bench-host`.
pub fn bench_host() -> PathBuf {
    existing(target().join("release/bench-host"))
}

/// A guest component of the tests, as Cargo built it.
pub fn guest(name: &str) -> PathBuf {
    existing(target().join("wasm32-wasip2/guest").join(name).with_extension("wasm"))
}

/// A guest component that says that it is the component `id`, whose place it is to take.
pub fn guest_as(name: &str, id: &str) -> PathBuf {
    let wasm = host_adapters_runtime::identity::marked(std::fs::read(guest(name)).unwrap(), id);
    let path = scratch().join(format!("{name}-as-{id}.wasm"));
    std::fs::create_dir_all(scratch()).unwrap();
    // Several tests may write it at once; each reads the whole file.
    let partial = tempfile::NamedTempFile::new_in(scratch()).unwrap();
    std::fs::write(&partial, wasm).unwrap();
    partial.persist(&path).unwrap();
    path
}

/// A pre-initialised component of spin.toml.
pub fn component(id: &str) -> PathBuf {
    existing(project().join("target/components").join(id).with_extension("wasm"))
}

fn existing(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} does not exist: run the tests with `cargo verify`, which builds it", path.display());
    path
}
