//! One upload: bytes in, a version out.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, ObjectStoreExt};
use tokio::{runtime::Handle, task::spawn_blocking};
use uuid::Uuid;

use crate::{
    Shared,
    disk::{disk_error, in_time},
    header::{ContentType, Header, Meta},
    index::{Full, Outdated},
    key::Key,
    object_path,
    space::{Space, SpaceName},
    unless_dropped,
};

/// Written to disk at a time; until then in memory, of any number of uploads.
const PART: usize = 64 << 10;

/// An upload under way. Dropping it gives its room back and leaves nothing on disk.
pub struct Upload {
    shared: Arc<Shared>,
    target: Box<dyn MultipartUpload>,
    version: Uuid,
    header: Header,
    buffer: BytesMut,
    room: Room,
}

/// Room taken in a space, given back when dropped.
struct Room {
    shared: Arc<Shared>,
    space: SpaceName,
    quota: Option<u64>,
    bytes: u64,
}

impl Room {
    fn take(&mut self, bytes: u64) -> Result<(), Full> {
        self.shared.index.reserve(&self.space, bytes, self.quota)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shared.index.release(&self.space, self.bytes);
    }
}

/// Why a value was not stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// One value may not be that large.
    #[error("a value may have at most {0} bytes")]
    ValueTooLarge(u64),
    /// All values together may not be that large.
    #[error("the stored data has reached its limit of {0} bytes: delete some of it")]
    StoreFull(u64),
    /// All values of the space together may not be that large.
    #[error("the tenant's stored data has reached its limit of {0} bytes: delete some of it")]
    SpaceFull(u64),
    /// The disk has no room left.
    #[error("the data disk is full")]
    DiskFull,
    /// It has taken so long that it would have expired.
    #[error("the upload took longer than values are kept")]
    TooSlow,
    /// The disk does not do what is asked.
    #[error(transparent)]
    Write(object_store::Error),
    /// The task that writes it ended early.
    #[error("the upload was abandoned")]
    Aborted,
}

impl From<Full> for PutError {
    fn from(full: Full) -> Self {
        match full {
            Full::Store(limit) => Self::StoreFull(limit),
            Full::Space(quota) => Self::SpaceFull(quota),
        }
    }
}

impl From<object_store::Error> for PutError {
    fn from(error: object_store::Error) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(layer) = cause {
            let kind = layer.downcast_ref::<io::Error>().map(io::Error::kind);
            if matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
                return Self::DiskFull;
            }
            cause = layer.source();
        }
        Self::Write(error)
    }
}

/// Not on the runtime's thread, on which `object_store` would wait for the disk.
async fn create(
    shared: &Arc<Shared>,
    version: Uuid,
) -> Result<Box<dyn MultipartUpload>, object_store::Error> {
    let (shared, runtime) = (Arc::clone(shared), Handle::current());
    let created = spawn_blocking(move || {
        // It would be made again where it is missing.
        shared.root.check().map_err(disk_error)?;
        runtime.block_on(shared.objects.put_multipart(&object_path(version)))
    });
    in_time(async { created.await.map_err(object_store::Error::from)? }).await
}

impl Upload {
    pub(crate) async fn start(space: &Space, key: Key, content_type: ContentType) -> Result<Self, PutError> {
        let Space { shared, name, quota } = space.clone();
        let version = shared.index.next_version();
        let mut room = Room { shared: Arc::clone(&shared), space: name.clone(), quota, bytes: 0 };
        room.take(Header::SIZE)?;
        let target = create(&shared, version).await?;
        let header = Header::new(name, key, content_type);
        let buffer = BytesMut::from(&header.encode()[..]);
        Ok(Self { shared, target, version, header, buffer, room })
    }

    /// Takes the next bytes of the value; fails as soon as they are too many.
    pub async fn write(&mut self, bytes: &Bytes) -> Result<(), PutError> {
        let limits = &self.shared.limits;
        let added = bytes.len() as u64;
        if self.size() + added > limits.max_value_size {
            return Err(PutError::ValueTooLarge(limits.max_value_size));
        }
        self.room.take(added)?;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PART { self.flush().await } else { Ok(()) }
    }

    /// Makes the value durable, then visible. Once begun it goes on to its end, even if nobody waits for it any more.
    pub async fn commit(self) -> Result<Meta, PutError> {
        unless_dropped(self.complete(), PutError::Aborted).await
    }

    async fn complete(mut self) -> Result<Meta, PutError> {
        self.flush().await?;
        let Self { shared, mut target, version, header, mut room, .. } = self;
        let mut meta = header.meta(version, room.bytes - Header::SIZE, shared.limits.ttl);
        shared.index.hold(&meta);
        room.bytes = 0;
        if let Err(error) = in_time(target.complete()).await {
            // It may be there all the same, or come to be.
            shared.give_up(&[&meta]);
            return Err(error.into());
        }
        loop {
            if meta.has_expired() {
                shared.give_up(&[&meta]);
                return Err(PutError::TooSlow);
            }
            match shared.index.settle(&meta) {
                Ok(older) => {
                    if let Some(older) = older {
                        shared.discard_replaced(older).await;
                    }
                    return Ok(meta);
                }
                // Somebody has begun and ended meanwhile. What ends last is what stays.
                Err(Outdated) => meta = shared.renew(meta).await?,
            }
        }
    }

    fn size(&self) -> u64 {
        self.room.bytes - Header::SIZE
    }

    async fn flush(&mut self) -> Result<(), PutError> {
        let part = self.buffer.split().freeze();
        Ok(in_time(self.target.put_part(part.into())).await?)
    }
}
