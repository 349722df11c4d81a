//! The log: one line an event on stderr, as text or JSON.

use std::{
    io::{self, IsTerminal, Write, stderr},
    panic,
    sync::mpsc,
    thread,
    time::Duration,
};

use tracing::{error, level_filters::LevelFilter};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
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

/// Crates that, below warnings, write what containers and requests hold into the log.
const TALKATIVE: [&str; 4] = ["bollard", "hyper", "hyper_util", "h2"];
/// Takes every client that leaves for an error of its own.
const SILENT: &str = "rmcp=off";
/// Lines that wait for a reader who does not keep up; further ones are lost.
const WAITING_LINES: usize = 8192;
/// The last lines have so long to get out.
const LAST_LINES: Duration = Duration::from_secs(1);

/// What cannot be written, to a full disk or to a pipe that nobody has open, is lost; nothing else is.
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

/// The log of this process. To be dropped last: what waits to be written then gets out.
#[must_use]
#[derive(Debug)]
pub struct Log(Option<WorkerGuard>);

impl Drop for Log {
    fn drop(&mut self) {
        let (done, wait) = mpsc::channel::<()>();
        let writer = self.0.take();
        // In a thread of its own: a pipe that nobody reads would hold it for ever, and with it the end of the process.
        thread::spawn(move || {
            drop(writer);
            drop(done);
        });
        let _ = wait.recv_timeout(LAST_LINES);
    }
}

/// Installs the log for the whole process, panics among it: by place, not by message, which may quote what a request holds.
///
/// Whoever logs waits for nobody: the lines are written by a thread of their own.
pub fn install(format: Format, level: LevelFilter) -> Log {
    let talkative = TALKATIVE.map(|name| format!("{name}={}", level.min(LevelFilter::WARN)));
    let filter = talkative
        .iter()
        .map(String::as_str)
        .chain([SILENT])
        .filter_map(|directive| directive.parse::<Directive>().ok())
        .fold(EnvFilter::default().add_directive(level.into()), EnvFilter::add_directive);
    let queue = NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES).thread_name("log");
    let (lines, writer) = queue.finish(Lossy(stderr()));
    let log = tracing_subscriber::fmt()
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
        log.json().flatten_event(true).init();
    } else {
        log.init();
    }
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "panicked");
    }));
    Log(Some(writer))
}
