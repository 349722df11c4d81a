//! What an operator sees of the service: its log, its metrics, its traces.
//!
//! Nothing here holds code, input, output, uploaded data or keys.

mod engine_log;
pub mod logging;
pub mod metrics;
pub mod traces;

pub use self::{engine_log::EngineLog, metrics::Metrics, traces::Traces};
