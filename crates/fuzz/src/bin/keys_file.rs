//! `scripts/fuzz.sh keys_file`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::keys_file(bytes));
