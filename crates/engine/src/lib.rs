//! Runs untrusted Python: a request in, an [`Outcome`] out; no HTTP.
//!
//! Start reading at [`execute`]: acquire a container, send the code, collect the report. Everything else serves that
//! path: [`admission`] bounds it, [`pool`] starts containers, [`conversation`] speaks with the runner inside,
//! [`reaper`] removes what is left, [`driver`] is the only place that knows Docker.
//!
//! User code that fails, times out or exhausts memory is an [`Outcome`]; an `Err` always means that the service failed.

mod admission;
mod archive;
mod container;
mod conversation;
mod data;
pub mod driver;
pub mod events;
mod execute;
mod executions;
mod files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;
pub mod json;
mod large;
mod outcome;
mod output;
mod phase;
mod pool;
mod reaper;
mod request;
mod returns;
pub mod size;
mod tenant;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

pub use self::{
    admission::AdmissionError,
    conversation::HandshakeError,
    execute::ExecuteError,
    executions::Execution,
    files::{Clash, FileContent, FilePath, InputFile, InputFiles, InvalidPath, OutputFile},
    health::Unhealthy,
    large::LargeTurn,
    outcome::Outcome,
    output::{Live, Output, Outputs, Unread},
    phase::Phase,
    pool::{LaunchError, PoolConfig},
    request::{Bounds, ExecutionRequest, MIN_MEMORY, Memory, OutOfRange, Permit, Timeout},
    returns::ReturnLimits,
    tenant::{InvalidTenant, Tenant},
};
pub use protocol::{
    frame::Caps,
    message::{Display, Figure, Omitted, Status, Truncated, Usage},
};

use self::{
    admission::Admission,
    container::Slots,
    driver::{Driver, DriverError, Observed},
    events::{Event, Observer},
    executions::Executions,
    health::Health,
    large::LargeAnswers,
    pool::{Launcher, Pace, Pool},
    reaper::Reaper,
};

/// How much runs at once and how much may come out of it.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Executions at the same time.
    pub max_executions: NonZeroU32,
    /// Requests that may wait for one of them to end.
    pub queue_size: u32,
    /// How long one of those waits.
    pub queue_timeout: Duration,
    /// Bytes of stdout and, separately, of stderr.
    pub output_limit: u64,
    /// Bytes of the encoded result.
    pub result_limit: u64,
    /// What may come back beside it.
    pub returns: ReturnLimits,
    /// What a request may ask for.
    pub bounds: Bounds,
    /// Containers that stand ready.
    pub pool: PoolConfig,
}

impl EngineConfig {
    /// Small limits and no pool, for tests.
    #[cfg(feature = "process-driver")]
    pub fn small() -> Self {
        Self {
            max_executions: NonZeroU32::MIN,
            queue_size: 0,
            queue_timeout: Duration::from_secs(10),
            output_limit: 10_000,
            result_limit: 10_000,
            returns: ReturnLimits { figures: 10_000, max_files: 3, files: 1_000 },
            bounds: Bounds {
                default_timeout: Duration::from_secs(10),
                max_timeout: Duration::from_secs(20),
                default_memory: 512 << 20,
                max_memory: 512 << 20,
            },
            pool: PoolConfig::none(),
        }
    }

    fn caps(&self) -> Caps {
        let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        Caps { result: size(self.result_limit), figures: size(self.returns.figures) }
    }

    /// Containers that may exist at once: those that stand ready, and one for each execution.
    fn containers(&self) -> u32 {
        self.max_executions.get().saturating_add(u32::try_from(self.pool.size).unwrap_or(u32::MAX))
    }
}

/// The execution engine. Cheap to clone; every clone is the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    config: EngineConfig,
    driver: Arc<dyn Driver>,
    admission: Admission,
    executions: Executions,
    pool: Pool,
    reaper: Reaper,
    health: Health,
    observer: Arc<dyn Observer>,
    large: LargeAnswers,
    /// Cancelled when draining has run out of patience: running code is killed and answered as cancelled. Parent of every
    /// execution's own token.
    hurry: CancellationToken,
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The container engine does not do what is asked.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// A trial execution did not work.
    #[error(transparent)]
    Unhealthy(#[from] Unhealthy),
}

impl Engine {
    /// An engine that has not proven itself yet: call [`Engine::prove`], and [`Engine::drain`] in the end, whatever came of it.
    ///
    /// Must be called inside a Tokio runtime: the reaper and the pool run as tasks until the drain.
    pub fn new(driver: Arc<dyn Driver>, config: EngineConfig, observer: Arc<dyn Observer>) -> Self {
        let driver: Arc<dyn Driver> = Arc::new(Observed { driver, observer: Arc::clone(&observer) });
        let pace = Pace::new();
        let reaper = Reaper::start(Arc::clone(&driver), Arc::clone(&observer), pace.clone());
        let launcher = Launcher {
            driver: Arc::clone(&driver),
            reaper: reaper.clone(),
            slots: Slots::new(config.containers()),
            memory: config.bounds.default_memory(),
            lifetime: config.pool.max_age + config.bounds.max_timeout,
            caps: config.caps(),
        };
        let pool = Pool::new(config.pool.clone(), launcher, pace, Arc::clone(&observer));
        let admission = Admission::new(config.max_executions, config.queue_size, config.queue_timeout);
        let health = Health::new();
        let hurry = CancellationToken::new();
        let executions = Executions::default();
        let large = LargeAnswers::new();
        let shared =
            Shared { config, driver, admission, executions, pool, reaper, health, observer, large, hurry };
        Self { shared: Arc::new(shared) }
    }

    /// Checks the driver, removes what an earlier life of this instance left behind, and proves by a trial execution that
    /// code can run.
    pub async fn prove(&self) -> Result<(), StartError> {
        self.shared.driver.check().await?;
        self.shared.reaper.sweep().await?;
        self.health().await?;
        self.shared.pool.fill();
        Ok(())
    }

    /// As it was made.
    pub fn config(&self) -> &EngineConfig {
        &self.shared.config
    }

    /// What a request may ask for.
    pub fn bounds(&self) -> &Bounds {
        &self.shared.config.bounds
    }

    /// Containers there are, those that are being started or removed and those found to be nobody's included.
    pub fn containers(&self) -> usize {
        self.shared.reaper.containers()
    }

    /// Stops accepting executions, lets the running ones finish for at most `patience`, cancels the rest, and returns
    /// when every container is removed or `patience` plus ten seconds have passed.
    ///
    /// Cancelling `impatient` cuts the patience short.
    pub async fn drain(&self, patience: Duration, impatient: &CancellationToken) {
        let shared = &self.shared;
        shared.admission.close();
        tokio::select! {
            () = shared.admission.idle() => {}
            () = tokio::time::sleep(patience) => {}
            () = impatient.cancelled() => {}
        }
        shared.hurry.cancel();
        let removed = async {
            shared.admission.idle().await;
            shared.pool.stop().await;
            // What was created too late for its own removal; the engine being away, the next start finds it.
            let _ = shared.reaper.sweep().await;
            shared.reaper.finish().await;
        };
        if tokio::time::timeout(REMOVAL_PATIENCE, removed).await.is_err() {
            shared.observer.observe(&Event::DrainIncomplete);
        }
    }
}

/// How long a drain waits for the container engine to remove what was cancelled.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
