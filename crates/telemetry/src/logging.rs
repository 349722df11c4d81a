//! The log: one line an event on stderr, as text or JSON.

mod queue;

use std::{
    io::{self, IsTerminal, stderr},
    panic,
};

use tracing::{error, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, filter::Directive};

pub use self::queue::Log;

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

/// Crates that, below warnings, write what containers and requests hold into the log.
const TALKATIVE: [&str; 4] = ["bollard", "hyper", "hyper_util", "h2"];
/// Takes every client that leaves for an error of its own.
const SILENT: &str = "rmcp=off";

/// Installs the log for the whole process, panics among it: by place, not by message, which may quote what a request holds.
pub fn install(format: Format, level: LevelFilter) -> io::Result<Log> {
    let talkative = TALKATIVE.map(|name| format!("{name}={}", level.min(LevelFilter::WARN)));
    let filter = talkative
        .iter()
        .map(String::as_str)
        .chain([SILENT])
        .filter_map(|directive| directive.parse::<Directive>().ok())
        .fold(EnvFilter::default().add_directive(level.into()), EnvFilter::add_directive);
    let (lines, log) = queue::to(stderr())?;
    let events = tracing_subscriber::fmt()
        .with_writer(lines)
        // What it would say of itself goes to stderr, and a failure there is a panic.
        .log_internal_errors(false)
        .with_ansi(stderr().is_terminal())
        .with_env_filter(filter)
        .with_target(false);
    let json = match format {
        Format::Auto => !stderr().is_terminal(),
        Format::Text => false,
        Format::Json => true,
    };
    if json {
        events.json().flatten_event(true).init();
    } else {
        events.init();
    }
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "panicked");
    }));
    Ok(log)
}
