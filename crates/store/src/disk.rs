//! The disk: it may hang, or be taken away.

use std::{fs, future::Future, io, os::unix::fs::MetadataExt, path::PathBuf, sync::Arc, time::Duration};

use tokio::{task::spawn_blocking, time::timeout};

/// How long the disk may take for one step. What has waited for it is told so; the step itself cannot be ended.
const DISK_LIMIT: Duration = if cfg!(test) { Duration::from_millis(500) } else { Duration::from_secs(30) };
/// As errors name it.
const DATA_FOLDER: &str = "data folder";

/// A step of the disk, or an error in its place.
pub(crate) async fn in_time<T>(
    step: impl Future<Output = object_store::Result<T>>,
) -> object_store::Result<T> {
    timeout(DISK_LIMIT, step).await.unwrap_or_else(|_| Err(disk_error(no_answer())))
}

/// A blocking step of the disk, in a thread of its own; an error in its place after [`DISK_LIMIT`]. The thread may wait for ever.
pub async fn disk_step<T: Send + 'static>(
    step: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    timeout(DISK_LIMIT, spawn_blocking(step)).await.map_err(|_| no_answer())??
}

fn no_answer() -> io::Error {
    io::Error::other(format!("the disk has not answered within {} s", DISK_LIMIT.as_secs_f64()))
}

/// As the store tells it.
pub(crate) fn disk_error(error: io::Error) -> object_store::Error {
    object_store::Error::Generic { store: DATA_FOLDER, source: error.into() }
}

/// The folder of all objects, which somebody may have taken away, or its disk.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(crate) path: PathBuf,
    /// Open, so that its inode is nobody else's.
    folder: Arc<fs::File>,
}

impl Root {
    pub(crate) fn of(path: PathBuf) -> io::Result<Self> {
        let folder = Arc::new(fs::File::open(&path)?);
        Ok(Self { path, folder })
    }

    /// An error if it is not what it was.
    pub(crate) fn check(&self) -> io::Result<()> {
        let gone = |error| io::Error::other(format!("the data folder is gone: {error}"));
        let (there, opened) = (fs::metadata(&self.path).map_err(gone)?, self.folder.metadata()?);
        if (there.dev(), there.ino()) == (opened.dev(), opened.ino()) {
            Ok(())
        } else {
            Err(io::Error::other("the data folder is another one than at the start"))
        }
    }
}
