//! Uploaded data: a key, a value, its content type; durable when acknowledged, replaced whole, bounded. Each tenant has a
//! [`Space`] of its own.
//!
//! Every upload becomes one immutable object, named by a version that grows with time (UUIDv7): what ends last is newest. An index in memory,
//! rebuilt at start from the objects' headers, says which version a key of a space has. So replacing a value is one map entry,
//! readers go on with what they opened, and a crash at any moment leaves either version, whole:
//!
//! ```text
//! upload ──> staged file ──fsync, rename──> objects/VERSION ──> index: KEY -> VERSION ──> older object deleted
//!            (swept at start)               (newest of a key wins at start, the rest is deleted)
//! ```
//!
//! A value is on disk before it is acknowledged. Deletions survive the end of the process, not the loss of power.

mod disk;
mod header;
mod index;
mod key;
mod space;
mod upload;

use std::{
    fmt, fs,
    future::Future,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
pub use chrono::SecondsFormat;
use futures_util::{TryStreamExt, stream::BoxStream};
use object_store::{ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path as ObjectPath};
use uuid::Uuid;

pub use self::{
    disk::disk_step,
    header::{ContentType, InvalidContentType, Meta},
    key::{InvalidKey, Key},
    space::{InvalidSpaceName, Space, SpaceName},
    upload::{PutError, Upload},
};
use self::{
    disk::{Root, disk_error, in_time},
    header::Header,
    index::{Index, Outdated},
};

/// The part of the data folder in which the values are.
const OBJECTS: &str = "objects";
/// The file that says whose folder it is.
const LOCK: &str = "lock";

/// A moment.
pub type Time = chrono::DateTime<chrono::Utc>;

/// How much may be stored, in bytes of values, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// One value.
    pub max_value_size: u64,
    /// All values together, 1 KiB for each counted in, with those being uploaded and, until they are complete, those they
    /// replace.
    pub data_limit: u64,
    /// How long after its upload began a value expires, whenever that was; none: never.
    pub ttl: Option<Duration>,
}

/// The uploaded data of one control plane. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    objects: LocalFileSystem,
    limits: StoreLimits,
    index: Index,
    root: Root,
    /// Versions that nobody shall see and the disk did not let go: replaced ones, and those of uploads that failed.
    stuck: Mutex<Vec<Meta>>,
    /// Held for as long as the store is open.
    _lock: fs::File,
}

/// How much is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Values.
    pub values: usize,
    /// Bytes, counted as [`StoreLimits::data_limit`] counts them.
    pub bytes: u64,
    /// Bytes there may be.
    pub limit: u64,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made, read or written.
    #[error("the data folder {path} cannot be used: {reason}")]
    Folder {
        /// As configured.
        path: PathBuf,
        /// In the system's words.
        reason: String,
    },
    /// It holds something that is none of ours, or of a version we do not know.
    #[error("the data folder holds {0}, which this version cannot read: move it away")]
    Foreign(PathBuf),
    /// Another process has it open.
    #[error("the data folder {0} is in use by another control plane: give each one its own --data-dir")]
    InUse(PathBuf),
}

/// Why a value cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReadError(pub object_store::Error);

/// Why a value is still there.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// The disk does not do what is asked.
    #[error(transparent)]
    Disk(object_store::Error),
    /// The task that deletes it ended early.
    #[error("the deletion was abandoned")]
    Aborted,
}

/// A value opened for reading; stays readable while it is replaced or deleted.
pub struct Value {
    /// What it is.
    pub meta: Meta,
    /// The part asked for.
    pub range: Range<u64>,
    /// The bytes of that part.
    pub stream: BoxStream<'static, Result<Bytes, ReadError>>,
}

impl Store {
    /// Opens the store in `folder`, making it if need be; sweeps what a crash left behind and what has expired. Reads the header
    /// of every object.
    pub async fn open(folder: &Path, limits: StoreLimits) -> Result<Self, OpenError> {
        let lock = prepare(folder).await?;
        let objects = objects(folder).await?;
        let metas = read_all(&objects, folder, limits.ttl).await?;
        let index = Index::new(limits.data_limit);
        let root = folder.join(OBJECTS);
        let root = disk_step(move || Root::of(root)).await.map_err(|error| unusable(folder, error))?;
        let shared = Shared { objects, limits, index, root, stuck: Mutex::default(), _lock: lock };
        shared.load(metas).await;
        let store = Self { shared: Arc::new(shared) };
        // What it cannot delete it tries again: invisible it is already.
        let _ = store.sweep().await;
        Ok(store)
    }

