//! Starts one container, up to its runner's Ready.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::LaunchError;
use crate::{
    container::{Container, Slot, Slots},
    conversation::{Conversation, HandshakeError},
    driver::{ContainerSpec, Driver},
    reaper::Reaper,
    request::{Memory, Timeout},
};

/// A runner that has not said a word by then never will; a cold start takes a tenth of a second.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// What start, answer and removal take beside the code.
const OVERHEAD: Duration = Duration::from_secs(60);

/// What every start needs.
#[derive(Clone)]
pub(crate) struct Launcher {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) reaper: Reaper,
    pub(crate) slots: Slots,
    /// Memory of a container that is for nobody in particular.
    pub(crate) memory: Memory,
    /// Longest life of one of those.
    pub(crate) lifetime: Duration,
    /// Bytes of a result.
    pub(crate) result_limit: u64,
}

impl Launcher {
    /// `special`: the memory, and the time it will run for, of a container that is for one request.
    ///
    /// Whatever fails: what exists of the container goes to the reaper.
    pub(super) async fn launch(
        &self,
        slot: Slot,
        special: Option<(Memory, Timeout)>,
    ) -> Result<(Conversation, Container), LaunchError> {
        let container = self.reaper.adopt(slot).ok_or(LaunchError::NoUser)?;
        let (memory, lifetime) =
            special.map_or((self.memory, self.lifetime), |(memory, timeout)| (memory, timeout.get()));
        let spec = ContainerSpec {
            name: container.name().clone(),
            user: container.user(),
            memory,
            lifetime: lifetime + OVERHEAD,
            result_limit: self.result_limit,
        };
        let pipe = self.driver.launch(&spec).await?;
        let result_limit = usize::try_from(self.result_limit).unwrap_or(usize::MAX);
        let conversation = timeout(READY_LIMIT, Conversation::open(pipe, result_limit))
            .await
            .map_err(|_| HandshakeError::Silent(READY_LIMIT))??;
        Ok((conversation, container))
    }
}
