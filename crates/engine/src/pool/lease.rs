//! One execution's hold on one container.

use tokio_util::sync::CancellationToken;

use crate::{
    container::Container,
    conversation::{Collected, Conversation, Inspect, Parcel},
    driver::Driver,
    output::Sink,
    phase::Stopwatch,
};

/// A container with its runner ready, for one execution.
///
/// Dropping it, when the client has left, ends the pipe and hands the container to the reaper. It cannot be given back: no
/// container serves twice.
pub(crate) struct Lease {
    // Dropped first: the engine cannot remove a container whose flooded attach nobody reads.
    conversation: Conversation,
    container: Container,
}

impl Lease {
    pub(super) fn new(conversation: Conversation, container: Container) -> Self {
        Self { conversation, container }
    }

    pub(super) fn container(&self) -> &Container {
        &self.container
    }

    /// Runs the one request this container is for. What is left is a container to be asked how it ended, and to be dropped.
    pub(crate) async fn run(
        mut self,
        parcel: &mut Parcel,
        sink: &mut Sink<'_>,
        cancel: &CancellationToken,
        stopwatch: &mut Stopwatch<'_>,
        driver: &dyn Driver,
    ) -> (Collected, Container) {
        let inspect = Inspect { driver, container: self.container.name() };
        let collected = self.conversation.run(parcel, sink, cancel, stopwatch, inspect).await;
        if collected.end.is_clean() {
            // The runner goes when its pipe does: behind the answer, and when nothing else is to be done.
            self.container.keep_until_removed(self.conversation);
        }
        (collected, self.container)
    }
}