    /// Whether [`Store::open`] could read what is in `folder`; a store that is open there notices nothing. A folder that is not there
    /// is as good as an empty one.
    pub async fn check(folder: &Path) -> Result<(), OpenError> {
        let root = folder.join(OBJECTS);
        let exists = disk_step(move || Ok(root.exists())).await.map_err(|error| unusable(folder, error))?;
        if exists { read_all(&objects(folder).await?, folder, None).await.map(drop) } else { Ok(()) }
    }

    /// One tenant's part of the store, which may hold at most `quota` bytes.
    pub fn space(&self, name: SpaceName, quota: Option<u64>) -> Space {
        Space { shared: Arc::clone(&self.shared), name, quota }
    }

    /// How much is stored, by all together.
    pub fn usage(&self) -> Usage {
        let (values, bytes) = self.shared.index.usage();
        Usage { values, bytes, limit: self.shared.limits.data_limit }
    }

    /// Deletes what has expired, and says how much that was; and what should have been deleted before and could not be. Both are
    /// invisible before that already.
    pub async fn sweep(&self) -> Result<usize, DeleteError> {
        let (shared, expired) = (Arc::clone(&self.shared), self.shared.index.expired());
        let count = expired.len();
        let work = async move {
            let deleted = shared.delete_all(expired).await;
            shared.discard_stuck(|_| true).await.and(deleted)
        };
        unless_dropped(work, DeleteError::Aborted).await?;
        Ok(count)
    }
}

/// Runs in a task of its own: a client that leaves must not stop half-way what cannot be undone. `aborted` is for a task that panics.
async fn unless_dropped<T: Send + 'static, E: Send + 'static>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
    aborted: E,
) -> Result<T, E> {
    tokio::spawn(work).await.unwrap_or(Err(aborted))
}

impl Shared {
    /// Fills the index. The newest version of a key wins, older ones are deleted.
    async fn load(&self, metas: Vec<Meta>) {
        for meta in metas {
            self.index.adopt(&meta);
            let loser = match self.index.settle(&meta) {
                Ok(older) => older,
                Err(Outdated) => Some(meta),
            };
            if let Some(loser) = loser {
                self.discard_replaced(loser).await;
            }
        }
    }

    /// Deletes a value: first from the disk, so that nothing that was answered as deleted comes back.
    async fn delete(&self, meta: &Meta) -> Result<(), DeleteError> {
        self.discard(meta).await.map_err(DeleteError::Disk)?;
        self.index.remove(meta);
        Ok(())
    }

    /// One that cannot be deleted does not save the others.
    async fn delete_all(&self, all: Vec<Meta>) -> Result<(), DeleteError> {
        let mut outcome = Ok(());
        for meta in all {
            outcome = self.delete(&meta).await.and(outcome);
        }
        outcome
    }

    /// Gives a value that nobody sees yet a newer version.
    async fn renew(self: &Arc<Self>, meta: Meta) -> Result<Meta, object_store::Error> {
        let renewed = self.index.renew(&meta);
        let (from, to) = (object_path(meta.version), object_path(renewed.version));
        if let Err(error) = in_time(self.objects.rename(&from, &to)).await {
            // First the one without which no renaming that is late can succeed.
            self.give_up(&[&meta, &renewed]);
            return Err(error);
        }
        Ok(renewed)
    }

    /// Deletes a version that has been replaced: now, or with the next sweep.
    async fn discard_replaced(&self, older: Meta) {
        if self.discard(&older).await.is_err() {
            self.stuck().push(older);
        }
    }

    /// Deletes what may be left of an upload that has failed, while who has sent it is told so.
    fn give_up(self: &Arc<Self>, metas: &[&Meta]) {
        let (shared, versions) =
            (Arc::clone(self), metas.iter().map(|meta| meta.version).collect::<Vec<_>>());
        self.stuck().extend(metas.iter().map(|meta| (*meta).clone()));
        // One after the other. What cannot be deleted now is with the next sweep.
        tokio::spawn(async move { shared.discard_stuck(|stuck| versions.contains(&stuck.version)).await });
    }

    /// One that still cannot be deleted does not save the others.
    async fn discard_stuck(&self, which: impl Fn(&Meta) -> bool) -> Result<(), DeleteError> {
        let mut outcome = Ok(());
        let tried: Vec<_> = self.stuck().iter().filter(|meta| which(meta)).cloned().collect();
        for meta in tried {
            match self.discard_unfinished(&meta).await {
                Ok(()) => self.stuck().retain(|stuck| stuck.version != meta.version),
                Err(error) => outcome = Err(DeleteError::Disk(error)),
            }
        }
        outcome
    }

