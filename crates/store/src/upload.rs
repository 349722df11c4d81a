//! One upload: bytes in, a version out.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, ObjectStoreExt};
use uuid::Uuid;

use crate::{
    Shared,
    header::{ContentType, Header, Meta},
    key::Key,
    object_path,
};

/// Written to disk at a time.
const PART: usize = 1 << 20;

/// An upload under way. Dropping it gives its room back and leaves nothing on disk.
pub struct Upload {
    shared: Arc<Shared>,
    target: Box<dyn MultipartUpload>,
    version: Uuid,
    /// None once committed.
    header: Option<Header>,
    buffer: BytesMut,
    size: u64,
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
    /// The disk has no room left.
    #[error("the data disk is full")]
    DiskFull,
    /// The disk does not do what is asked.
    #[error("the value could not be written")]
    Write(#[source] object_store::Error),
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
    pub(crate) async fn start(
        shared: Arc<Shared>,
        key: Key,
        content_type: ContentType,
    ) -> Result<Self, PutError> {
        let version = Uuid::now_v7();
        let target = shared.objects.put_multipart(&object_path(version)).await?;
        let header = Header::new(key, content_type);
        let buffer = BytesMut::from(&header.encode()[..]);
        Ok(Self { shared, target, version, header: Some(header), buffer, size: 0 })
    }

    /// Takes the next bytes of the value; fails as soon as they are too many.
    pub async fn write(&mut self, bytes: &Bytes) -> Result<(), PutError> {
        let limits = &self.shared.limits;
        let added = bytes.len() as u64;
        if self.size + added > limits.max_value_size {
            return Err(PutError::ValueTooLarge(limits.max_value_size));
        }
        if !self.shared.index.reserve(added) {
            return Err(PutError::StoreFull(limits.data_limit));
        }
        self.size += added;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PART { self.flush().await } else { Ok(()) }
    }

    /// Makes the value durable, then visible.
    pub async fn commit(mut self) -> Result<Meta, PutError> {
        self.flush().await?;
        self.target.complete().await?;
        let Some(header) = self.header.take() else { unreachable!("commit consumes the upload") };
        let meta = header.meta(self.version, self.size);
        if let Some(older) = self.shared.index.insert(meta.clone()) {
            self.shared.discard(older).await;
        }
        Ok(meta)
    }

    async fn flush(&mut self) -> Result<(), PutError> {
        let part = self.buffer.split().freeze();
        Ok(self.target.put_part(part.into()).await?)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.header.is_some() {
            self.shared.index.release(self.size);
        }
    }
}
