//! The checks of the fuzz targets: how each reads an input, and what must hold for any input. `tests/fuzz/fuzz_targets`
//! calls them with inputs of libFuzzer, `tests/project/fuzz.rs` with those of `tests/fuzz/corpus`.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a panic is what a fuzzer looks for")]

pub mod endpoint;
pub mod lambda;
pub mod manifest;
pub mod token;