    fn stuck(&self) -> MutexGuard<'_, Vec<Meta>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes the object of a version and gives its room back.
    async fn discard(&self, meta: &Meta) -> Result<(), object_store::Error> {
        match in_time(self.objects.delete(&object_path(meta.version))).await {
            Ok(()) => {}
            Err(object_store::Error::NotFound { .. }) => self.must_be_there().await?,
            Err(error) => return Err(error),
        }
        self.index.release_version(meta.version);
        Ok(())
    }

    /// The same for a version whose upload may wait for the disk still: it will find nothing that it could make visible.
    async fn discard_unfinished(&self, meta: &Meta) -> Result<(), object_store::Error> {
        let staged = self.root.path.join(format!("{}#1", meta.version));
        let removed = disk_step(move || match fs::remove_file(staged) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        });
        removed.await.map_err(disk_error)?;
        self.discard(meta).await
    }

    /// An error if it is not one file that is missing but the folder of all.
    async fn must_be_there(&self) -> Result<(), object_store::Error> {
        let root = self.root.clone();
        disk_step(move || root.check()).await.map_err(disk_error)
    }
}

fn object_path(version: Uuid) -> ObjectPath {
    ObjectPath::from(version.to_string())
}

async fn objects(folder: &Path) -> Result<LocalFileSystem, OpenError> {
    let root = folder.join(OBJECTS);
    let objects = disk_step(move || LocalFileSystem::new_with_prefix(root).map_err(io::Error::other)).await;
    objects.map(|objects| objects.with_fsync(true)).map_err(|error| unusable(folder, error))
}

/// Makes the folder, locks it, and sweeps it. One control plane a folder: two would not see each other's uploads.
async fn prepare(folder: &Path) -> Result<fs::File, OpenError> {
    let lock = disk_step({
        let folder = folder.to_owned();
        move || lock_and_sweep(&folder)
    });
    let lock = lock.await.map_err(|error| unusable(folder, error))?;
    lock.ok_or_else(|| OpenError::InUse(folder.to_owned()))
}

/// None if somebody else has the lock.
fn lock_and_sweep(folder: &Path) -> io::Result<Option<fs::File>> {
    let root = folder.join(OBJECTS);
    fs::create_dir_all(&root)?;
    // With a folder that a loss of power takes back its values would be gone.
    fs::File::open(folder)?.sync_all()?;
    let lock = fs::File::create(folder.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Ok(None),
        Err(fs::TryLockError::Error(error)) => return Err(error),
    }
    sweep_staged(&root)?;
    Ok(Some(lock))
}

/// What the headers of all objects say. Refuses what is no object of ours.
async fn read_all(
    objects: &LocalFileSystem,
    folder: &Path,
    ttl: Option<Duration>,
) -> Result<Vec<Meta>, OpenError> {
    let root = folder.join(OBJECTS);
    // They would not be listed.
    let no_file = disk_step(move || no_file_in(&root)).await.map_err(|error| unusable(folder, error))?;
    if let Some(path) = no_file {
        return Err(OpenError::Foreign(path));
    }
    let mut metas = Vec::new();
    let mut listed = objects.list(None);
    while let Some(object) = in_time(listed.try_next()).await.map_err(|error| unusable(folder, error))? {
        let meta = match object.location.as_ref().parse::<Uuid>() {
            // Behind the last version there would be none for an upload.
            Ok(version) if object.size >= Header::SIZE && !version.is_max() => {
                match in_time(objects.get_range(&object.location, 0..Header::SIZE)).await {
                    Ok(bytes) => Header::decode(&bytes)
                        .map(|header| header.meta(version, object.size - Header::SIZE, ttl)),
                    // Deleted since it was listed, by who has the store open.
                    Err(object_store::Error::NotFound { .. }) => continue,
                    Err(error) => return Err(unusable(folder, error)),
                }
            }
            _ => None,
        };
        let foreign = || OpenError::Foreign(folder.join(OBJECTS).join(object.location.as_ref()));
        metas.push(meta.ok_or_else(foreign)?);
    }
    Ok(metas)
}

fn unusable(folder: &Path, error: impl fmt::Display) -> OpenError {
    OpenError::Folder { path: folder.to_owned(), reason: error.to_string() }
}

/// Something in this folder that is no file.
fn no_file_in(root: &Path) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        // Its kind comes with the listing: only what is no file, such as a link, is looked at.
        if entry.file_type().is_ok_and(|kind| !kind.is_file()) && !entry.path().is_file() {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// Deletes the staged files of uploads that a crash cut off: `object_store` names them with a `#` and hides them.
fn sweep_staged(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        let staged = name.to_str().and_then(|name| name.split_once('#'));
        if staged.is_some_and(|(version, _)| version.parse::<Uuid>().is_ok()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
