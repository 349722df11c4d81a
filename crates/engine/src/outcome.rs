//! Everything that can come out of an execution the service carried out.

use std::time::Duration;

use protocol::message::{Display, Figure, Finished, Omitted, Status, Truncated, Usage};
use serde_json::value::RawValue;

use crate::{
    files::OutputFile,
    large::LargeTurn,
    request::{Memory, Timeout},
    returns::Returned,
    size::ByteSize,
};

/// How an execution ended and what it left.
#[derive(Debug)]
pub struct Outcome {
    /// The verdict; never rests on bytes that user code could have written.
    pub status: Status,
    /// A JSON object; none unless the status is [`Status::Ok`].
    pub result: Option<Box<RawValue>>,
    /// The value of the last line; none unless the status is [`Status::Ok`].
    pub display: Option<Display>,
    /// Open figures, and those left in variables; none unless the status is [`Status::Ok`] or [`Status::Error`].
    pub figures: Vec<Figure>,
    /// New and changed files, by path; likewise.
    pub files: Vec<OutputFile>,
    /// What came out until the end; invalid UTF-8 is replaced.
    pub stdout: String,
    /// Likewise.
    pub stderr: String,
    /// Wall clock of the user's code alone, seconds.
    pub execution_time: f64,
    /// One line for a person: what went wrong, or which limit and how much.
    pub error: Option<String>,
    /// Exit status of the user's process.
    pub exit_code: Option<i32>,
    /// Name of the signal that ended it.
    pub signal: Option<String>,
    /// Names that could not be given back.
    pub omitted: Vec<Omitted>,
    /// Which streams were cut at their limit.
    pub truncated: Truncated,
    /// What the whole run used.
    pub usage: Usage,
    /// Of a large answer: no other large one is taken from its runner until this is dropped, as it is to be once this is encoded.
    pub turn: Option<LargeTurn>,
}

/// What was asked for, for the text of a limit that was hit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) timeout: Timeout,
    pub(crate) memory: Memory,
    pub(crate) output_limit: u64,
}

/// The errors that a runner's report and its absence have in common.
impl Asked {
    pub(crate) fn time_exceeded(&self) -> String {
        format!("time limit of {} exceeded", self.timeout)
    }

    pub(crate) fn memory_exceeded(&self) -> String {
        format!("memory limit of {} exceeded", self.memory)
    }
}

/// The error of a run that was cancelled.
pub(crate) const CANCELLED: &str = "cancelled";

impl Outcome {
    /// The outcome the runner reported.
    pub(crate) fn reported(
        finished: Finished,
        result: Option<Box<RawValue>>,
        returned: Returned,
        [stdout, stderr]: [String; 2],
        asked: Asked,
    ) -> Self {
        let error = match finished.status {
            Status::Ok => None,
            Status::Error => finished.error,
            Status::Timeout => Some(asked.time_exceeded()),
            Status::MemoryLimit => Some(asked.memory_exceeded()),
            Status::OutputLimit => Some(output_limit(finished.truncated, asked.output_limit)),
            Status::Crashed => Some(crash(finished.exit_code, finished.signal.as_deref())),
            Status::Cancelled => Some(CANCELLED.to_owned()),
        };
        let ended_by_itself = matches!(finished.status, Status::Ok | Status::Error);
        Self {
            status: finished.status,
            result: result.filter(|_| finished.status == Status::Ok),
            display: returned.display.filter(|_| finished.status == Status::Ok),
            figures: if ended_by_itself { returned.figures } else { Vec::new() },
            files: if ended_by_itself { returned.files } else { Vec::new() },
            stdout,
            stderr,
            execution_time: finished.execution_time,
            error,
            exit_code: finished.exit_code,
            signal: finished.signal,
            omitted: finished.omitted,
            truncated: finished.truncated,
            usage: finished.usage,
            turn: returned.turn,
        }
    }

    /// The outcome of an execution that was cancelled before its code was sent anywhere.
    pub(crate) fn cancelled() -> Self {
        Self::unreported(Status::Cancelled, CANCELLED.to_owned(), Default::default(), Duration::ZERO)
    }

    /// The outcome of a run whose runner did not report; `took` is all that is known of its use.
    pub(crate) fn unreported(
        status: Status,
        error: String,
        [stdout, stderr]: [String; 2],
        took: Duration,
    ) -> Self {
        let took = took.as_secs_f64();
        Self {
            status,
            result: None,
            display: None,
            figures: Vec::new(),
            files: Vec::new(),
            stdout,
            stderr,
            execution_time: took,
            error: Some(error),
            exit_code: None,
            signal: None,
            omitted: Vec::new(),
            truncated: Truncated::default(),
            usage: Usage { wall_time: took, cpu_time: 0.0, peak_memory: 0 },
            turn: None,
        }
    }
}

fn output_limit(truncated: Truncated, limit: u64) -> String {
    let stream = if truncated.stderr && !truncated.stdout { "stderr" } else { "stdout" };
    format!("output limit of {} exceeded on {stream}", ByteSize(limit))
}

fn crash(exit_code: Option<i32>, signal: Option<&str>) -> String {
    match (signal, exit_code) {
        (Some(signal), _) => format!("the process was killed by {signal}"),
        (None, Some(code)) => format!("the process exited with status {code} without finishing"),
        (None, None) => "the process ended without finishing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Bounds;

    fn reported(status: Status, exit_code: Option<i32>, signal: Option<&str>) -> Outcome {
        let bounds = Bounds {
            default_timeout: Duration::from_millis(1500),
            max_timeout: Duration::from_secs(2),
            default_memory: 256 << 20,
            max_memory: 256 << 20,
        };
        let asked = Asked {
            timeout: bounds.default_timeout(),
            memory: bounds.default_memory(),
            output_limit: 1 << 20,
        };
        let finished = Finished {
            status,
            exit_code,
            signal: signal.map(str::to_owned),
            error: Some("ValueError: x".to_owned()),
            execution_time: 0.0,
            usage: Usage { wall_time: 0.0, cpu_time: 0.0, peak_memory: 0 },
            truncated: Truncated { stdout: false, stderr: status == Status::OutputLimit },
            omitted: Vec::new(),
        };
        let result = RawValue::from_string("{}".to_owned()).ok();
        Outcome::reported(finished, result, Returned::default(), Default::default(), asked)
    }

    #[test]
    fn the_error_names_what_happened_and_how_much_was_allowed() {
        let error = |status, code, signal| reported(status, code, signal).error;
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(error(Status::Ok, Some(0), None), None);
        assert_eq!(error(Status::Error, Some(1), None), some("ValueError: x"));
        assert_eq!(error(Status::Timeout, None, Some("SIGKILL")), some("time limit of 1.5 s exceeded"));
        assert_eq!(
            error(Status::MemoryLimit, None, Some("SIGKILL")),
            some("memory limit of 256 MiB exceeded")
        );
        assert_eq!(error(Status::OutputLimit, None, None), some("output limit of 1 MiB exceeded on stderr"));
        assert_eq!(error(Status::Crashed, None, Some("SIGSEGV")), some("the process was killed by SIGSEGV"));
        let exited = some("the process exited with status 7 without finishing");
        assert_eq!(error(Status::Crashed, Some(7), None), exited);
    }

    #[test]
    fn only_a_run_that_is_ok_has_a_result() {
        assert!(reported(Status::Ok, Some(0), None).result.is_some());
        assert!(reported(Status::Error, Some(1), None).result.is_none());
        assert!(reported(Status::Crashed, Some(0), None).result.is_none());
    }
}
