//! `scripts/fuzz.sh names`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::names(bytes));
