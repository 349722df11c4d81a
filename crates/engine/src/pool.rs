//! Where containers come from: each is started before the request that it will serve, and serves that one alone.
//!
//! [`actor`] owns the state, [`policy`] decides, [`keeper`] watches over one container that stands ready, [`Lease`] is what
//! an execution gets. With a size of 0 nothing stands ready, and each request waits for a start of its own.

mod actor;
pub(crate) mod imports;
mod keeper;
mod launcher;
mod lease;
mod pace;
mod policy;
mod refills;

use std::{num::NonZeroUsize, sync::Arc, thread::available_parallelism, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use self::{
    actor::{Actor, Waiter},
    policy::Policy,
    refills::Refills,
};
pub(crate) use self::{launcher::Launcher, lease::Lease, pace::Pace};
use crate::{
    admission::Leaves,
    conversation::HandshakeError,
    driver::DriverError,
    events::{Event, Observer},
    request::{ExecutionRequest, Memory, Timeout},
};

/// What stands ready, and how it is kept so.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Containers that stand ready; 0 for none.
    pub size: usize,
    /// Modules that each imports while it waits, in this order.
    pub preloads: Vec<String>,
    /// A container that has stood ready for so long is replaced.
    pub max_age: Duration,
    /// Containers that are started, and separately that are warmed up, at the same time.
    pub refill_concurrency: NonZeroUsize,
}

/// What a request is to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want {
    level: usize,
    memory: Memory,
    timeout: Timeout,
    leaves: Leaves,
}

impl PoolConfig {
    /// No container stands ready: each request waits for its own.
    pub fn none() -> Self {
        Self {
            size: 0,
            preloads: Vec::new(),
            max_age: Duration::from_secs(3600),
            refill_concurrency: available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }
}

/// Hands out containers, each to one execution.
pub(crate) struct Pool {
    requests: mpsc::Sender<Waiter>,
    launcher: Launcher,
    preloads: Vec<String>,
    refills: Refills,
    observer: Arc<dyn Observer>,
    fill: CancellationToken,
    stop: CancellationToken,
    actor: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// Why there is no container to run in.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The container engine does not do what is asked.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The container started, but not its runner.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// Too many containers resist removal.
    #[error("no user is left for another container: too many old ones cannot be removed")]
    NoUser,
    /// The pool has ended.
    #[error("the start of the container was abandoned")]
    Abandoned,
}

impl LaunchError {
    fn is_silence(&self) -> bool {
        matches!(self, Self::Driver(error) if error.is_silence())
    }
}

impl Pool {
    /// Runs as a task on the current runtime. Starts containers for requests alone until [`Pool::fill`].
    pub(crate) fn new(
        config: PoolConfig,
        launcher: Launcher,
        pace: Pace,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let (requests, waiting) = mpsc::channel(64);
        let (refills, fill, stop) = (Refills::default(), CancellationToken::new(), CancellationToken::new());
        let policy =
            Policy { size: 0, levels: config.preloads.len(), at_once: config.refill_concurrency.get() };
        let actor = Actor {
            policy,
            full_size: config.size,
            preloads: config.preloads.clone(),
            max_age: config.max_age,
            launcher: launcher.clone(),
            observer: Arc::clone(&observer),
            pace,
            refills: refills.clone(),
            requests: waiting,
            fill: fill.clone(),
            stop: stop.clone(),
            state: actor::State::default(),
        };
        let actor = tokio::sync::Mutex::new(Some(tokio::spawn(actor.run())));
        Self { requests, launcher, preloads: config.preloads, refills, observer, fill, stop, actor }
    }

    /// From now on containers stand ready.
    pub(crate) fn fill(&self) {
        self.fill.cancel();
    }

    /// What this request is to have, and what it leaves to others.
    pub(crate) fn want(&self, request: &ExecutionRequest, leaves: Leaves) -> Want {
        let level = imports::wanted_level(&request.code, &self.preloads);
        Want { level, memory: request.memory, timeout: request.timeout, leaves }
    }

    /// A container with its runner ready.
    ///
    /// Cancel safe: nobody being there to take the lease, it is dropped and the reaper removes the container.
    pub(crate) async fn acquire(&self, want: &Want) -> Result<Lease, LaunchError> {
        let Want { memory, timeout, .. } = *want;
        let of_its_own = Some((memory, timeout));
        if memory < self.launcher.memory {
            // Its file systems must be smaller too, which nothing can change once it exists.
            return self.ask(want, of_its_own).await;
        }
        let lease = self.ask(want, None).await?;
        if memory == self.launcher.memory {
            return Ok(lease);
        }
        // A tenth of what a start takes.
        match self.launcher.driver.resize(lease.container().name(), memory).await {
            Ok(()) => Ok(lease),
            Err(error) => {
                let container = lease.container().name();
                self.observer.observe(&Event::ResizeFailed { container, error: &error });
                drop(lease);
                self.ask(want, of_its_own).await
            }
        }
    }

    async fn ask(&self, want: &Want, special: Option<(Memory, Timeout)>) -> Result<Lease, LaunchError> {
        let (reply, lease) = oneshot::channel();
        self.requests
            .send(Waiter { level: want.level, leaves: want.leaves, special, losses: 0, reply })
            .await
            .map_err(|_| LaunchError::Abandoned)?;
        lease.await.map_err(|_| LaunchError::Abandoned)?
    }

    /// A container was of use that was begun `since` then.
    pub(crate) fn served(&self, since: Instant) {
        self.refills.served(since);
    }

    /// Why containers cannot be started any more, if the last start failed.
    pub(crate) fn failing(&self) -> Option<String> {
        self.refills.failing()
    }

    /// Gives up what stands ready; returns when nothing is being started any more and every container is gone.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        if let Some(actor) = self.actor.lock().await.take() {
            // If it has panicked, the sweep that follows finds what it left.
            let _ = actor.await;
        }
        self.launcher.slots.all_free().await;
    }
}
