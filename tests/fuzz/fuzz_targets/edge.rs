//! Fuzzes `fuzz_checks::edge`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::edge::run(data));
