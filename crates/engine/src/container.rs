//! A container as a value: whoever holds it owns it, and dropping it has it removed.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc::UnboundedSender},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    conversation::Conversation,
    driver::ContainerName,
    events::{Event, Observer},
};

/// How many containers there may be at once, in whatever state.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    semaphore: Arc<Semaphore>,
    all: u32,
}

/// The right to have one container, held until that container is removed.
#[derive(Debug)]
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    pub(crate) fn new(all: u32) -> Self {
        Self { semaphore: Arc::new(Semaphore::new(all as usize)), all }
    }

    pub(crate) fn free(&self) -> usize {
        self.semaphore.available_permits()
    }

    pub(crate) fn take(&self) -> Option<Slot> {
        Arc::clone(&self.semaphore).try_acquire_owned().ok().map(|_permit| Slot { _permit })
    }

    /// Returns when at least one is free. Cancel safe.
    pub(crate) async fn freed(&self) {
        // The semaphore is never closed, so this only waits.
        let _ = self.semaphore.acquire().await;
    }

    /// Returns when every container is removed.
    pub(crate) async fn all_free(&self) {
        let _ = self.semaphore.acquire_many(self.all).await;
    }
}

/// A container that exists or is about to.
///
/// Dropping it never blocks: it sends the remains to the reaper, on the one channel that must not be bounded because
/// `Drop` cannot wait. What waits there is bounded all the same, by the slots the remains hold.
pub(crate) struct Container {
    name: ContainerName,
    user: u32,
    since: Instant,
    /// None once dropped.
    remains: Option<Remains>,
    reaper: UnboundedSender<Remains>,
    observer: Arc<dyn Observer>,
}

/// What is left to clean up after a container.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) name: ContainerName,
    /// None for an orphan of an earlier life.
    #[expect(dead_code, reason = "held until the container is gone")]
    pub(crate) user: Option<UserId>,
    pub(crate) slot: Option<Slot>,
    /// Of a container whose execution has ended well: its runner waits for the end of it.
    pub(crate) pipe: Option<Conversation>,
    /// The engine has not said whether it has made it: it may still be about to.
    pub(crate) may_come: bool,
}

impl Container {
    pub(crate) fn new(
        user: UserId,
        slot: Slot,
        reaper: UnboundedSender<Remains>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let name = ContainerName(format!("code-sandbox-run-{}", Uuid::now_v7().simple()));
        let id = user.id;
        let remains =
            Remains { name: name.clone(), user: Some(user), slot: Some(slot), pipe: None, may_come: false };
        Self { name, user: id, since: Instant::now(), remains: Some(remains), reaper, observer }
    }

    pub(crate) fn name(&self) -> &ContainerName {
        &self.name
    }

    pub(crate) fn user(&self) -> u32 {
        self.user
    }

    /// When it was begun.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// That the engine finds nothing to remove does not mean that nothing will be there.
    pub(crate) fn may_come(&mut self) {
        if let Some(remains) = &mut self.remains {
            remains.may_come = true;
        }
    }

    /// The reaper ends the pipe when it removes the container, and not before.
    pub(crate) fn keep_until_removed(&mut self, pipe: Conversation) {
        if let Some(remains) = &mut self.remains {
            remains.pipe = Some(pipe);
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Some(remains) = self.remains.take() {
            self.observer.observe(&Event::LetGo { container: &self.name });
            // The reaper ends after every container; if it has been aborted, the next start sweeps.
            let _ = self.reaper.send(remains);
        }
    }
}

/// Names of the containers somebody owns: whatever else carries our label is an orphan.
#[derive(Debug, Default)]
pub(crate) struct Owned(Mutex<HashSet<ContainerName>>);

impl Owned {
    /// Must come before the container is created, or a sweep could take it for an orphan. False if it is known already.
    pub(crate) fn insert(&self, name: &ContainerName) -> bool {
        lock(&self.0).insert(name.clone())
    }

    pub(crate) fn remove(&self, name: &ContainerName) {
        lock(&self.0).remove(name);
    }

    pub(crate) fn all(&self) -> HashSet<ContainerName> {
        lock(&self.0).clone()
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.0).len()
    }
}

/// Users no container of any stock image has, below the 65,536 that a user namespace usually maps.
const USERS: std::ops::Range<u32> = 20_000..60_000;

/// Gives every container a user of its own; one that ended comes back last, long after its kernel objects are gone.
#[derive(Clone, Debug)]
pub(crate) struct UserIds(Arc<Mutex<VecDeque<u32>>>);

/// A numeric user nobody else has. Comes back when dropped.
#[derive(Debug)]
pub(crate) struct UserId {
    id: u32,
    home: UserIds,
}

impl UserIds {
    /// Starts at a random place, so that two control planes on one engine rarely meet.
    pub(crate) fn new() -> Self {
        let mut ids: VecDeque<u32> = USERS.collect();
        let (_, random) = Uuid::now_v7().as_u64_pair();
        let start = random % ids.len() as u64;
        ids.rotate_left(start as usize);
        Self(Arc::new(Mutex::new(ids)))
    }

    /// None if all 40,000 are taken, by containers that resist removal.
    pub(crate) fn take(&self) -> Option<UserId> {
        lock(&self.0).pop_front().map(|id| UserId { id, home: self.clone() })
    }
}

impl Drop for UserId {
    fn drop(&mut self) {
        lock(&self.home.0).push_back(self.id);
    }
}

/// Every critical section here leaves its data whole, even if a panic elsewhere poisoned the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
