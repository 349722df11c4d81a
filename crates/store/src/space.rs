//! One tenant's part of the store.

use std::{fmt, io, ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{GetOptions, ObjectStore};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    DeleteError, ReadError, Shared, Value,
    disk::{disk_error, in_time},
    header::{ContentType, Header, Meta},
    key::Key,
    object_path, unless_dropped,
    upload::{PutError, Upload},
};

/// Names a space: 1 to 64 characters of `A-Z a-z 0-9 . _ -`, the first a letter or digit. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpaceName(Arc<str>);

/// Not the name of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a space's name is 1 to 64 characters of A-Z a-z 0-9 . _ -, and begins with a letter or digit")]
pub struct InvalidSpaceName;

impl SpaceName {
    /// What a header has room for.
    pub(crate) const LONGEST: usize = 64;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where everything is that was stored before there were spaces.
impl Default for SpaceName {
    fn default() -> Self {
        Self("default".into())
    }
}

impl TryFrom<&str> for SpaceName {
    type Error = InvalidSpaceName;

    fn try_from(name: &str) -> Result<Self, InvalidSpaceName> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let valid = (1..=Self::LONGEST).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(allowed);
        if valid { Ok(Self(name.into())) } else { Err(InvalidSpaceName) }
    }
}

impl TryFrom<String> for SpaceName {
    type Error = InvalidSpaceName;

    fn try_from(name: String) -> Result<Self, InvalidSpaceName> {
        Self::try_from(name.as_str())
    }
}

impl From<SpaceName> for String {
    fn from(name: SpaceName) -> Self {
        name.as_str().to_owned()
    }
}

/// The values of one tenant, apart from everybody else's: the same key in two spaces names two values. Cheap to clone.
#[derive(Clone)]
pub struct Space {
    pub(crate) shared: Arc<Shared>,
    pub(crate) name: SpaceName,
    /// Bytes of all values of the space, counted as [`crate::StoreLimits::data_limit`] counts.
    pub(crate) quota: Option<u64>,
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space").field("name", &self.name).field("quota", &self.quota).finish_non_exhaustive()
    }
}

impl Space {
    /// Starts an upload. Nothing is visible before [`Upload::commit`]; dropping it leaves nothing.
    pub async fn upload(&self, key: Key, content_type: ContentType) -> Result<Upload, PutError> {
        Upload::start(self, key, content_type).await
    }

    /// What is stored under a key, unless it has expired.
    pub fn meta(&self, key: &Key) -> Option<Meta> {
        self.shared.index.get(&self.name, key).filter(|meta| !meta.has_expired())
    }

    /// Opens the part of a value that `choose` picks once it has seen what the value is; no value: `Ok(None)`.
    ///
    /// `choose` may be called again if the value is replaced in between. Its range must lie within the value's size.
    pub async fn read(
        &self,
        key: &Key,
        choose: impl Fn(&Meta) -> Range<u64>,
    ) -> Result<Option<Value>, ReadError> {
        loop {
            let Some(meta) = self.meta(key) else { return Ok(None) };
            let range = choose(&meta);
            let bytes = Header::SIZE + range.start..Header::SIZE + range.end;
            if bytes.is_empty() {
                return Ok(Some(Value { meta, range, stream: stream::empty().boxed() }));
            }
            let reader = Reader::of(&self.shared, &meta);
            let options = GetOptions { range: Some(bytes.into()), ..Default::default() };
            match in_time(self.shared.objects.get_opts(&object_path(meta.version), options)).await {
                Ok(opened) => {
                    let stream = whole(opened.into_stream(), range.end - range.start, reader).boxed();
                    return Ok(Some(Value { meta, range, stream }));
                }
                // Deleted since the look-up, or replaced: look again.
                Err(object_store::Error::NotFound { .. }) => {
                    self.shared.must_be_there().await.map_err(ReadError)?;
                    self.shared.index.remove(&meta);
                    self.shared.index.release_version(meta.version);
                }
                Err(error) => return Err(ReadError(error)),
            }
        }
    }

    /// What is stored in this space and not expired, ordered by key: at most so many values, of those behind `after`.
    pub fn page(&self, after: Option<&str>, most: usize) -> Vec<Meta> {
        self.shared.index.page(&self.name, after, most)
    }

    /// Deletes a value. False if there is none. Once begun it goes on to its end, even if nobody waits for it any more.
    pub async fn delete(&self, key: &Key) -> Result<bool, DeleteError> {
        let (space, key) = (self.clone(), key.clone());
        let work = async move {
            // Else at the next start one of these would be back.
            space.shared.discard_stuck(|meta| meta.space == space.name && meta.key == key).await?;
            let Some(meta) = space.meta(&key) else { return Ok(false) };
            space.shared.delete(&meta).await.map(|()| true)
        };
        unless_dropped(work, DeleteError::Aborted).await
    }

    /// Deletes every value of this space there is now, as [`Space::delete`] does. One that cannot be deleted does not save
    /// the others.
    pub async fn clear(&self) -> Result<(), DeleteError> {
        let (space, all) = (self.clone(), self.shared.index.all(&self.name));
        let work = async move {
            let stuck = space.shared.discard_stuck(|meta| meta.space == space.name).await;
            space.shared.delete_all(all).await.and(stuck)
        };
        unless_dropped(work, DeleteError::Aborted).await
    }
}

/// So many bytes, which are not none, or an error: a file that has lost its end gives empty pieces without end. The file and
/// `reader` are let go with the last byte, not when somebody asks for more.
fn whole(
    pieces: BoxStream<'static, object_store::Result<Bytes>>,
    size: u64,
    reader: Reader,
) -> impl Stream<Item = Result<Bytes, ReadError>> {
    stream::try_unfold(Some((pieces, size, reader)), async |to_come| {
        let Some((mut pieces, left, reader)) = to_come else { return Ok(None) };
        let piece = in_time(pieces.try_next()).await.map_err(ReadError)?.unwrap_or_default();
        if piece.is_empty() {
            return Err(ReadError(disk_error(io::Error::other("the file ends before its value"))));
        }
        let left = left.saturating_sub(piece.len() as u64);
        Ok(Some((piece, (left > 0).then_some((pieces, left, reader)))))
    })
}

/// Whoever has a version open: it counts until this is dropped.
struct Reader {
    shared: Arc<Shared>,
    version: Uuid,
}

impl Reader {
    fn of(shared: &Arc<Shared>, meta: &Meta) -> Self {
        shared.index.open(meta.version);
        Self { shared: Arc::clone(shared), version: meta.version }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.index.close(self.version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_plain_and_begins_with_a_letter_or_digit() {
        for name in ["a", "team-7", "A.b_c", &"x".repeat(64)] {
            assert_eq!(SpaceName::try_from(name).unwrap().as_str(), name);
        }
        for name in ["", ".", "..", "-a", "a b", "a/b", "ä", "(service)", &"x".repeat(65)] {
            assert_eq!(SpaceName::try_from(name), Err(InvalidSpaceName), "{name}");
        }
    }
}
