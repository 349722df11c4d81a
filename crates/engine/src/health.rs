//! Whether code can run: not whether things look fine, but because some did or does.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use protocol::message::Status;

use crate::{Engine, ExecuteError, ExecutionRequest, driver::DriverError, request::Bounds};

/// How long an execution counts as proof that the next one works too.
const PROOF_LASTS: Duration = Duration::from_secs(60);
/// The same while containers stand ready: each start of one has proven the engine, and a trial would use one up.
const PROOF_LASTS_WITH_POOL: Duration = Duration::from_secs(600);
/// Time of a trial execution.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Keeps the proof.
pub(crate) struct Health {
    running: AtomicUsize,
    proof: Mutex<Option<Instant>>,
    trial: tokio::sync::Mutex<()>,
}

/// Why code cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// The container engine does not do what is asked.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// It is about to stop.
    #[error("the service is shutting down")]
    Draining,
    /// Containers cannot be started any more, whatever still stands ready.
    #[error("the last container could not be started: {0}")]
    Refill(String),
    /// A trial execution could not be carried out.
    #[error(transparent)]
    Trial(#[from] ExecuteError),
    /// It was, but with another outcome than it must have.
    #[error("a trial execution ended as '{status}': {error}")]
    WrongOutcome {
        /// What it should not be.
        status: &'static str,
        /// What the outcome says.
        error: String,
    },
}

/// Counts as proof while it lives.
pub(crate) struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Health {
    pub(crate) fn new() -> Self {
        Self { running: AtomicUsize::new(0), proof: Mutex::new(None), trial: tokio::sync::Mutex::new(()) }
    }

    /// An execution runs for as long as this is kept.
    pub(crate) fn begin_run(&self) -> Running<'_> {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(&self.running)
    }

    /// An execution was carried out.
    pub(crate) fn confirm(&self) {
        *self.proof() = Some(Instant::now());
    }

    /// One was not: what went before proves nothing any more.
    pub(crate) fn doubt(&self) {
        *self.proof() = None;
    }

    fn proven(&self, lasts: Duration) -> bool {
        self.proof().is_some_and(|at| at.elapsed() < lasts)
    }

    fn proof(&self) -> MutexGuard<'_, Option<Instant>> {
        self.proof.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn some_run(&self) -> bool {
        self.running.load(Ordering::Relaxed) > 0
    }
}

impl Engine {
    /// Proves that code can run: the container engine answers, and an execution worked a short while ago, runs
    /// now, or is tried here. One trial at a time, however many ask.
    pub async fn health(&self) -> Result<(), Unhealthy> {
        let health = &self.shared.health;
        if self.shared.admission.is_closed() {
            return Err(Unhealthy::Draining);
        }
        self.shared.driver.check().await?;
        let has_pool = self.shared.config.pool.size > 0;
        if has_pool && let Some(reason) = self.shared.pool.failing() {
            return Err(Unhealthy::Refill(reason));
        }
        let lasts = if has_pool { PROOF_LASTS_WITH_POOL } else { PROOF_LASTS };
        if health.proven(lasts) {
            return Ok(());
        }
        let _one_at_a_time = health.trial.lock().await;
        if health.proven(lasts) || health.some_run() {
            return Ok(());
        }
        let outcome = self.execute(self.trial_request()).await?;
        match outcome.status {
            Status::Ok => Ok(()),
            status => {
                health.doubt();
                Err(Unhealthy::WrongOutcome {
                    status: status.as_str(),
                    error: outcome.error.unwrap_or_default(),
                })
            }
        }
    }

    fn trial_request(&self) -> ExecutionRequest {
        let bounds = Bounds { default_timeout: TRIAL_TIMEOUT, ..self.shared.config.bounds.clone() };
        ExecutionRequest::trial(String::new(), bounds.default_timeout(), bounds.default_memory())
    }
}
