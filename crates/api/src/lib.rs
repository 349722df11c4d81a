//! The HTTP surface: translation only. `router.rs` has every URL, `error.rs` every status code.

mod answer;
mod body;
mod budget;
mod caller;
mod clip;
pub mod connection;
mod document;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod host;
mod host_paths;
mod json_check;
mod mcp;
mod request_id;
mod router;
mod routes;
mod same_origin;
mod wire;

use std::time::Duration;

use engine::Engine;
use keys::Keyring;
use store::Store;
use telemetry::{Metrics, Traces};

pub use self::{budget::Budget, router::router};

/// Limits of the HTTP surface itself.
#[derive(Clone, Copy, Debug)]
pub struct ApiConfig {
    /// Bytes of a request body, uploads excepted.
    pub max_body: u64,
    /// Bytes of the `code` field.
    pub max_code_size: u64,
    /// Bytes of one uploaded value.
    pub max_value_size: u64,
    /// Longest pause between two parts of a request body.
    pub body_idle: Duration,
    /// How often something goes to the client of a stream who hears nothing from the code, or a proxy would take the connection
    /// for dead.
    pub keep_alive: Duration,
    /// Longest time a request body may take; an upload's, longer at 16 KiB a second.
    pub body_total: Duration,
}

/// What every handler can reach.
#[derive(Clone)]
pub struct App {
    /// Runs code.
    pub engine: Engine,
    /// Keeps data.
    pub store: Store,
    /// Who may call; none: whoever can reach this.
    pub keys: Option<Keyring>,
    /// Limits of this layer.
    pub config: ApiConfig,
    /// Memory for request bodies.
    pub bodies: Budget,
    /// Memory for large answers that are not taken yet.
    pub answers: Budget,
    /// Counts what happens.
    pub metrics: Metrics,
    /// Follows requests.
    pub traces: Traces,
}

#[cfg(test)]
mod tests;
