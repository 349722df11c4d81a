//! The contract with containers that stand ready.

const POOL: &str = "2";

include!("contract/all.rs");
