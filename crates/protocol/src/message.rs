//! Messages: one struct a message, an enum a direction. See `PROTOCOL.md`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::frame::{Frame, Kind};

/// What the control plane says.
#[derive(Clone, Debug, PartialEq)]
pub enum ToRunner {
    /// Import a module while idle.
    Preload(Preload),
    /// Run what the archive that follows holds.
    Execute(Execute),
    /// The next bytes of the archive.
    Archive(Bytes),
    /// The archive is complete: start.
    ArchiveEnd,
    /// Kill the code and report.
    Cancel,
}

/// What a runner says. All of it is untrusted.
#[derive(Clone, Debug, PartialEq)]
pub enum FromRunner {
    /// The interpreter is up.
    Ready(Ready),
    /// Answer to one [`Preload`].
    Preloaded(Preloaded),
    /// The code starts now: until this is said, nothing of it has run.
    Started,
    /// Bytes the code wrote to its standard output.
    Stdout(Bytes),
    /// Bytes the code wrote to its standard error.
    Stderr(Bytes),
    /// A JSON object, not checked here.
    Result(Bytes),
    /// The last message of an execution.
    Finished(Finished),
}

/// Import this module while idle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preload {
    /// Dotted name, as in an `import` statement.
    pub module: String,
}

/// Limits of one execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execute {
    /// Wall clock of user code, milliseconds.
    pub timeout_ms: u64,
    /// Bytes of stdout and, separately, of stderr.
    pub output_limit: u64,
}

/// The interpreter is up and speaks this protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Protocol version of the runner; see [`crate::VERSION`].
    pub protocol: u32,
    /// Version of its Python, such as `3.13.5`.
    pub python: String,
}

/// Answer to one [`Preload`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preloaded {
    /// The module asked for.
    pub module: String,
    /// Why it could not be imported.
    pub error: Option<String>,
}

/// How user code ended, as the runner saw it from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "PROTOCOL.md describes every status")]
pub enum Status {
    Ok,
    Error,
    Timeout,
    MemoryLimit,
    OutputLimit,
    Crashed,
    Cancelled,
}

impl Status {
    /// As it is written everywhere: on the pipe, in answers, in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::MemoryLimit => "memory_limit",
            Self::OutputLimit => "output_limit",
            Self::Crashed => "crashed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The last message of an execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// How it ended.
    pub status: Status,
    /// Exit status of the user's process; none if a signal ended it.
    pub exit_code: Option<i32>,
    /// Name of the signal that ended it, such as `SIGSEGV`.
    pub signal: Option<String>,
    /// One line, for [`Status::Error`].
    pub error: Option<String>,
    /// Wall clock of the user's code alone, seconds.
    pub execution_time: f64,
    /// What the whole run used.
    pub usage: Usage,
    /// Which streams were cut at their limit.
    pub truncated: Truncated,
    /// Names that could not be given back.
    pub omitted: Vec<Omitted>,
}

/// What a run used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Seconds from the start of the user's process to its end.
    pub wall_time: f64,
    /// Seconds of processor time of everything it started.
    pub cpu_time: f64,
    /// Bytes.
    pub peak_memory: u64,
}

/// Which streams were cut at their limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named after the streams")]
pub struct Truncated {
    pub stdout: bool,
    pub stderr: bool,
}

/// A name that could not be given back, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Omitted {
    /// Variable of the user's namespace.
    pub name: String,
    /// For a person to read.
    pub reason: String,
}

/// Why a frame is not a message.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The payload is not the JSON the kind calls for.
    #[error("payload of a {kind:?} frame")]
    Payload {
        /// Kind of the frame.
        kind: Kind,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The kind belongs to the other direction.
    #[error("a {0:?} frame travels the other way")]
    WrongDirection(Kind),
}

fn from_json<'a, T: Deserialize<'a>>(frame: &'a Frame) -> Result<T, MessageError> {
    serde_json::from_slice(&frame.payload)
        .map_err(|source| MessageError::Payload { kind: frame.kind, source })
}

fn to_json(kind: Kind, message: &impl Serialize) -> Frame {
    // Structs of strings and numbers with string keys always serialize.
    let payload = serde_json::to_vec(message).unwrap_or_default();
    Frame { kind, payload: payload.into() }
}

impl TryFrom<Frame> for FromRunner {
    type Error = MessageError;

    fn try_from(frame: Frame) -> Result<Self, MessageError> {
        match frame.kind {
            Kind::Ready => from_json(&frame).map(Self::Ready),
            Kind::Preloaded => from_json(&frame).map(Self::Preloaded),
            Kind::Started => Ok(Self::Started),
            Kind::Stdout => Ok(Self::Stdout(frame.payload)),
            Kind::Stderr => Ok(Self::Stderr(frame.payload)),
            Kind::Result => Ok(Self::Result(frame.payload)),
            Kind::Finished => from_json(&frame).map(Self::Finished),
            Kind::Preload | Kind::Execute | Kind::Archive | Kind::ArchiveEnd | Kind::Cancel => {
                Err(MessageError::WrongDirection(frame.kind))
            }
        }
    }
}

impl From<ToRunner> for Frame {
    fn from(message: ToRunner) -> Self {
        match message {
            ToRunner::Preload(preload) => to_json(Kind::Preload, &preload),
            ToRunner::Execute(execute) => to_json(Kind::Execute, &execute),
            ToRunner::Archive(payload) => Self { kind: Kind::Archive, payload },
            ToRunner::ArchiveEnd => Self { kind: Kind::ArchiveEnd, payload: Bytes::new() },
            ToRunner::Cancel => Self { kind: Kind::Cancel, payload: Bytes::new() },
        }
    }
}
