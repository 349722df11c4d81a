//! Removes containers, and goes on until they are gone.
//!
//! ```text
//! Container dropped ──> bury: a calm moment, remove, retry with back-off ──> gone: slot and user come back
//! sweep: ours, but nobody's ──┘            │
//!                                          └─ resists, or the engine is away: quarantined: slot comes back, retries go on
//! one that the engine may still be about to make is looked for a while longer
//! ```

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    container::{Container, Owned, Remains, Slot, UserIds},
    driver::{ContainerName, Driver, DriverError},
    events::{Event, Observer},
    phase::{Phase, Stopwatch},
    pool::Pace,
};

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// An engine that is away comes back for all its containers at once, and says so quickly.
const LAST_RETRY_WHILE_AWAY: Duration = Duration::from_secs(2);
/// A container that is still there after this long no longer holds its slot, be it that its removal fails or that it hangs.
const QUARANTINE_AFTER: Duration = Duration::from_secs(3);
/// Finds what no `Drop` could know of, such as a container that the engine was about to make when the life before this one was killed:
/// soon after the start, and ever more rarely.
const FIRST_SWEEP: Duration = Duration::from_secs(1);
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// An engine that answers again does soon what was asked of it before. With the time until it was given up, within that which a drain
/// has for removals.
const LATE_LOOKS: u32 = 6;
const BETWEEN_LATE_LOOKS: Duration = Duration::from_millis(500);
/// Of orphans, which nobody waits for; the others are bounded by their slots.
const ORPHANS_AT_ONCE: usize = 4;

/// Handle to the reaper. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reaper {
    users: UserIds,
    work: Arc<Work>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

struct Work {
    remains: mpsc::UnboundedSender<Remains>,
    driver: Arc<dyn Driver>,
    observer: Arc<dyn Observer>,
    owned: Owned,
    pace: Pace,
    orphans_at_once: Semaphore,
}

impl Reaper {
    /// Starts the reaper's task on the current runtime.
    pub(crate) fn start(driver: Arc<dyn Driver>, observer: Arc<dyn Observer>, pace: Pace) -> Self {
        let (remains, queue) = mpsc::unbounded_channel();
        let work = Arc::new(Work {
            remains,
            driver,
            observer,
            owned: Owned::default(),
            pace,
            orphans_at_once: Semaphore::new(ORPHANS_AT_ONCE),
        });
        let reaper =
            Self { users: UserIds::new(), work, tasks: TaskTracker::new(), stop: CancellationToken::new() };
        reaper.tasks.spawn(run(Arc::clone(&reaper.work), queue, reaper.stop.clone()));
        reaper
    }

    /// A name and a user for a container that is about to be created, known to the sweep from now on.
    pub(crate) fn adopt(&self, slot: Slot) -> Option<Container> {
        let Work { remains, observer, .. } = &*self.work;
        let container = Container::new(self.users.take()?, slot, remains.clone(), Arc::clone(observer));
        self.work.owned.insert(container.name());
        Some(container)
    }

    /// Those somebody owns and those that are being removed.
    pub(crate) fn containers(&self) -> usize {
        self.work.owned.len()
    }

    /// Hands every container of this instance that nobody owns to the reaper.
    pub(crate) async fn sweep(&self) -> Result<(), DriverError> {
        self.work.sweep().await
    }

