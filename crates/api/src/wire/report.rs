//! The parts of a response that the engine takes over from the runner, as clients see them.

use serde::Serialize;
use utoipa::ToSchema;

/// `ok`; `error`: an exception or an exit status; `timeout`; `memory_limit`; `output_limit`; `crashed`: died by a signal or
/// left without finishing; `cancelled`: somebody has ended it, or the service shut down.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(examples("ok"))]
pub(crate) enum Status {
    Ok,
    Error,
    Timeout,
    MemoryLimit,
    OutputLimit,
    Crashed,
    Cancelled,
}

/// A value as a MIME bundle.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Display {
    /// Its `repr()`.
    #[serde(rename = "text/plain")]
    #[schema(examples("   month  sales\n0      1      3"))]
    text: String,
    /// As a notebook shows it; absent where it has none.
    #[serde(rename = "text/html", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("<table>…</table>"))]
    html: Option<String>,
    /// As a picture, base64; absent where it has none.
    #[serde(rename = "image/png", skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        content_encoding = "base64",
        content_media_type = "image/png",
        examples("iVBORw0KGgo=")
    )]
    png: Option<String>,
}

/// What could not be given back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Omitted {
    /// Name of a variable or path of a file.
    #[schema(examples("big"))]
    name: String,
    /// Why, for a person to read.
    #[schema(examples("larger than the result limit of 8 MiB"))]
    reason: String,
}

/// Which stream was cut at its limit.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Truncated {
    /// Whether `stdout` was.
    #[schema(examples(false))]
    stdout: bool,
    /// Whether `stderr` was.
    #[schema(examples(false))]
    stderr: bool,
}

/// What a run used.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Usage {
    /// Seconds from the start of the code's process to its end.
    #[schema(minimum = 0, examples(0.0031))]
    wall_time: f64,
    /// Seconds of processor time of everything that ran.
    #[schema(minimum = 0, examples(0.0028))]
    cpu_time: f64,
    /// The most memory its container has had, preloaded modules included, bytes.
    #[schema(examples(206_286_848))]
    peak_memory: u64,
}

impl From<engine::Status> for Status {
    fn from(status: engine::Status) -> Self {
        match status {
            engine::Status::Ok => Self::Ok,
            engine::Status::Error => Self::Error,
            engine::Status::Timeout => Self::Timeout,
            engine::Status::MemoryLimit => Self::MemoryLimit,
            engine::Status::OutputLimit => Self::OutputLimit,
            engine::Status::Crashed => Self::Crashed,
            engine::Status::Cancelled => Self::Cancelled,
        }
    }
}

impl From<engine::Display> for Display {
    fn from(engine::Display { text, html, png }: engine::Display) -> Self {
        Self { text, html, png }
    }
}

impl From<engine::Omitted> for Omitted {
    fn from(engine::Omitted { name, reason }: engine::Omitted) -> Self {
        Self { name, reason }
    }
}

impl From<engine::Truncated> for Truncated {
    fn from(engine::Truncated { stdout, stderr }: engine::Truncated) -> Self {
        Self { stdout, stderr }
    }
}

impl From<engine::Usage> for Usage {
    fn from(engine::Usage { wall_time, cpu_time, peak_memory }: engine::Usage) -> Self {
        Self { wall_time, cpu_time, peak_memory }
    }
}
