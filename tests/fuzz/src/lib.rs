//! The fuzz targets: what each takes of an input, and what must hold whatever the input is. `fuzz_targets/` hands them
//! inputs from libFuzzer, `tests/fast/fuzz.rs` those of `corpus/`.

pub mod edge;
pub mod lambda;
pub mod manifest;
pub mod token;
