//! Messages: one struct a message, an enum a direction. See `PROTOCOL.md`.

use bytes::{Buf, Bytes};
use serde::{Deserialize, Serialize};

pub use self::data::{Data, DataRequest, Known, Opened};
use crate::frame::{Frame, Kind};

mod data;

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
    /// Answer to a [`DataRequest`] that finds, opens or lists.
    Data(Data),
    /// Answer to [`DataRequest::Open`] where there is the value.
    DataOpened(Opened),
    /// Answer to [`DataRequest::Read`]: the next bytes of the opened value, none if that was all.
    DataChunk(Bytes),
}

/// What a runner says. All of it is untrusted.
#[derive(Clone, Debug, PartialEq)]
pub enum FromRunner {
    /// The interpreter is up.
    Ready(Ready),
    /// It has gone through a small execution while nobody asked anything.
    Rehearsed,
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
    /// The value of the last line.
    Display(Display),
    /// A picture.
    Figure(Figure),
    /// A file, or the next bytes of the last one.
    File(FilePiece),
    /// The code asks for uploaded data.
    DataRequest(DataRequest),
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
    /// Files that come back.
    pub max_output_files: u32,
    /// Bytes of all of them together.
    pub files_limit: u64,
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

/// The value of the last line as a MIME bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Display {
    /// Its `repr()`.
    #[serde(rename = "text/plain")]
    pub text: String,
    /// As a notebook shows it.
    #[serde(rename = "text/html", default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Likewise, base64.
    #[serde(rename = "image/png", default, skip_serializing_if = "Option::is_none")]
    pub png: Option<String>,
}

/// A PNG, and what it says of its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// The whole file. Only its beginning is checked.
    pub png: Bytes,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// Bytes of a file: pieces with the same path, one right after the other, are one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePiece {
    /// Relative to the workspace; not checked here.
    pub path: String,
    /// The next bytes.
    pub content: Bytes,
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
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Error,
        Self::Timeout,
        Self::MemoryLimit,
        Self::OutputLimit,
        Self::Crashed,
        Self::Cancelled,
    ];

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
    #[error("payload of a {kind:?} frame: {reason}")]
    Payload {
        /// Kind of the frame.
        kind: Kind,
        /// What is wrong with it.
        reason: serde_json::Error,
    },
    /// The payload is not what the kind calls for.
    #[error("payload of a {kind:?} frame: {what}")]
    Malformed {
        /// Kind of the frame.
        kind: Kind,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The kind belongs to the other direction.
    #[error("a {0:?} frame travels the other way")]
    WrongDirection(Kind),
}

fn from_json<'a, T: Deserialize<'a>>(frame: &'a Frame) -> Result<T, MessageError> {
    serde_json::from_slice(&frame.payload)
        .map_err(|reason| MessageError::Payload { kind: frame.kind, reason })
}

impl TryFrom<Frame> for Display {
    type Error = MessageError;

    fn try_from(frame: Frame) -> Result<Self, MessageError> {
        let display: Self = from_json(&frame)?;
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        if display.png.as_ref().is_some_and(|png| !png.bytes().all(is_base64)) {
            return Err(MessageError::Malformed { kind: frame.kind, what: "not base64" });
        }
        Ok(display)
    }
}

/// What a PNG begins with: its signature, and the length and name of the chunk that holds its width and height.
const PNG_HEAD: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";

impl TryFrom<Frame> for Figure {
    type Error = MessageError;

    fn try_from(Frame { kind, payload: png }: Frame) -> Result<Self, MessageError> {
        let size = png.strip_prefix(PNG_HEAD).and_then(|rest| rest.first_chunk::<8>());
        let Some([w1, w2, w3, w4, h1, h2, h3, h4]) = size.copied() else {
            return Err(MessageError::Malformed { kind, what: "not a PNG" });
        };
        let (width, height) = (u32::from_be_bytes([w1, w2, w3, w4]), u32::from_be_bytes([h1, h2, h3, h4]));
        Ok(Self { png, width, height })
    }
}

impl TryFrom<Frame> for FilePiece {
    type Error = MessageError;

    fn try_from(Frame { kind, mut payload }: Frame) -> Result<Self, MessageError> {
        let malformed = |what| MessageError::Malformed { kind, what };
        let length = payload.try_get_u16().map_err(|_| malformed("no path"))?;
        if payload.len() < usize::from(length) {
            return Err(malformed("no path"));
        }
        let path = payload.split_to(usize::from(length));
        let path = str::from_utf8(&path).map_err(|_| malformed("a path that is not UTF-8"))?.to_owned();
        Ok(Self { path, content: payload })
    }
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
            Kind::Rehearsed => Ok(Self::Rehearsed),
            Kind::Stdout => Ok(Self::Stdout(frame.payload)),
            Kind::Stderr => Ok(Self::Stderr(frame.payload)),
            Kind::Result => Ok(Self::Result(frame.payload)),
            Kind::Finished => from_json(&frame).map(Self::Finished),
            Kind::Display => frame.try_into().map(Self::Display),
            Kind::Figure => frame.try_into().map(Self::Figure),
            Kind::File => frame.try_into().map(Self::File),
            Kind::DataRequest => from_json(&frame).map(Self::DataRequest),
            Kind::Preload
            | Kind::Execute
            | Kind::Archive
            | Kind::ArchiveEnd
            | Kind::Cancel
            | Kind::Data
            | Kind::DataChunk
            | Kind::DataOpened => Err(MessageError::WrongDirection(frame.kind)),
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
            ToRunner::Data(data) => to_json(Kind::Data, &data),
            ToRunner::DataOpened(opened) => opened.into(),
            ToRunner::DataChunk(payload) => Self { kind: Kind::DataChunk, payload },
            ToRunner::Cancel => Self { kind: Kind::Cancel, payload: Bytes::new() },
        }
    }
}
