//! Observation hooks: logs, metrics and traces attach here and nowhere else in the engine.

use std::time::Duration;

use protocol::message::Status;
use store::ReadError;
use uuid::Uuid;

use crate::{
    driver::{Call, ContainerName},
    execute::ExecuteError,
    phase::Phase,
};

/// Something worth telling an operator. Never holds code, input, output or data.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields say what the variants are about")]
pub enum Event<'a> {
    /// An execution, or for [`Phase::Remove`] a container, is in this phase from now on.
    PhaseEntered { phase: Phase },
    /// It no longer is; `passed` if nothing failed and nobody left meanwhile.
    PhaseLeft { phase: Phase, took: Duration, passed: bool },
    /// An execution was answered with an outcome.
    Executed { id: Uuid, status: Status, waited: Duration, took: Duration },
    /// An execution could not be carried out.
    NotExecuted { id: Uuid, error: &'a ExecuteError },
    /// The client left before its answer; the run is killed.
    Abandoned { id: Uuid, after: Duration },
    /// The container died before the code started; the request goes to another one.
    Retried { id: Uuid, attempt: u32 },
    /// Uploaded data that the code asked for cannot be read.
    DataUnreadable { id: Uuid, error: &'a ReadError },
    /// The time of the code was up before the disk had delivered what it asked for.
    DataLate { id: Uuid, waited: Duration },
    /// An execution, or one more attempt at it, got its container.
    Leased { supply: Supply },
    /// How many containers stand ready with none, one and more modules of those that are preloaded, in their order.
    Standing { by_level: &'a [usize] },
    /// The container engine has answered a call, or has not in time.
    DriverCalled { call: Call, took: Duration, failed: bool },
    /// A container was started, its runner included.
    ContainerStarted { container: &'a ContainerName, took: Duration },
    /// A container could not be started; so long, if that says something of others, none is started that nobody waits for. A refill:
    /// nobody did for this one.
    StartFailed { error: &'a dyn std::error::Error, retry_in: Option<Duration>, refill: bool },
    /// A container that stood ready has ended by itself, or was killed.
    WarmContainerDied,
    /// A module cannot be preloaded: containers do without it, and, if it has ended several of them, without those behind it.
    PreloadFailed { module: &'a str, error: &'a str },
    /// A container could not be given more memory; the request gets one of its own.
    ResizeFailed { container: &'a ContainerName, error: &'a dyn std::error::Error },
    /// As many containers as shall stand ready do, with every module preloaded.
    PoolWarm { containers: usize },
    /// Whoever had a container has let it go, an execution or the pool: it will be removed, behind whatever comes next.
    LetGo { container: &'a ContainerName },
    /// A container is gone.
    Removed { container: &'a ContainerName },
    /// A removal failed and will be tried again.
    RemovalFailed { container: &'a ContainerName, attempt: u32, error: &'a dyn std::error::Error },
    /// A container resists removal; its slot is given back, the reaper goes on trying.
    Quarantined { container: &'a ContainerName },
    /// A container that was quarantined is gone after all.
    QuarantineEnded { container: &'a ContainerName },
    /// Containers that nothing owns any more were found and handed to the reaper.
    Orphans { count: usize },
    /// Looking for orphans failed; the next sweep tries again.
    SweepFailed { error: &'a dyn std::error::Error },
    /// A drain ended before every container was removed; the next start removes the rest.
    DrainIncomplete,
}

/// Where a container for an execution came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Supply {
    /// It stood ready with all that the code imports of what is preloaded.
    Ready,
    /// It stood ready, with less.
    Colder,
    /// None stood ready: the execution waited for a start.
    Started,
    /// It was started for this one, which could have no other for its memory.
    Own,
}

impl Supply {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ready, Self::Colder, Self::Started, Self::Own];

    /// As it is written in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Colder => "colder",
            Self::Started => "started",
            Self::Own => "own",
        }
    }
}

/// Receives every [`Event`]. Called inline: must not block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, event: &Event<'_>);
}

/// Ignores everything.
impl Observer for () {
    fn observe(&self, _: &Event<'_>) {}
}

/// Both see everything.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn observe(&self, event: &Event<'_>) {
        self.0.observe(event);
        self.1.observe(event);
    }
}
