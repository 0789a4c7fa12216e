//! The invariants of ARCHITECTURE.md that can be checked by reading files.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use tests::programs::project;
use toml_edit::{DocumentMut, Item};

/// Most lines of a Rust file, not counting its tests.
const MAX_LINES: usize = 600;

fn read(path: impl AsRef<Path>) -> String {
    let path = project().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn toml(path: impl AsRef<Path>) -> DocumentMut {
    read(path).parse().unwrap()
}

/// The names under `[dependencies]`, `[dev-dependencies]`, `[target.….dependencies]` of a crate.
fn dependencies(krate: &str) -> BTreeSet<String> {
    let manifest = toml(Path::new(krate).join("Cargo.toml"));
    let mut tables = vec![manifest.as_table()];
    tables.extend(
        manifest.get("target").and_then(|it| it.as_table()).into_iter().flatten().filter_map(|it| it.1.as_table()),
    );
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let named = |table: &&toml_edit::Table| {
        let tables = kinds.iter().filter_map(|kind| table.get(kind)?.as_table());
        tables.flat_map(|table| table.iter().map(|(name, _)| name.to_owned())).collect::<Vec<_>>()
    };
    tables.iter().flat_map(named).collect()
}

fn assert_names_none(krate: &str, words: &[&str]) {
    let named = dependencies(krate);
    assert!(!named.is_empty(), "{krate} names no dependency at all");
    for name in named {
        assert!(!words.iter().any(|word| name.contains(word)), "{krate}/Cargo.toml must not name {name}");
    }
}

/// The crates that have a folder in this one, by their folders.
fn crates_in(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(project().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
    let crates = entries.map(|name| format!("{folder}/{}", name.to_string_lossy()));
    let crates: BTreeSet<_> = crates.filter(|krate| project().join(krate).join("Cargo.toml").is_file()).collect();
    assert!(crates.len() >= 10, "{crates:?}");
    crates
}

/// Those of the host, without its binary and its backends.
fn host_crates() -> BTreeSet<String> {
    crates_in("host-adapters")
}

fn backend_crates() -> BTreeSet<String> {
    crates_in("host-adapters/backends")
}

/// The name of a crate, by its folder.
fn package(krate: &str) -> String {
    let manifest = toml(Path::new(krate).join("Cargo.toml"));
    manifest["package"]["name"].as_str().unwrap().to_owned()
}

const SDKS: [&str; 5] = ["aws-sdk", "aws-config", "mongodb", "redis", "rdkafka"];
const RUNTIME: &str = "host-adapters/runtime";
/// Their types cross the sandbox's boundary, for which they name wasmtime. Only the runtime turns it on.
const OF_THE_BOUNDARY: [&str; 2] = ["host-adapters/event", "host-adapters/records"];

#[test]
fn crates_do_not_know_what_they_must_not_know() {
    for krate in host_crates() {
        assert_names_none(&krate, &SDKS);
        assert_names_none(&krate, &["rusqlite"]);
    }
    for krate in host_crates().union(&backend_crates()).filter(|krate| *krate != RUNTIME) {
        assert_names_none(krate, &["runtime"]);
        if !OF_THE_BOUNDARY.contains(&krate.as_str()) {
            assert_names_none(krate, &["wasmtime"]);
        }
    }
    assert_names_none(RUNTIME, &["delivery"]);
    for krate in ["pipeline", "registration", "scoring"] {
        assert_names_none(&format!("components/{krate}"), &["spin-sdk", "wit", "wasi", "reqwest", "tokio"]);
    }
}

#[test]
fn only_the_runtime_names_wasmtime() {
    for krate in
        ["host-adapters", "tests", "tests/tools/bench", "tests/tools/demo", "tests/fakes", "tests/servers", "xtask"]
    {
        assert_names_none(krate, &["wasmtime"]);
    }
    assert!(dependencies(RUNTIME).contains("wasmtime"));
    for krate in OF_THE_BOUNDARY {
        let wasmtime = &toml(Path::new(krate).join("Cargo.toml"))["dependencies"]["wasmtime"];
        assert_eq!(wasmtime["optional"].as_bool(), Some(true), "{krate}");
    }
}

fn tree(selection: &[impl AsRef<OsStr>]) -> BTreeSet<String> {
    tree_along("normal,build", selection)
}

/// What `cargo tree` prints of a selection of packages, one line each: `name version|features`.
fn tree_along(edges: &str, selection: &[impl AsRef<OsStr>]) -> BTreeSet<String> {
    let mut tree = std::process::Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--edges", edges, "--prefix", "none", "--format", "{p}|{f}"]);
    let output = tree.args(selection).current_dir(project()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    // Removes the marks of packages that were printed before, and of macros.
    lines.lines().map(|line| line.replace(" (*)", "").replace(" (proc-macro)", "")).collect()
}

fn names(tree: &BTreeSet<String>) -> BTreeSet<&str> {
    tree.iter().filter_map(|line| Some(line.split_once(' ')?.0)).collect()
}

#[test]
fn there_is_one_crypto_provider() {
    // Cargo.lock would not do: it also lists what optional features would add.
    let tree = tree(&["--workspace"]);
    let names = names(&tree);
    assert!(names.contains("aws-lc-rs"));
    for other in ["ring", "openssl", "native-tls"] {
        assert!(!names.contains(other), "{other} is built: see `cargo tree -i {other}`");
    }
}

fn assert_compiles_none(selection: &[impl AsRef<OsStr> + Debug], sdks: &[&str]) {
    let tree = tree(selection);
    for name in names(&tree) {
        assert!(!sdks.iter().any(|sdk| name.starts_with(sdk)), "{name} is compiled for {selection:?}");
    }
}

/// The options with which `cargo demo` selects what it builds, as xtask's constant says.
fn embedded() -> Vec<String> {
    let code = read("xtask/src/build.rs");
    let (_, rest) = code.split_once("const EMBEDDED:").expect("xtask/src/build.rs says what `cargo demo` builds");
    let (_, list) = rest.split_once("= [").unwrap();
    let (list, _) = list.split_once("];").unwrap();
    let options: Vec<_> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(options.iter().any(|option| option == "--no-default-features"), "{options:?}");
    options
}

#[test]
fn sdks_are_compiled_for_their_backends_alone() {
    assert_compiles_none(&embedded(), &SDKS);
    let with_database = [&SDKS[..], &["rusqlite"]].concat();
    for krate in host_crates() {
        assert_compiles_none(&["--all-features", "--package", &package(&krate)], &with_database);
    }
    for krate in backends_always_built() {
        assert_compiles_none(&["--all-features", "--package", &krate], &SDKS);
    }
    assert!(names(&tree(&["--package", "host-adapters"])).contains("aws-sdk-sqs"), "by default all are there");
}

/// The backends among the host's dependencies: those that a feature turns on, or the others.
fn backends_of_the_host(are_optional: bool) -> BTreeSet<String> {
    let manifest = toml("host-adapters/Cargo.toml");
    let dependencies = manifest["dependencies"].as_table().unwrap().iter();
    let is_optional = |it: &Item| it.get("optional").and_then(Item::as_bool) == Some(true);
    let backends = dependencies.filter(|(name, it)| name.starts_with("backend-") && is_optional(it) == are_optional);
    backends.map(|(name, _)| name.to_owned()).collect()
}

fn backends_always_built() -> BTreeSet<String> {
    backends_of_the_host(false)
}

/// The lines of `KINDS`: the kind, which is also the feature, and its crate.
fn kinds_of_backends() -> BTreeSet<(String, String)> {
    let code = read("host-adapters/src/backends/mod.rs");
    let (_, rest) = code.split_once("[BackendKind] = kinds! {").expect("the list of kinds");
    let (list, _) = rest.split_once("};").unwrap();
    let lines = list.lines().map(str::trim).filter(|line| line.starts_with('"'));
    let kind = |line: &str| {
        let (words, krate) = line.strip_suffix(';').unwrap().split_once(": ").unwrap();
        let (_, kind) = words.split_once(", ").unwrap();
        (kind.trim_matches('"').to_owned(), krate.replace('_', "-"))
    };
    lines.map(kind).collect()
}

/// The features that turn a backend on, and its crate.
fn features_of_backends() -> BTreeSet<(String, String)> {
    let manifest = toml("host-adapters/Cargo.toml");
    let features = manifest["features"].as_table().unwrap().iter();
    let features = features.flat_map(|(feature, turns_on)| {
        let turns_on = turns_on.as_array().unwrap().iter().filter_map(|it| it.as_str()?.strip_prefix("dep:"));
        let backends = turns_on.filter(|krate| krate.starts_with("backend-"));
        backends.map(|krate| (feature.to_owned(), krate.to_owned())).collect::<Vec<_>>()
    });
    features.collect()
}

#[test]
fn a_backend_is_a_crate_a_feature_and_a_kind() {
    let kinds = kinds_of_backends();
    assert!(kinds.len() >= 8, "{kinds:?}");
    assert_eq!(features_of_backends(), kinds);
    let manifest = toml("host-adapters/Cargo.toml");
    let default = manifest["features"]["default"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned());
    let names = kinds.iter().map(|(kind, _)| kind.clone()).chain(["embedded".to_owned()]);
    assert_eq!(default.collect::<BTreeSet<_>>(), names.collect::<BTreeSet<_>>(), "all are on by default");
    let crates: BTreeSet<_> = kinds.into_iter().map(|(_, krate)| krate).collect();
    assert_eq!(backends_of_the_host(true), crates);

    // The others are always there, or shared by several.
    let folders = backend_crates();
    let packages: BTreeSet<_> = folders.iter().map(|krate| package(krate)).collect();
    let known: BTreeSet<_> = crates.union(&backends_always_built()).cloned().collect();
    assert!(known.is_subset(&packages), "{known:?} {packages:?}");
    for shared in packages.difference(&known) {
        let users = folders.iter().filter(|krate| dependencies(krate).contains(shared)).count();
        assert!(users > 1, "{shared} has no line in KINDS, and {users} crates use it");
    }
}

/// Otherwise `cargo verify` after `cargo demo` would build dependencies a second time.
#[test]
fn the_demo_shares_its_dependencies_with_the_whole() {
    let of_others = |line: &&String| !line.contains(&format!("({}", project().display()));
    // First the dependencies of programs. Macros and build scripts have features of their own, which would hide a
    // difference.
    for (edges, of_the_whole) in
        [("normal,no-proc-macro", "normal,dev,no-proc-macro"), ("normal,build", "normal,build,dev")]
    {
        let (demo, whole) = (tree_along(edges, &embedded()), tree_along(of_the_whole, &["--workspace"]));
        let alone: Vec<_> = demo.difference(&whole).filter(of_others).collect();
        assert!(demo.len() > 300 && whole.len() > demo.len() + 100, "{} of {}", demo.len(), whole.len());
        assert!(alone.is_empty(), "add to host-adapters/shared-features what the whole has more in: {alone:#?}");
    }
}

/// Every Rust file of the project.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<_> = ["components", "host-adapters", "tests", "xtask"].map(|it| project().join(it)).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 100, "only {} files were found", found.len());
    found
}

#[test]
fn files_are_of_a_size_to_read() {
    for path in sources() {
        let text = read(&path);
        let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines; one topic a file", path.display());
    }
}

#[test]
fn files_say_what_they_are() {
    for path in sources() {
        assert!(read(&path).starts_with("//!"), "{} does not begin with what it is (//!)", path.display());
    }
}

#[test]
fn there_are_no_stubs_or_ignored_tests() {
    // Put together here, so that this file does not contain the words itself.
    let words = [("to", "do!("), ("unimplement", "ed!("), ("#[igno", "re"), ("dbg", "!(")];
    assert_in_no_file(&words.map(|(a, b)| format!("{a}{b}")));
}

/// Tests of a library or program whose test program is not built (`test = false`) would never run.
#[test]
fn what_has_no_test_program_has_no_tests() {
    let is_off = |table: &toml_edit::Table| table.get("test").and_then(Item::as_bool) == Some(false);
    let mut without = 0;
    for path in sources() {
        let krate = path.ancestors().find(|folder| folder.join("Cargo.toml").exists()).unwrap();
        let manifest = toml(krate.join("Cargo.toml"));
        let lib = manifest.get("lib").and_then(Item::as_table).is_some_and(is_off);
        let bins = manifest.get("bin").and_then(Item::as_array_of_tables);
        let bin = bins.into_iter().flatten().any(is_off);
        let is_without = if path.ends_with("src/main.rs") { bin } else { lib && path.starts_with(krate.join("src")) };
        without += usize::from(is_without);
        assert!(!is_without || !read(&path).contains("#[cfg(test)]"), "the tests of {} never run", path.display());
    }
    assert!(without > 10, "{without}");
}

/// A file that two modules share is compiled twice, and the modules of one that is elsewhere are hard to find.
#[test]
fn modules_are_where_their_names_say() {
    assert_in_no_file(&[["#[pa", "th"].concat(), ["#![pa", "th"].concat()]);
}

fn assert_in_no_file(words: &[String]) {
    for path in sources() {
        let text = read(&path);
        for word in words {
            assert!(!text.contains(word), "{} contains {word}", path.display());
        }
    }
}

/// The folders of `components` with a component.
fn component_folders() -> BTreeSet<String> {
    let folders = std::fs::read_dir(project().join("components")).unwrap().map(|entry| entry.unwrap().path());
    let makes_one = |path: &PathBuf| read(path.join("Cargo.toml")).contains("\"cdylib\"");
    folders.filter(makes_one).map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

/// The components of spin.toml that have a trigger, which excludes those that only satisfy imports of others.
fn workers(manifest: &DocumentMut) -> BTreeSet<String> {
    let components = manifest["component"].as_table().unwrap();
    let fill = components.iter().filter_map(|(_, it)| it.get("dependencies")?.as_table()).flat_map(|it| it.iter());
    let fill: BTreeSet<_> = fill.filter_map(|(_, it)| it.get("component")?.as_str()).collect();
    components.iter().map(|(id, _)| id).filter(|id| !fill.contains(id)).map(str::to_owned).collect()
}

#[test]
fn every_component_folder_has_its_block_in_spin_toml_and_every_block_its_folder() {
    let manifest = toml("spin.toml");
    let blocks: BTreeSet<_> = manifest["component"].as_table().unwrap().iter().map(|(id, _)| id.to_owned()).collect();
    assert_eq!(component_folders(), blocks);
}

#[test]
fn every_worker_has_its_route() {
    let manifest = toml("spin.toml");
    let triggers = manifest["trigger"]["http"].as_array_of_tables().unwrap();
    let routes = triggers.iter().map(|it| (it["component"].as_str().unwrap(), it["route"].as_str().unwrap()));
    let routes: BTreeSet<_> = routes.map(|(id, route)| (id.to_owned(), route.to_owned())).collect();
    let expected: BTreeSet<_> =
        workers(&manifest).into_iter().map(|id| (id.clone(), format!("/workers/{id}"))).collect();
    assert_eq!(routes, expected);
}

/// The events that a worker gets: one for each kind of source, and a request if it has no sources.
fn events(component: &Item) -> BTreeSet<String> {
    let ours = component.get("tool").and_then(|tool| tool.get("host-adapters"));
    let sources = ours.and_then(|ours| ours.get("source"));
    let blocks = sources.and_then(Item::as_array_of_tables).into_iter().flatten();
    let inline = sources.and_then(Item::as_array).into_iter().flatten();
    let kinds =
        blocks.map(|it| it["type"].as_str()).chain(inline.map(|it| it.as_inline_table()?.get("type")?.as_str()));
    let kinds: BTreeSet<_> = kinds.map(|kind| kind.unwrap().to_owned()).collect();
    if kinds.is_empty() { BTreeSet::from(["appsync".to_owned()]) } else { kinds }
}

#[test]
fn every_worker_has_a_fixture_of_each_event_that_it_gets() {
    let manifest = toml("spin.toml");
    for id in workers(&manifest) {
        for kind in events(&manifest["component"][id.as_str()]) {
            let path = format!("components/{id}/fixtures/{kind}.json");
            let event: serde_json::Value = serde_json::from_str(&read(&path)).unwrap();
            assert!(event.is_object(), "{path}");
        }
    }
}
