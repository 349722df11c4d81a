//! `scripts/fuzz.sh imports`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::imports(bytes));
