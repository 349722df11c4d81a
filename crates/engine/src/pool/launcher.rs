//! Starts one container, up to its runner's Ready.

use std::{sync::Arc, time::Duration};

use protocol::frame::Caps;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

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
    /// Of what comes back.
    pub(crate) caps: Caps,
}

impl Launcher {
    /// `special`: the memory, and the time it will run for, of a container that is for one request. `in_doubt`: the last
    /// start failed. Then the engine must answer first: while it is away no container comes to be that may have to be removed,
    /// and a request is told so at once. `stop`: nobody needs a runner any more that has not said a word by then.
    ///
    /// Whatever fails: what exists of the container goes to the reaper.
    pub(super) async fn launch(
        &self,
        slot: Slot,
        special: Option<(Memory, Timeout)>,
        in_doubt: bool,
        stop: &CancellationToken,
    ) -> Result<(Conversation, Container), LaunchError> {
        if in_doubt {
            self.driver.check().await?;
        }
        let mut container = self.reaper.adopt(slot).ok_or(LaunchError::NoUser)?;
        let (memory, lifetime) =
            special.map_or((self.memory, self.lifetime), |(memory, timeout)| (memory, timeout.get()));
        let spec = ContainerSpec {
            name: container.name().clone(),
            user: container.user(),
            memory,
            lifetime: lifetime + OVERHEAD,
            caps: self.caps,
        };
        let pipe = self.driver.launch(&spec).await.inspect_err(|error| {
            if error.is_silence() {
                container.may_come();
            }
        })?;
        let opened = timeout(READY_LIMIT, Conversation::open(pipe, self.caps));
        let opened = stop.run_until_cancelled(opened).await.ok_or(LaunchError::Abandoned)?;
        let conversation = opened.map_err(|_| HandshakeError::Silent(READY_LIMIT))??;
        Ok((conversation, container))
    }
}
