//! Runs the fuzz targets on the inputs of `tests/fuzz/corpus`, so that a fixed fault does not return.

use std::panic::{AssertUnwindSafe, catch_unwind};
use tests::programs::project;

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

#[test]
fn manifest() {
    check("manifest", fuzz_checks::manifest::run);
}

#[test]
fn lambda() {
    check("lambda", fuzz_checks::lambda::run);
}

#[test]
fn endpoint() {
    check("endpoint", fuzz_checks::endpoint::run);
}

#[test]
fn token() {
    check("token", fuzz_checks::token::run);
}
