//! Fuzzes `fuzz_checks::token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_checks::token::run(data));
