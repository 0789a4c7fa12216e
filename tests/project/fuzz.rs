//! Runs the fuzz targets on the inputs of `tests/fuzz/corpus`, so that a fixed fault does not return.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tests::programs::project;
use toml_edit::DocumentMut;

fn check(target: &str, run: impl Fn(&[u8])) {
    let files = std::fs::read_dir(project().join("tests/fuzz/corpus").join(target)).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert!(files.len() > 3, "{target} has {} inputs", files.len());
    let failed = files.iter().filter(|path| {
        let input = std::fs::read(path).unwrap();
        catch_unwind(AssertUnwindSafe(|| run(&input))).is_err()
    });
    let failed: Vec<_> = failed.collect();
    assert!(failed.is_empty(), "{target} fails on {failed:?}");
}

macro_rules! targets {
    ($($target:ident)+) => {
        const TARGETS: &[&str] = &[$(stringify!($target)),+];

        $(#[test]
        fn $target() {
            check(stringify!($target), fuzz_checks::$target::run);
        })+
    };
}

targets! { endpoint lambda manifest token }

#[test]
fn every_target_is_run_here() {
    let fuzz = project().join("tests/fuzz");
    for folder in ["fuzz_targets", "corpus"] {
        let entries = std::fs::read_dir(fuzz.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let names = entries.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
        assert_eq!(names.collect::<BTreeSet<_>>(), targets(), "{folder}");
    }
    let manifest: DocumentMut = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap().parse().unwrap();
    let programs = manifest["bin"].as_array_of_tables().unwrap().iter();
    let names = programs.map(|program| program["name"].as_str().unwrap().to_owned());
    assert_eq!(names.collect::<BTreeSet<_>>(), targets(), "programs of tests/fuzz/Cargo.toml");
}

fn targets() -> BTreeSet<String> {
    TARGETS.iter().map(ToString::to_string).collect()
}
