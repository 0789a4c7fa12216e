//! Fuzzes `fuzz_checks::lambda`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::lambda::run(data));
