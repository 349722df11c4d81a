//! One execution's hold on one container.

use tokio_util::sync::CancellationToken;

use crate::{
    container::Container,
    conversation::{Collected, Conversation, Limits},
    request::ExecutionRequest,
};

/// A container with its runner ready, for one execution.
///
/// Dropping it, at the end of the execution or when the client has left, ends the pipe and hands the container to the
/// reaper. It cannot be given back: no container serves twice.
pub(crate) struct Lease {
    // Dropped first: the engine cannot remove a container whose flooded attach nobody reads.
    conversation: Conversation,
    container: Container,
}

impl Lease {
    pub(super) fn new(conversation: Conversation, container: Container) -> Self {
        Self { conversation, container }
    }

    /// Runs the one request this container is for. The pipe ends with it; what is left is the container, to be asked how it
    /// ended and to be dropped.
    pub(crate) async fn run(
        mut self,
        request: ExecutionRequest,
        limits: Limits,
        cancel: &CancellationToken,
    ) -> (Collected, Container) {
        let collected = self.conversation.run(request, limits, cancel).await;
        drop(self.conversation);
        (collected, self.container)
    }
}