    /// Returns when everything handed over is gone.
    pub(crate) async fn finish(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The reaper's task: one burial a container, all of them its children. Ends when it is to and all is gone.
async fn run(work: Arc<Work>, mut queue: mpsc::UnboundedReceiver<Remains>, stop: CancellationToken) {
    let mut burials = JoinSet::new();
    let mut pause = FIRST_SWEEP;
    let mut next_sweep = time::Instant::now() + pause;
    loop {
        tokio::select! {
            biased;
            Some(remains) = queue.recv() => {
                burials.spawn(Arc::clone(&work).bury(remains));
            }
            Some(_) = burials.join_next() => {}
            () = stop.cancelled(), if burials.is_empty() => break,
            // Not awaited here: an engine that hangs would keep every burial waiting.
            () = time::sleep_until(next_sweep), if !stop.is_cancelled() => {
                burials.spawn(Arc::clone(&work).sweep_and_tell());
                pause = (pause * 2).min(SWEEP_EVERY);
                next_sweep = time::Instant::now() + pause;
            }
        }
    }
}

impl Work {
    async fn bury(self: Arc<Self>, mut remains: Remains) {
        let mut stopwatch = Stopwatch::start(&*self.observer, Phase::Remove);
        let turn = match &remains.slot {
            Some(_) => None,
            // Never closed, so it only waits.
            None => self.orphans_at_once.acquire().await.ok(),
        };
        let name = remains.name.clone();
        let pipe = remains.pipe.take();
        let away = CancellationToken::new();
        let removed = async {
            if let Some(pipe) = pipe {
                self.pace.settled().await;
                pipe.hang_up().await;
            }
            self.remove(&name, &away).await;
        };
        tokio::pin!(removed);
        let resists = tokio::select! {
            biased;
            () = &mut removed => false,
            () = away.cancelled() => true,
            () = time::sleep(QUARANTINE_AFTER) => true,
        };
        if resists {
            self.observer.observe(&Event::Quarantined { container: &name });
            // Neither runs nor other orphans wait for it.
            remains.slot = None;
            drop(turn);
            removed.await;
            self.observer.observe(&Event::QuarantineEnded { container: &name });
        }
        if remains.may_come {
            remains.slot = None;
            self.wait_for(&name).await;
        }
        self.owned.remove(&name);
        self.observer.observe(&Event::Removed { container: &name });
        stopwatch.finish();
    }

    /// Removes a container that comes late.
    async fn wait_for(&self, name: &ContainerName) {
        for _ in 0..LATE_LOOKS {
            time::sleep(BETWEEN_LATE_LOOKS).await;
            self.remove(name, &CancellationToken::new()).await;
        }
    }

    /// Tries until it works. Cancels `away` if it is the engine that does not answer.
    async fn remove(&self, name: &ContainerName, away: &CancellationToken) {
        let mut pause = FIRST_RETRY;
        for attempt in 1.. {
            let Err(error) = self.driver.remove(name).await else { return };
            self.observer.observe(&Event::RemovalFailed { container: name, attempt, error: &error });
            let longest = match error {
                DriverError::Unreachable { .. } => {
                    // Once may be a connection that was reset, by an engine that is there.
                    if attempt > 1 {
                        away.cancel();
                    }
                    LAST_RETRY_WHILE_AWAY
                }
                _ => LAST_RETRY,
            };
            time::sleep(pause.min(longest)).await;
            pause = (pause * 2).min(LAST_RETRY);
        }
    }

    /// Hands over every container that is ours by label, but nobody's. Each is the reaper's from now on, so that it is found
    /// once.
    async fn sweep(&self) -> Result<(), DriverError> {
        // Some of these are gone by the time the list is there.
        let before = self.owned.all();
        let listed = self.driver.list().await?;
        let is_orphan = |name: &ContainerName| !before.contains(name) && self.owned.insert(name);
        let orphans: Vec<_> = listed.into_iter().filter(is_orphan).collect();
        if !orphans.is_empty() {
            self.observer.observe(&Event::Orphans { count: orphans.len() });
        }
        for name in orphans {
            // The reaper's task has the other end for as long as this can be asked for.
            let _ = self.remains.send(Remains { name, user: None, slot: None, pipe: None, may_come: false });
        }
        Ok(())
    }

    async fn sweep_and_tell(self: Arc<Self>) {
        if let Err(error) = self.sweep().await {
            self.observer.observe(&Event::SweepFailed { error: &error });
        }
    }
}
