//! The contract without a pool: each request waits for the start of its own container.

const POOL: &str = "0";

include!("contract/all.rs");
