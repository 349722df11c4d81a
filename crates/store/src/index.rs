//! Which version a key of a space has, and how many bytes are taken.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use crate::{
    header::{Header, Meta},
    key::Key,
    space::SpaceName,
};

#[derive(Debug)]
pub(crate) struct Index {
    limit: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Those that hold something.
    spaces: BTreeMap<SpaceName, Contents>,
    /// Bytes of all spaces together.
    taken: u64,
    /// What each version on the disk has of that, also those that are not visible.
    rooms: HashMap<Uuid, (SpaceName, u64)>,
    /// Versions that are being read.
    reading: HashMap<Uuid, Reading>,
    /// The highest version given out or found.
    newest: Uuid,
}

/// What is in one space.
#[derive(Debug, Default)]
struct Contents {
    values: BTreeMap<Key, Meta>,
    /// Bytes of its values with their headers, of uploads under way and of what was replaced or deleted and is still on the disk, be it
    /// because somebody reads it.
    taken: u64,
}

/// A version that is being read, so that its bytes stay on the disk whatever is deleted.
#[derive(Debug, Default)]
struct Reading {
    readers: usize,
    /// It is deleted: room to be given back when the last reader is done.
    room: Option<(SpaceName, u64)>,
}

/// There is a newer version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outdated;

/// There is no room for an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// In the whole store, which may have so many bytes.
    Store(u64),
    /// In the space alone.
    Space(u64),
}

impl Index {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, state: Mutex::default() }
    }

    pub(crate) fn get(&self, space: &SpaceName, key: &Key) -> Option<Meta> {
        self.state().spaces.get(space)?.values.get(key).cloned()
    }

    /// Of a space, also what has expired.
    pub(crate) fn all(&self, space: &SpaceName) -> Vec<Meta> {
        self.state()
            .spaces
            .get(space)
            .map_or_else(Vec::new, |contents| contents.values.values().cloned().collect())
    }

    /// At most so many values that have not expired, by key, of those behind this one.
    pub(crate) fn page(&self, space: &SpaceName, after: Option<&str>, most: usize) -> Vec<Meta> {
        let state = self.state();
        let Some(contents) = state.spaces.get(space) else { return Vec::new() };
        let behind = after.map_or(Bound::Unbounded, Bound::Excluded);
        let values = contents.values.range::<str, _>((behind, Bound::Unbounded));
        values.filter(|(_, meta)| !meta.has_expired()).take(most).map(|(_, meta)| meta.clone()).collect()
    }

    /// What has expired, in all spaces.
    pub(crate) fn expired(&self) -> Vec<Meta> {
        let state = self.state();
        let values = state.spaces.values().flat_map(|contents| contents.values.values());
        values.filter(|meta| meta.has_expired()).cloned().collect()
    }

    /// How many values there are, and the bytes that count against the limit.
    pub(crate) fn usage(&self) -> (usize, u64) {
        let state = self.state();
        (state.spaces.values().map(|space| space.values.len()).sum(), state.taken)
    }

    /// Makes a version visible and returns the one that it replaces. Not if there is a newer one, which would win at the next start.
    pub(crate) fn settle(&self, meta: &Meta) -> Result<Option<Meta>, Outdated> {
        let mut state = self.state();
        let values = &mut state.spaces.entry(meta.space.clone()).or_default().values;
        match values.get(&meta.key) {
            Some(current) if current.version > meta.version => Err(Outdated),
            _ => Ok(values.insert(meta.key.clone(), meta.clone())),
        }
    }

    /// Forgets a version, unless it has been replaced meanwhile.
    pub(crate) fn remove(&self, meta: &Meta) {
        let mut state = self.state();
        let Some(contents) = state.spaces.get_mut(&meta.space) else { return };
        if contents.values.get(&meta.key).is_some_and(|current| current.version == meta.version) {
            contents.values.remove(&meta.key);
        }
        state.forget_if_empty(&meta.space);
    }

    /// A version above every earlier one, even if the clock has gone back over a restart.
    pub(crate) fn next_version(&self) -> Uuid {
        let mut state = self.state();
        let next = Uuid::from_u128(state.newest.as_u128().saturating_add(1));
        state.newest = Uuid::now_v7().max(next);
        state.newest
    }

    /// Takes room for an upload into a space that may hold `quota` bytes. The caller counts the header as well.
    pub(crate) fn reserve(&self, space: &SpaceName, bytes: u64, quota: Option<u64>) -> Result<(), Full> {
        let mut state = self.state();
        let fits = |taken: u64, limit: u64| taken.checked_add(bytes).is_some_and(|taken| taken <= limit);
        let taken = state.spaces.get(space).map_or(0, |contents| contents.taken);
        if let Some(quota) = quota.filter(|quota| !fits(taken, *quota)) {
            return Err(Full::Space(quota));
        }
        if !fits(state.taken, self.limit) {
            return Err(Full::Store(self.limit));
        }
        state.take(space, bytes);
        Ok(())
    }

    /// Counts what is on disk already, even above a limit that was lowered.
    pub(crate) fn adopt(&self, meta: &Meta) {
        let mut state = self.state();
        state.take(&meta.space, Header::SIZE + meta.size);
        state.newest = state.newest.max(meta.version);
        drop(state);
        self.hold(meta);
    }

    /// The same value under a version of now, which has its room.
    pub(crate) fn renew(&self, meta: &Meta) -> Meta {
        let renewed = Meta { version: self.next_version(), ..meta.clone() };
        let mut state = self.state();
        if let Some(room) = state.rooms.remove(&meta.version) {
            state.rooms.insert(renewed.version, room);
        }
        renewed
    }

    /// The room that its upload has taken is the version's from now on, until [`Index::release_version`].
    pub(crate) fn hold(&self, meta: &Meta) {
        self.state().rooms.insert(meta.version, (meta.space.clone(), Header::SIZE + meta.size));
    }

    pub(crate) fn release(&self, space: &SpaceName, bytes: u64) {
        self.state().release(space, bytes);
    }

    /// Gives the room of a version back that is deleted, once: now, or when it is no longer read.
    pub(crate) fn release_version(&self, version: Uuid) {
        let mut state = self.state();
        let Some((space, bytes)) = state.rooms.remove(&version) else { return };
        match state.reading.get_mut(&version) {
            Some(reading) => reading.room = Some((space, bytes)),
            None => state.release(&space, bytes),
        }
    }

    /// A reader comes. Must be told before it opens the file, and when it is done by [`Index::close`].
    pub(crate) fn open(&self, version: Uuid) {
        self.state().reading.entry(version).or_default().readers += 1;
    }

    pub(crate) fn close(&self, version: Uuid) {
        let mut state = self.state();
        let Some(reading) = state.reading.get_mut(&version) else { return };
        reading.readers -= 1;
        if reading.readers == 0
            && let Some(Reading { room: Some((space, bytes)), .. }) = state.reading.remove(&version)
        {
            state.release(&space, bytes);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock with the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, space: &SpaceName, bytes: u64) {
        self.taken += bytes;
        self.spaces.entry(space.clone()).or_default().taken += bytes;
    }

    fn release(&mut self, space: &SpaceName, bytes: u64) {
        self.taken = self.taken.saturating_sub(bytes);
        if let Some(contents) = self.spaces.get_mut(space) {
            contents.taken = contents.taken.saturating_sub(bytes);
        }
        self.forget_if_empty(space);
    }

    /// Tenants come and go.
    fn forget_if_empty(&mut self, space: &SpaceName) {
        if self.spaces.get(space).is_some_and(|contents| contents.taken == 0 && contents.values.is_empty()) {
            self.spaces.remove(space);
        }
    }
}
