//! What the engine asks of whatever runs containers.
//!
//! [`docker`] is the real one. `process` runs the real runner as a plain process, without any isolation: it exists
//! for tests and is compiled only with the `process-driver` feature, which the released binary does not have.

pub mod docker;
pub mod hardening;
mod observed;
#[cfg(feature = "process-driver")]
pub mod process;

use std::{fmt, io, pin::Pin, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use protocol::frame::Caps;
use tokio::io::AsyncWrite;

pub use self::observed::Call;
pub(crate) use self::observed::Observed;
use crate::request::Memory;

/// The environment variables that tell a runner its [`ContainerSpec::caps`], and their values.
pub fn cap_variables(caps: Caps) -> [(&'static str, String); 2] {
    [("SANDBOX_RESULT_LIMIT", caps.result.to_string()), ("SANDBOX_FIGURES_LIMIT", caps.figures.to_string())]
}

/// Starts and removes containers. Every call ends within a time of its own.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Whether the container engine answers and the image is there.
    async fn check(&self) -> Result<(), DriverError>;

    /// Starts a runner and attaches to it. The container may exist even if this fails: the caller removes it by name.
    async fn launch(&self, spec: &ContainerSpec) -> Result<Pipe, DriverError>;

    /// Gives a running container more memory than it was created with.
    async fn resize(&self, name: &ContainerName, memory: Memory) -> Result<(), DriverError>;

    /// How a container is after its pipe ended.
    async fn inspect(&self, name: &ContainerName) -> Result<Ended, DriverError>;

    /// Kills and removes a container. One that is not there counts as removed.
    async fn remove(&self, name: &ContainerName) -> Result<(), DriverError>;

    /// Names of all containers that carry this instance's label.
    async fn list(&self) -> Result<Vec<ContainerName>, DriverError>;
}

/// Name of a container, unique for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerName(pub String);

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What differs from one container to the next.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    /// Its name.
    pub name: ContainerName,
    /// Numeric user and group: no two live containers share one, because the kernel's per-user quotas (inotify, pipe
    /// pages) would be shared with it.
    pub user: u32,
    /// Memory limit, swap included.
    pub memory: Memory,
    /// Of what comes back: the runner takes its memory for it before there is a request.
    pub caps: Caps,
    /// When the container may be gone at the latest, for the person who reads its labels.
    pub lifetime: Duration,
}

/// Both ends of a runner's pipe. Dropping it closes the runner's stdin, at which the runner exits by itself.
pub struct Pipe {
    /// The runner's stdin.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// The runner's stdout; its stderr, for the diagnosis of a runner that never got ready.
    pub output: BoxStream<'static, io::Result<Chunk>>,
}

/// Bytes from a runner.
#[derive(Debug)]
pub enum Chunk {
    /// Part of its frames.
    Frames(Bytes),
    /// Part of what the runner itself, not user code, complains about.
    Complaint(Bytes),
}

/// A container whose pipe has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Exit status of the runner, if it has exited.
    pub exit_code: Option<i64>,
    /// The kernel killed something in it for want of memory.
    pub oom_killed: bool,
    /// Somebody has frozen it.
    pub paused: bool,
}

/// Exit status of a process that SIGKILL has ended.
const KILLED: i64 = 137;
/// Of a runner whose pipe has ended before it had reported.
const ABANDONED: i64 = 0;
/// Of one that was told by somebody what no control plane says.
const MISLED: i64 = 70;

impl Ended {
    /// The kernel took the runner itself: a request as large as the memory, or processes smaller than it.
    pub(crate) fn was_taken_for_memory(self) -> bool {
        self.oom_killed && self.exit_code == Some(KILLED)
    }

    /// What was between the runner and us has broken, or somebody else has spoken to it. Code cannot end its runner so.
    pub(crate) fn was_cut_off(self) -> bool {
        matches!(self.exit_code, None | Some(ABANDONED | MISLED))
    }

    /// By somebody's hand: code cannot end its container's first process, and the kernel says when it has.
    pub(crate) fn was_killed(self) -> bool {
        !self.oom_killed && self.exit_code == Some(KILLED)
    }
}

/// Why the container engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// It does not answer.
    #[error(
        "the Docker engine at {host} cannot be reached ({reason}): is it running, and may this user open it?"
    )]
    Unreachable {
        /// Where it should be.
        host: String,
        /// What the connection said.
        reason: String,
    },
    /// It answers, but not this call.
    #[error("the Docker engine did not {call} within {} s", .limit.as_secs_f64())]
    Timeout {
        /// A verb, such as `create a container`.
        call: &'static str,
        /// How long it had.
        limit: Duration,
    },
    /// There is no such image.
    #[error(
        "the image {0} is missing on the Docker engine: build it with `make images` or name another with --image"
    )]
    ImageMissing(String),
    /// There is no such container.
    #[error("the container is gone")]
    ContainerMissing,
    /// It would not apply a setting: the container would be less isolated than promised.
    #[error("the Docker engine cannot apply every isolation setting: {0}")]
    Warned(String),
    /// It said something that no engine says.
    #[error("the Docker engine was to {call}, and its answer cannot be understood: {reason}")]
    NotUnderstood {
        /// A verb, such as `create a container`.
        call: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// It refused.
    #[error("the Docker engine refused to {call}: {reason}")]
    Refused {
        /// A verb, such as `create a container`.
        call: &'static str,
        /// In its own words.
        reason: String,
    },
}

impl DriverError {
    /// The engine has not answered: what it was to do it may have done, or may be about to.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout { .. })
    }
}
