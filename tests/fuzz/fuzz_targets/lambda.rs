//! Fuzzes `fuzz::lambda`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::lambda::run(data));
