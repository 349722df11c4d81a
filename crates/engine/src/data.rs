//! Uploaded data for the code that runs: answers what the runner asks on its behalf, a piece at a time.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, stream::BoxStream};
use protocol::message::{Data, DataRequest, Known, Opened, ToRunner};
use store::{Key, Meta, ReadError, Space};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::events::{Event, Observer};

const MISSING: ToRunner = ToRunner::Data(Data::Missing);
/// Bytes of a value in one frame.
const CHUNK: usize = 256 << 10;
/// Keys in one answer: of the longest ones a quarter of what the frame may have.
const PAGE: usize = 1000;

/// What one execution sees of uploaded data. Memory: one piece of one value.
pub(crate) struct DataDesk {
    id: Uuid,
    space: Option<Space>,
    observer: Arc<dyn Observer>,
    open: Option<BoxStream<'static, Result<Bytes, ReadError>>>,
    /// Read already, and not yet asked for.
    ahead: Bytes,
}

impl std::fmt::Debug for DataDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataDesk").field("id", &self.id).finish_non_exhaustive()
    }
}

impl DataDesk {
    /// Without a space there is no data.
    pub(crate) fn new(id: Uuid, space: Option<Space>, observer: Arc<dyn Observer>) -> Self {
        Self { id, space, observer, open: None, ahead: Bytes::new() }
    }

    /// None once the time of the code is up: nobody needs it any more.
    pub(crate) async fn answer(&mut self, request: DataRequest, time_up: Instant) -> Option<ToRunner> {
        let asked = Instant::now();
        let answer = async {
            match request {
                DataRequest::Find { key } => Ok(self.find(key)),
                DataRequest::Open { key } => self.open(key).await,
                DataRequest::Read => self.read().await.map(ToRunner::DataChunk),
                DataRequest::List { after } => Ok(ToRunner::Data(self.list(after.as_deref()))),
            }
        };
        match timeout_at(time_up, answer).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                self.close();
                self.observer.observe(&Event::DataUnreadable { id: self.id, error: &error });
                Some(ToRunner::Data(Data::Unreadable))
            }
            Err(_) => {
                self.close();
                self.observer.observe(&Event::DataLate { id: self.id, waited: asked.elapsed() });
                None
            }
        }
    }

    fn find(&self, key: String) -> ToRunner {
        // What is no key has no value.
        let (Some(space), Ok(key)) = (&self.space, Key::try_from(key)) else { return MISSING };
        space.meta(&key).map_or(MISSING, |meta| ToRunner::Data(Data::Value(known(&meta))))
    }

    async fn open(&mut self, key: String) -> Result<ToRunner, ReadError> {
        self.close();
        let (Some(space), Ok(key)) = (&self.space, Key::try_from(key)) else { return Ok(MISSING) };
        let Some(value) = space.read(&key, |meta| 0..meta.size).await? else { return Ok(MISSING) };
        self.open = Some(value.stream);
        Ok(ToRunner::DataOpened(Opened { known: known(&value.meta), start: self.read().await? }))
    }

    fn close(&mut self) {
        self.open = None;
        self.ahead = Bytes::new();
    }

    async fn read(&mut self) -> Result<Bytes, ReadError> {
        let mut chunk = BytesMut::from(std::mem::take(&mut self.ahead));
        while chunk.len() < CHUNK
            && let Some(stream) = &mut self.open
        {
            match stream.try_next().await? {
                Some(bytes) => chunk.extend_from_slice(&bytes),
                None => self.open = None,
            }
        }
        let piece = chunk.split_to(chunk.len().min(CHUNK)).freeze();
        self.ahead = chunk.freeze();
        Ok(piece)
    }

    fn list(&self, after: Option<&str>) -> Data {
        let page = self.space.as_ref().map(|space| space.page(after, PAGE + 1)).unwrap_or_default();
        let keys = page.iter().take(PAGE).map(|meta| meta.key.as_str().to_owned()).collect();
        Data::Keys { keys, more: page.len() > PAGE }
    }
}

