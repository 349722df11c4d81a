//! Where containers come from. Each is started for the request in hand.

mod lease;

use std::{num::NonZeroUsize, sync::Arc, thread::available_parallelism, time::Duration};

use tokio::sync::{Semaphore, oneshot};
use tokio_util::task::TaskTracker;

pub(crate) use self::lease::Lease;
use crate::{
    admission::Slot,
    conversation::{Conversation, HandshakeError},
    driver::{ContainerSpec, Driver, DriverError},
    reaper::Reaper,
    request::{Memory, Timeout},
};

/// A runner that has not said a word by then never will; a cold start takes a tenth of a second.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// What start, answer and removal take beside the code.
const OVERHEAD: Duration = Duration::from_secs(60);

/// Starts containers and hands them out, each to one execution.
#[derive(Clone)]
pub(crate) struct Pool {
    driver: Arc<dyn Driver>,
    reaper: Reaper,
    result_limit: usize,
    launches: TaskTracker,
    /// Parallel creates collapse on a busy engine: more than the processors only slow each other down.
    starts: Arc<Semaphore>,
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
    /// The task that starts it ended early.
    #[error("the start of the container was abandoned")]
    Abandoned,
}

impl Pool {
    pub(crate) fn new(driver: Arc<dyn Driver>, reaper: Reaper, result_limit: usize) -> Self {
        let processors = available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            driver,
            reaper,
            result_limit,
            launches: TaskTracker::new(),
            starts: Arc::new(Semaphore::new(processors)),
        }
    }

    /// A container with its runner ready.
    ///
    /// Cancel safe: the start goes on in a task of its own, because a create under way cannot be called back; nobody
    /// being there to take the lease, that task drops it and the reaper removes the container.
    pub(crate) async fn acquire(
        &self,
        slot: Slot,
        memory: Memory,
        timeout: Timeout,
    ) -> Result<Lease, LaunchError> {
        let (sender, receiver) = oneshot::channel();
        let pool = self.clone();
        self.launches.spawn(async move {
            // A failed send gives the lease back, and drops it.
            let _ = sender.send(pool.launch(slot, memory, timeout).await);
        });
        receiver.await.map_err(|_| LaunchError::Abandoned)?
    }

    async fn launch(&self, slot: Slot, memory: Memory, timeout: Timeout) -> Result<Lease, LaunchError> {
        let container = self.reaper.adopt(slot).ok_or(LaunchError::NoUser)?;
        let spec = ContainerSpec {
            name: container.name().clone(),
            user: container.user(),
            memory,
            lifetime: timeout.get() + OVERHEAD,
        };
        // Never closed, so it only waits.
        let _turn = self.starts.acquire().await;
        let pipe = self.driver.launch(&spec).await?;
        let conversation = tokio::time::timeout(READY_LIMIT, Conversation::open(pipe, self.result_limit))
            .await
            .map_err(|_| HandshakeError::Silent(READY_LIMIT))??;
        Ok(Lease::new(conversation, container))
    }

    /// Returns when no start is under way. Call it when nothing acquires any more.
    pub(crate) async fn idle(&self) {
        self.launches.close();
        self.launches.wait().await;
    }
}
