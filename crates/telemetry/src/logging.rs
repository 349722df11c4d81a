//! The log: one line an event on stderr, as text or JSON.

use std::{
    io::{self, IsTerminal, Write, stderr},
    panic,
};

use tracing::{error, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, filter::Directive};

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
const TALKATIVE: [&str; 5] = ["bollard", "hyper", "hyper_util", "h2", "rmcp"];

/// What cannot be written, to a full disk or to a pipe that nobody reads, is lost; nothing else is.
struct Lossy<W>(W);

impl<W: Write> Write for Lossy<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        Ok(self.0.write(line).unwrap_or(line.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

/// Installs the log for the whole process, panics among it: by place, not by message, which may quote what a request holds.
pub fn install(format: Format, level: LevelFilter) {
    let talkative = TALKATIVE.map(|name| format!("{name}={}", level.min(LevelFilter::WARN)));
    let filter = talkative
        .iter()
        .filter_map(|directive| directive.parse::<Directive>().ok())
        .fold(EnvFilter::default().add_directive(level.into()), EnvFilter::add_directive);
    let log = tracing_subscriber::fmt()
        .with_writer(|| Lossy(stderr()))
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
        log.json().flatten_event(true).init();
    } else {
        log.init();
    }
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "panicked");
    }));
}
