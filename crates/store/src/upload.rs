//! One upload: bytes in, a version out.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, ObjectStoreExt};
use uuid::Uuid;

use crate::{
    Shared,
    header::{ContentType, Header, Meta},
    in_time,
    index::Full,
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

impl Upload {
    pub(crate) async fn start(space: &Space, key: Key, content_type: ContentType) -> Result<Self, PutError> {
        let Space { shared, name, quota } = space.clone();
        let version = shared.index.next_version();
        let mut room = Room { shared: Arc::clone(&shared), space: name.clone(), quota, bytes: 0 };
        room.take(Header::SIZE)?;
        let target = in_time(shared.objects.put_multipart(&object_path(version))).await?;
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
        in_time(self.target.complete()).await?;
        let size = self.size();
        let meta = self.header.meta(self.version, size, self.shared.limits.ttl);
        // The room is the value's now.
        self.room.bytes = 0;
        if let Some(older) = self.shared.index.insert(meta.clone()) {
            self.shared.discard_replaced(older).await;
        }
        Ok(meta)
    }

    fn size(&self) -> u64 {
        self.room.bytes - Header::SIZE
    }

    async fn flush(&mut self) -> Result<(), PutError> {
        let part = self.buffer.split().freeze();
        Ok(in_time(self.target.put_part(part.into())).await?)
    }
}
