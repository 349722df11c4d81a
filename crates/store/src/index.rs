//! Which version a key has, and how many bytes are taken.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use crate::{
    header::{Header, Meta},
    key::Key,
};

#[derive(Debug)]
pub(crate) struct Index {
    limit: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    values: BTreeMap<Key, Meta>,
    /// Bytes of all values with their headers, of uploads under way and of replaced values not yet deleted.
    taken: u64,
    /// The highest version given out or found.
    newest: Uuid,
}

impl Index {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, state: Mutex::default() }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Meta> {
        self.state().values.get(key).cloned()
    }

    pub(crate) fn list(&self) -> Vec<Meta> {
        self.state().values.values().cloned().collect()
    }

    /// Makes a version visible and returns the one that lost. Of two uploads at once the one that began later wins,
    /// whichever ends first: the same as after a restart.
    pub(crate) fn insert(&self, meta: Meta) -> Option<Meta> {
        let mut state = self.state();
        match state.values.get(&meta.key) {
            Some(current) if current.version > meta.version => Some(meta),
            _ => state.values.insert(meta.key.clone(), meta),
        }
    }

    /// Forgets a version, unless it has been replaced meanwhile.
    pub(crate) fn remove(&self, meta: &Meta) {
        let mut state = self.state();
        if state.values.get(&meta.key).is_some_and(|current| current.version == meta.version) {
            state.values.remove(&meta.key);
        }
    }

    /// A version above every earlier one, even if the clock has gone back over a restart.
    pub(crate) fn next_version(&self) -> Uuid {
        let mut state = self.state();
        let next = Uuid::from_u128(state.newest.as_u128().saturating_add(1));
        state.newest = Uuid::now_v7().max(next);
        state.newest
    }

    /// Takes room for an upload. False if there is none. The caller counts the header as well.
    pub(crate) fn reserve(&self, bytes: u64) -> bool {
        let mut state = self.state();
        let fits = state.taken.checked_add(bytes).is_some_and(|taken| taken <= self.limit);
        if fits {
            state.taken += bytes;
        }
        fits
    }

    /// Counts what is on disk already, even above a limit that was lowered.
    pub(crate) fn adopt(&self, meta: &Meta) {
        let mut state = self.state();
        state.taken += Header::SIZE + meta.size;
        state.newest = state.newest.max(meta.version);
    }

    pub(crate) fn release(&self, bytes: u64) {
        let mut state = self.state();
        state.taken = state.taken.saturating_sub(bytes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock with the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