fn known(meta: &Meta) -> Known {
    Known { content_type: meta.content_type.as_str().to_owned(), size: meta.size }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use store::{ContentType, PutError, SpaceName, Store, StoreLimits};

    use super::*;

    /// Bytes of all values, and of one.
    const LIMIT: usize = 8 << 20;

    async fn with_desk(values: &[(&str, &[u8])], test: impl AsyncFnOnce(&mut DataDesk, &Space)) {
        let folder = tempfile::tempdir().unwrap();
        let space = space_in(folder.path()).await;
        for (key, content) in values {
            put(&space, key, content).await;
        }
        let mut desk = DataDesk::new(Uuid::nil(), Some(space.clone()), Arc::new(()));
        test(&mut desk, &space).await;
    }

    async fn space_in(folder: &Path) -> Space {
        let limits = StoreLimits { max_value_size: LIMIT as u64, data_limit: LIMIT as u64, ttl: None };
        Store::open(folder, limits).await.unwrap().space(SpaceName::default(), None)
    }

    async fn put(space: &Space, key: &str, content: &[u8]) -> Meta {
        try_put(space, key, content).await.unwrap()
    }

    async fn try_put(space: &Space, key: &str, content: &[u8]) -> Result<Meta, PutError> {
        let key = Key::try_from(key.to_owned()).unwrap();
        let content_type = ContentType::try_from("text/csv".to_owned()).unwrap();
        let mut upload = space.upload(key, content_type).await?;
        upload.write(&Bytes::copy_from_slice(content)).await?;
        upload.commit().await
    }

    async fn ask(desk: &mut DataDesk, request: DataRequest) -> ToRunner {
        desk.answer(request, Instant::now() + Duration::from_secs(60)).await.unwrap()
    }

    /// What it is, and its first bytes.
    async fn open(desk: &mut DataDesk, key: &str) -> Option<(Known, Bytes)> {
        match ask(desk, DataRequest::Open { key: key.to_owned() }).await {
            ToRunner::DataOpened(Opened { known, start }) => Some((known, start)),
            missing => {
                assert_eq!(missing, MISSING);
                None
            }
        }
    }

    async fn read_all(desk: &mut DataDesk, start: Bytes) -> Vec<Bytes> {
        let mut pieces = vec![start];
        loop {
            match ask(desk, DataRequest::Read).await {
                ToRunner::DataChunk(piece) if piece.is_empty() => return pieces,
                ToRunner::DataChunk(piece) => pieces.push(piece),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_value_comes_whole_in_pieces_of_bounded_size_even_if_it_is_replaced_and_cleared_meanwhile() {
        let content: Vec<u8> = (0..700_001_u32).map(|n| (n % 251) as u8).collect();
        with_desk(&[("a", &content)], async |desk, space| {
            let size = content.len() as u64;
            let known = Known { content_type: "text/csv".to_owned(), size };
            let find = DataRequest::Find { key: "a".to_owned() };
            assert_eq!(ask(desk, find).await, ToRunner::Data(Data::Value(known.clone())));
            let (opened, start) = open(desk, "a").await.unwrap();
            assert_eq!(opened, known);
            put(space, "a", b"other").await;
            space.clear().await.unwrap();
            let pieces = read_all(desk, start).await;
            assert!(pieces.len() == 3 && pieces.iter().all(|piece| piece.len() <= CHUNK));
            assert!(pieces.concat() == content);
            assert_eq!(open(desk, "a").await, None);
            assert_eq!(ask(desk, DataRequest::Read).await, ToRunner::DataChunk(Bytes::new()));
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_no_key_is_missing_and_opening_another_value_ends_the_first() {
        with_desk(&[("b", b"22")], async |desk, space| {
            for key in ["", "..", "x/y", "c", &"k".repeat(300)] {
                let request = DataRequest::Find { key: key.to_owned() };
                assert_eq!(ask(desk, request).await, MISSING);
            }
            let big = vec![b'1'; CHUNK + 1];
            put(space, "a", &big).await;
            assert!(open(desk, "a").await.is_some());
            let (_, start) = open(desk, "b").await.unwrap();
            assert_eq!(read_all(desk, start).await.concat(), b"22");
        })
        .await;
    }

    #[tokio::test]
    async fn a_value_is_let_go_with_its_last_byte_and_one_whose_file_has_lost_its_end_is_unreadable() {
        for size in [1, CHUNK, CHUNK + 1] {
            let content = vec![b'1'; size];
            with_desk(&[("a", &content)], async |desk, space| {
                // Together with what is open it would be over the limit of all values.
                let rest = vec![b'1'; LIMIT - 2 * 1024 - size + 1];
                let (known, start) = open(desk, "a").await.unwrap();
                assert_eq!((known.size, start.len()), (size as u64, size.min(CHUNK)));
                assert!(space.delete(&Key::try_from("a".to_owned()).unwrap()).await.unwrap());
                if size > start.len() {
                    assert!(matches!(try_put(space, "b", &rest).await, Err(PutError::StoreFull(_))));
                    ask(desk, DataRequest::Read).await;
                }
                put(space, "b", &rest).await;
            })
            .await;
        }
        let folder = tempfile::tempdir().unwrap();
        let space = space_in(folder.path()).await;
        let version = put(&space, "a", &vec![b'1'; CHUNK * 2]).await.version;
        let mut desk = DataDesk::new(Uuid::nil(), Some(space), Arc::new(()));
        let desk = &mut desk;
        assert!(open(desk, "a").await.is_some());
        let object = folder.path().join("objects").join(version.to_string());
        std::fs::File::options().write(true).open(object).unwrap().set_len(CHUNK as u64).unwrap();
        assert_eq!(ask(desk, DataRequest::Read).await, ToRunner::Data(Data::Unreadable));
        assert!(desk.open.is_none());
    }

    #[tokio::test]
    async fn keys_are_listed_in_order_page_by_page() {
        let names: Vec<String> = (0..PAGE + 5).map(|n| format!("k{n:05}")).collect();
        let values: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"1"[..])).collect();
        with_desk(&values, async |desk, _| {
            let first = ask(desk, DataRequest::List { after: None }).await;
            assert_eq!(first, ToRunner::Data(Data::Keys { keys: names[..PAGE].to_vec(), more: true }));
            let rest = ask(desk, DataRequest::List { after: Some(names[PAGE - 1].clone()) }).await;
            assert_eq!(rest, ToRunner::Data(Data::Keys { keys: names[PAGE..].to_vec(), more: false }));
        })
        .await;
    }
}
