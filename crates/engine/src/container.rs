//! A container as a value: whoever holds it owns it, and dropping it has it removed.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use crate::{admission::Slot, driver::ContainerName};

/// A container that exists or is about to.
///
/// Dropping it never blocks: it sends the remains to the reaper, on the one channel that must not be bounded because
/// `Drop` cannot wait. What waits there is bounded all the same, by the slots the remains hold.
#[derive(Debug)]
pub(crate) struct Container {
    name: ContainerName,
    user: u32,
    /// None once dropped.
    remains: Option<Remains>,
    reaper: UnboundedSender<Remains>,
}

/// What is left to clean up after a container.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) name: ContainerName,
    /// None for an orphan of an earlier life.
    #[expect(dead_code, reason = "held until the container is gone")]
    pub(crate) user: Option<UserId>,
    pub(crate) slot: Option<Slot>,
}

impl Container {
    pub(crate) fn new(user: UserId, slot: Slot, reaper: UnboundedSender<Remains>) -> Self {
        let name = ContainerName(format!("code-sandbox-run-{}", Uuid::now_v7().simple()));
        let id = user.id;
        let remains = Remains { name: name.clone(), user: Some(user), slot: Some(slot) };
        Self { name, user: id, remains: Some(remains), reaper }
    }

    pub(crate) fn name(&self) -> &ContainerName {
        &self.name
    }

    pub(crate) fn user(&self) -> u32 {
        self.user
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Some(remains) = self.remains.take() {
            // The reaper ends after every container; if it has been aborted, the next start sweeps.
            let _ = self.reaper.send(remains);
        }
    }
}

/// Names of the containers somebody owns: whatever else carries our label is an orphan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry(Arc<Mutex<HashSet<ContainerName>>>);

impl Registry {
    /// Must come before the container is created, or a sweep could take it for an orphan. False if it is known already.
    pub(crate) fn insert(&self, name: &ContainerName) -> bool {
        lock(&self.0).insert(name.clone())
    }

    pub(crate) fn remove(&self, name: &ContainerName) {
        lock(&self.0).remove(name);
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
