//! Fuzzes `fuzz_checks::endpoint`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::endpoint::run(data));
