//! One task for each container that stands ready: it notices when the container dies, warms it up, and gives it away.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{actor::Waiter, lease::Lease};
use crate::{container::Container, conversation::Conversation};

/// How long a module may take to import; the largest takes seconds on a busy machine.
const PRELOAD_LIMIT: Duration = Duration::from_secs(60);

/// What the pool wants of a container. Leasing and retiring are the last thing.
pub(super) enum Command {
    Preload(String),
    Lease(Waiter),
    Retire,
}

/// What a keeper tells the pool, with its container's number.
pub(super) enum Report {
    /// The runner has said Rehearsed, and answers at once from here on; the parent of its two processes may still be about its own part.
    Rehearsed { number: u64 },
    /// The module of the last [`Command::Preload`] is there, or could not be imported and never will be.
    Preloaded { number: u64, error: Option<String> },
    /// The container, which stood ready `since` then, is no more; who was to have it still waits.
    Died { number: u64, since: Instant, died: Instant, waiter: Option<Waiter> },
}

/// Runs until the container is given away, retired or dead. `stop`: a preload is not waited for any more.
pub(super) async fn keep(
    number: u64,
    mut conversation: Conversation,
    container: Container,
    mut commands: mpsc::Receiver<Command>,
    reports: mpsc::Sender<Report>,
    stop: CancellationToken,
) {
    let since = Instant::now();
    loop {
        let command = tokio::select! {
            biased;
            rehearsed = conversation.hear_rehearsed() => {
                if !rehearsed {
                    break;
                }
                // The pool goes on listening for as long as its keepers live.
                let _ = reports.send(Report::Rehearsed { number }).await;
                continue;
            }
            command = commands.recv() => command,
        };
        match command {
            Some(Command::Lease(waiter)) => return waiter.serve(Ok(Lease::new(conversation, container))),
            Some(Command::Preload(module)) => {
                let preloaded = timeout(PRELOAD_LIMIT, conversation.preload(&module));
                let Some(preloaded) = stop.run_until_cancelled(preloaded).await else { return };
                let Ok(Some(error)) = preloaded else { break };
                let _ = reports.send(Report::Preloaded { number, error }).await;
            }
            Some(Command::Retire) | None => return,
        }
    }
    let died = Instant::now();
    drop((conversation, container));
    commands.close();
    let waiter = match commands.recv().await {
        Some(Command::Lease(waiter)) => Some(waiter),
        _ => None,
    };
    let _ = reports.send(Report::Died { number, since, died, waiter }).await;
}
