//! One execution's hold on one container.

use crate::{container::Container, conversation::Conversation, driver::ContainerName};

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

    pub(crate) fn conversation(&mut self) -> &mut Conversation {
        &mut self.conversation
    }

    pub(crate) fn container(&self) -> &ContainerName {
        self.container.name()
    }
}
