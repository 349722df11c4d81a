//! What an operator sees of the service: its log.
//!
//! No line holds code, input, output, uploaded data or keys.

mod engine_log;
pub mod logging;

pub use self::engine_log::EngineLog;
