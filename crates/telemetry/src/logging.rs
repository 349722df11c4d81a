//! The log: one line an event on stderr, as text or JSON.

use std::{
    fmt,
    io::{IsTerminal, stderr},
};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter,
    filter::Directive,
    util::{SubscriberInitExt, TryInitError},
};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Crates that, below this level, write what containers and requests hold into the log.
const TALKATIVE: [&str; 4] = ["bollard", "hyper", "hyper_util", "h2"];

/// Installs the log for the whole process. Fails if one is installed already.
pub fn install(format: Format, level: LevelFilter) -> Result<(), InstallError> {
    let talkative = TALKATIVE.map(|name| format!("{name}={}", level.min(LevelFilter::WARN)));
    let filter = talkative
        .iter()
        .filter_map(|directive| directive.parse::<Directive>().ok())
        .fold(EnvFilter::default().add_directive(level.into()), EnvFilter::add_directive);
    let log = tracing_subscriber::fmt()
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_env_filter(filter)
        .with_target(false);
    let json = match format {
        Format::Auto => !stderr().is_terminal(),
        Format::Text => false,
        Format::Json => true,
    };
    let installed =
        if json { log.json().flatten_event(true).finish().try_init() } else { log.finish().try_init() };
    installed.map_err(InstallError)
}

/// A log is installed already.
#[derive(Debug)]
pub struct InstallError(TryInitError);

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a log is installed already")
    }
}

impl std::error::Error for InstallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
