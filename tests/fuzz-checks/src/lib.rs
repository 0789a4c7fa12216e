//! The fuzz targets: what each takes of an input, and what must hold whatever the input is. `tests/fuzz/fuzz_targets`
//! hands them inputs from libFuzzer, `tests/project/fuzz.rs` those of `tests/fuzz/corpus`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong here is what a fuzzer looks for"
)]

pub mod endpoint;
pub mod lambda;
pub mod manifest;
pub mod token;
