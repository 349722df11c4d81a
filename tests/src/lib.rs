//! A control plane of a test's own, on its own port with its own data folder, beside whatever else runs here.
//!
//! [`Product::stop`] ends it and fails the test if a container is left; [`docker`] asks the engine from outside; [`corpus`]
//! plays the faults of tests/corpus against the [`service`] as it is shipped.

#![expect(clippy::unwrap_used, reason = "a test framework fails by panicking")]

pub mod corpus;
pub mod docker;
pub mod engine;
pub mod keys;
pub mod machine;
pub mod product;
pub mod service;

pub use self::product::{Product, Run};

use std::{fmt::Display, future::Future, time::Duration};

use tokio::time::{Instant, sleep};

/// Waits until a condition holds; fails the test if it does not within `limit`, and only then asks `what` for its text.
pub async fn eventually<F: Future<Output = bool>>(
    what: impl Display,
    limit: Duration,
    mut condition: impl FnMut() -> F,
) {
    let deadline = Instant::now() + limit;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Says plainly that a test shows nothing here.
#[expect(clippy::print_stderr, reason = "for the person who reads the tests' output")]
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}
