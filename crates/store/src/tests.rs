use std::{
    fs,
    future::ready,
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::TryStreamExt;
use nix::{libc, sys::stat::Mode, unistd::mkfifo};
use tempfile::TempDir;

use crate::{
    ContentType, Key, Meta, OpenError, PutError, Space, SpaceName, Store, StoreLimits, header::Header,
};

mod expiry;
mod spaces;

const LIMITS: StoreLimits = StoreLimits { max_value_size: 3 << 20, data_limit: 8 << 20, ttl: None };

fn key(text: &str) -> Key {
    Key::try_from(text.to_owned()).unwrap()
}

/// The space of everybody, which keeps the store open.
async fn open(folder: &Path) -> Space {
    Store::open(folder, LIMITS).await.unwrap().space(SpaceName::default(), None)
}

async fn put(store: &Space, name: &str, value: &[u8]) -> Result<Meta, PutError> {
    let mut upload = store.upload(key(name), ContentType::try_from("text/plain".to_owned()).unwrap()).await?;
    for chunk in value.chunks(100_000) {
        upload.write(&Bytes::copy_from_slice(chunk)).await?;
    }
    upload.commit().await
}

async fn get(store: &Space, name: &str) -> Option<Vec<u8>> {
    let value = store.read(&key(name), |meta| 0..meta.size).await.unwrap()?;
    Some(value.stream.try_collect::<Vec<_>>().await.unwrap().concat())
}

fn all(store: &Space) -> Vec<Meta> {
    store.page(None, usize::MAX)
}

fn files(folder: &TempDir) -> usize {
    fs::read_dir(folder.path().join("objects")).unwrap().count()
}

/// The file of the upload that is under way.
fn staged(folder: &TempDir) -> PathBuf {
    let objects = fs::read_dir(folder.path().join("objects")).unwrap();
    let mut paths = objects.map(|entry| entry.unwrap().path());
    paths.find(|path| path.to_str().unwrap().contains('#')).unwrap()
}

/// What goes on by itself comes to this.
async fn until(condition: impl Fn() -> bool) {
    for _ in 0..100 {
        if condition() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("never");
}

#[tokio::test]
async fn a_value_comes_back_as_it_was_whole_or_in_part_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let value: Vec<u8> = (0..2_500_000_u32).map(|n| n.to_le_bytes()[n as usize % 4]).collect();
    let store = open(folder.path()).await;
    put(&store, "a", &value).await.unwrap();
    put(&store, "empty", b"").await.unwrap();
    drop(store);
    let store = open(folder.path()).await;
    assert_eq!(get(&store, "a").await.unwrap(), value);
    assert_eq!(get(&store, "empty").await.unwrap(), b"");
    let part = store.read(&key("a"), |_| 1_000_000..1_000_003).await.unwrap().unwrap();
    assert_eq!(part.stream.try_collect::<Vec<_>>().await.unwrap().concat(), value[1_000_000..1_000_003]);
    let listed: Vec<_> = all(&store).into_iter().map(|meta| (meta.key.to_string(), meta.size)).collect();
    assert_eq!(listed, [("a".to_owned(), 2_500_000), ("empty".to_owned(), 0)]);
    assert_eq!(store.meta(&key("a")).unwrap().content_type.as_str(), "text/plain");
}

#[tokio::test]
async fn replacing_deleting_and_clearing_leave_no_file_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    for n in 0..5 {
        put(&store, "a", &[n; 10]).await.unwrap();
        put(&store, "b", &[n; 10]).await.unwrap();
    }
    assert_eq!((get(&store, "a").await.unwrap(), files(&folder)), (vec![4; 10], 2));
    assert!(store.delete(&key("a")).await.unwrap() && !store.delete(&key("a")).await.unwrap());
    assert_eq!((get(&store, "a").await, files(&folder)), (None, 1));
    store.clear().await.unwrap();
    assert_eq!((all(&store).len(), files(&folder)), (0, 0));
}

#[tokio::test]
async fn what_the_disk_does_not_let_go_when_it_is_replaced_is_deleted_later_and_never_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let space = open(folder.path()).await;
    let older =
        folder.path().join("objects").join(put(&space, "a", b"older").await.unwrap().version.to_string());
    // A folder where the file was: it cannot be deleted as one.
    fs::remove_file(&older).unwrap();
    fs::create_dir(&older).unwrap();
    put(&space, "a", b"newer").await.unwrap();
    let store = Store { shared: Arc::clone(&space.shared) };
    let taken =
        |values: [&[u8]; 2]| values.iter().map(|value| Header::SIZE + value.len() as u64).sum::<u64>();
    assert_eq!(store.usage().bytes, taken([b"older", b"newer"]));
    assert!(store.sweep().await.is_err());
    assert!(space.delete(&key("a")).await.is_err(), "at the next start the older value would be back");
    assert_eq!(get(&space, "a").await.unwrap(), b"newer");
    fs::remove_dir(&older).unwrap();
    fs::write(&older, b"").unwrap();
    assert_eq!(store.sweep().await.unwrap(), 0);
    assert_eq!((store.usage().bytes, older.exists()), (Header::SIZE + 5, false));
    assert!(space.delete(&key("a")).await.unwrap());
}

#[tokio::test]
async fn an_upload_that_the_disk_fails_at_its_end_is_not_there_and_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let space = open(folder.path()).await;
    let store = Store { shared: Arc::clone(&space.shared) };
    let begin = async || {
        let content_type = ContentType::try_from("a/b".to_owned()).unwrap();
        let mut upload = space.upload(key("a"), content_type).await.unwrap();
        upload.write(&Bytes::from_static(b"new")).await.unwrap();
        upload
    };
    put(&space, "a", b"old").await.unwrap();
    // Nothing can be renamed to what is a folder, nor can it be deleted as a file.
    let upload = begin().await;
    let object = PathBuf::from(staged(&folder).to_str().unwrap().split_once('#').unwrap().0);
    fs::create_dir(&object).unwrap();
    assert!(matches!(upload.commit().await, Err(PutError::Write(_))));
    until(|| files(&folder) == 2).await;
    assert_eq!(get(&space, "a").await.unwrap(), b"old");
    let both = 2 * (Header::SIZE + 3);
    assert_eq!(store.usage().bytes, both, "what may be there counts");
    assert!(space.delete(&key("a")).await.is_err() && space.clear().await.is_err());
    // The disk had made it visible after all.
    fs::remove_dir(&object).unwrap();
    fs::write(&object, b"").unwrap();
    assert!(!space.delete(&key("a")).await.unwrap(), "clearing has deleted what could be");
    assert_eq!((store.usage().bytes, files(&folder)), (0, 0));
    // The disk has lost it.
    let upload = begin().await;
    fs::remove_file(staged(&folder)).unwrap();
    assert!(matches!(upload.commit().await, Err(PutError::Write(_))));
    until(|| (store.usage().bytes, files(&folder)) == (0, 0)).await;
}

#[tokio::test]
async fn room_comes_back_once_however_a_file_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let space = open(folder.path()).await;
    let store = Store { shared: Arc::clone(&space.shared) };
    for read_first in [false, true] {
        let version = put(&space, "a", b"1").await.unwrap().version;
        let kept = put(&space, "b", b"2").await.unwrap().size + Header::SIZE;
        fs::remove_file(folder.path().join("objects").join(version.to_string())).unwrap();
        if read_first {
            assert_eq!(get(&space, "a").await, None);
        }
        assert_eq!(space.delete(&key("a")).await.unwrap(), !read_first);
        assert_eq!(store.usage().bytes, kept);
    }
}

#[tokio::test]
async fn a_reader_keeps_what_it_opened_while_it_is_replaced_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    put(&store, "a", &[1; 2_000_000]).await.unwrap();
    let value = store.read(&key("a"), |meta| 0..meta.size).await.unwrap().unwrap();
    put(&store, "a", &[2; 10]).await.unwrap();
    store.delete(&key("a")).await.unwrap();
    assert_eq!(value.stream.try_collect::<Vec<_>>().await.unwrap().concat(), [1; 2_000_000]);
}

#[tokio::test]
async fn a_value_whose_file_has_lost_its_end_is_an_error_when_it_comes_to_that() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let version = put(&store, "a", &[1; 100_000]).await.unwrap().version;
    let value = store.read(&key("a"), |meta| 0..meta.size).await.unwrap().unwrap();
    let part = store.read(&key("a"), |_| 0..10).await.unwrap().unwrap();
    let file = fs::File::options().write(true).open(folder.path().join("objects").join(version.to_string()));
    file.unwrap().set_len(60_000).unwrap();
    let mut read = 0;
    let count = value.stream.try_for_each(|piece| {
        read += piece.len();
        ready(Ok(()))
    });
    let error = count.await.unwrap_err();
    assert!(error.0.to_string().contains("the file ends before its value"), "{}", error.0);
    assert!((50_000..60_000).contains(&read), "{read}");
    assert_eq!(part.stream.try_collect::<Vec<_>>().await.unwrap().concat(), [1; 10]);
}

#[tokio::test]
async fn a_disk_that_hangs_is_told_and_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let version = put(&store, "a", b"1").await.unwrap().version;
    // Whoever opens it waits until somebody writes.
    let object = folder.path().join("objects").join(version.to_string());
    fs::remove_file(&object).unwrap();
    mkfifo(&object, Mode::S_IRWXU).unwrap();
    let error = store.read(&key("a"), |meta| 0..meta.size).await.err().unwrap();
    assert!(error.to_string().contains("the disk has not answered within 0.5 s"), "{error}");
    // Fails unless it is being waited for, and ends that.
    let nonblocking = fs::OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&object);
    nonblocking.unwrap();
}

#[tokio::test]
async fn of_many_uploads_at_once_one_is_there_whole_and_still_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let uploads = (0..50_u8).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { put(&store, "a", &vec![n; 10_000 + n as usize]).await.unwrap() })
    });
    for upload in futures_util::future::join_all(uploads).await {
        upload.unwrap();
    }
    let value = get(&store, "a").await.unwrap();
    assert_eq!(value, vec![value[0]; 10_000 + value[0] as usize]);
    assert_eq!(files(&folder), 1);
    drop(store);
    assert_eq!(get(&open(folder.path()).await, "a").await.unwrap(), value);
}

#[tokio::test]
async fn of_two_uploads_at_once_the_one_that_ends_last_stays_and_still_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let begin = async |value: &'static [u8]| {
        let mut upload =
            store.upload(key("a"), ContentType::try_from("a/b".to_owned()).unwrap()).await.unwrap();
        upload.write(&Bytes::from_static(value)).await.unwrap();
        upload
    };
    let (first, second, third) = (begin(b"first").await, begin(b"second").await, begin(b"third").await);
    let version = third.commit().await.unwrap().version;
    assert!(first.commit().await.unwrap().version > version);
    assert_eq!((get(&store, "a").await.unwrap(), files(&folder)), (b"first".to_vec(), 2));
    second.commit().await.unwrap();
    let used = Store { shared: Arc::clone(&store.shared) }.usage().bytes;
    assert_eq!((used, files(&folder)), (Header::SIZE + 6, 1));
    drop(store);
    assert_eq!(get(&open(folder.path()).await, "a").await.unwrap(), b"second");
}

#[tokio::test]
async fn an_upload_over_a_limit_is_refused_and_gives_its_room_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let large = vec![0; 3 << 20];
    assert!(matches!(put(&store, "a", &vec![0; (3 << 20) + 1]).await, Err(PutError::ValueTooLarge(_))));
    put(&store, "a", &large).await.unwrap();
    put(&store, "b", &large).await.unwrap();
    for _ in 0..3 {
        assert!(matches!(put(&store, "c", &large).await, Err(PutError::StoreFull(_))));
    }
    // Replacing needs room for both versions.
    assert!(matches!(put(&store, "a", &large).await, Err(PutError::StoreFull(_))));
    assert_eq!(get(&store, "a").await.unwrap(), large);
    store.delete(&key("b")).await.unwrap();
    put(&store, "a", &large).await.unwrap();
    put(&store, "c", &large).await.unwrap();
}

#[tokio::test]
async fn an_upload_that_is_dropped_is_never_visible_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    put(&store, "a", b"old").await.unwrap();
    let content_type = ContentType::try_from("a/b".to_owned()).unwrap();
    let mut upload = store.upload(key("a"), content_type).await.unwrap();
    upload.write(&vec![0; 2 << 20].into()).await.unwrap();
    assert_eq!(get(&store, "a").await.unwrap(), b"old");
    drop(upload);
    assert_eq!(get(&store, "a").await.unwrap(), b"old");
    for _ in 0..100 {
        if files(&folder) == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the staged file is still there");
}

#[tokio::test]
async fn what_a_crash_left_is_swept_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    put(&store, "a", b"old").await.unwrap();
    let objects = folder.path().join("objects");
    let old = fs::read_dir(&objects).unwrap().next().unwrap().unwrap().path();
    let kept = fs::read(&old).unwrap();
    put(&store, "a", b"new").await.unwrap();
    drop(store);
    // Killed in an upload; killed before the replaced version was deleted.
    fs::write(objects.join(format!("{}#1", uuid::Uuid::now_v7())), b"half").unwrap();
    fs::write(&old, kept).unwrap();
    let store = open(folder.path()).await;
    assert_eq!((get(&store, "a").await.unwrap(), files(&folder)), (b"new".to_vec(), 1));
}

#[tokio::test]
async fn what_is_not_ours_or_of_another_version_is_never_deleted() {
    let mut later =
        br#"{"format":3,"space":"s","key":"k","content_type":"a/b","created_at":"2026-11-23T00:57:44Z"}"#
            .to_vec();
    later.resize(2_000, b' ');
    for (name, content) in
        [("stranger", &b"x"[..]), ("01a205e8-ac83-7057-8c3a-060ce2d08c42", &later), ("a#1", b"x")]
    {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()).await);
        let path = folder.path().join("objects").join(name);
        fs::write(&path, content).unwrap();
        let checked = Store::check(folder.path()).await;
        let opened = Store::open(folder.path(), LIMITS).await;
        assert_eq!(format!("{:?}", checked.err()), format!("{:?}", opened.as_ref().err()));
        // Names with a '#' are hidden by object_store, and in nobody's way.
        assert!(opened.is_ok() == name.contains('#') && path.exists(), "{name}");
    }
}

#[tokio::test]
async fn a_version_behind_which_there_is_none_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let version = put(&store, "a", b"1").await.unwrap().version;
    drop(store);
    let objects = folder.path().join("objects");
    let last = objects.join(uuid::Uuid::max().to_string());
    fs::rename(objects.join(version.to_string()), &last).unwrap();
    let refused = Store::open(folder.path(), LIMITS).await;
    assert!(matches!(refused, Err(OpenError::Foreign(path)) if path == last));
}

#[tokio::test]
async fn what_is_no_file_among_the_values_is_no_value_that_is_missing_in_silence() {
    let makes: [fn(&Path); 3] = [
        |path| fs::create_dir(path).unwrap(),
        |path| mkfifo(path, Mode::S_IRWXU).unwrap(),
        |path| symlink("nowhere", path).unwrap(),
    ];
    for make in makes {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).await;
        let version = put(&store, "a", b"1").await.unwrap().version;
        drop(store);
        let object = folder.path().join("objects").join(version.to_string());
        fs::remove_file(&object).unwrap();
        make(&object);
        for refused in [Store::check(folder.path()).await, Store::open(folder.path(), LIMITS).await.map(drop)]
        {
            assert!(matches!(refused, Err(OpenError::Foreign(path)) if path == object));
        }
    }
}

#[tokio::test]
async fn a_folder_that_is_taken_away_is_an_error_and_its_values_are_there_when_it_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    put(&store, "a", b"1").await.unwrap();
    let (objects, away) = (folder.path().join("objects"), folder.path().join("away"));
    for another in [false, true] {
        fs::rename(&objects, &away).unwrap();
        if another {
            fs::create_dir(&objects).unwrap();
        }
        assert!(store.read(&key("a"), |meta| 0..meta.size).await.is_err());
        assert!(matches!(put(&store, "b", b"2").await, Err(PutError::Write(_))));
        assert!(store.delete(&key("a")).await.is_err() && store.clear().await.is_err());
        if another {
            fs::remove_dir(&objects).unwrap();
        }
        assert!(!objects.exists());
        fs::rename(&away, &objects).unwrap();
        assert_eq!(get(&store, "a").await.unwrap(), b"1");
    }
}

#[tokio::test]
async fn a_folder_that_hangs_is_told_and_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("lock");
    mkfifo(&lock, Mode::S_IRWXU).unwrap();
    let error = Store::open(folder.path(), LIMITS).await.unwrap_err();
    assert!(error.to_string().ends_with("cannot be used: the disk has not answered within 0.5 s"), "{error}");
    // Ends the thread that waits for somebody who reads.
    fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&lock).unwrap();
}

#[tokio::test]
async fn an_upload_wins_over_an_older_one_even_if_the_clock_has_gone_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    put(&store, "a", b"old").await.unwrap();
    drop(store);
    let objects = folder.path().join("objects");
    let old = fs::read_dir(&objects).unwrap().next().unwrap().unwrap().path();
    fs::rename(old, objects.join("ffff05e8-ac83-7057-8c3a-060ce2d08c42")).unwrap();
    let store = open(folder.path()).await;
    put(&store, "a", b"new").await.unwrap();
    assert_eq!(get(&store, "a").await.unwrap(), b"new");
    drop(store);
    assert_eq!(get(&open(folder.path()).await, "a").await.unwrap(), b"new");
}

#[tokio::test]
async fn what_has_begun_goes_on_when_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    for n in 0..20_u8 {
        put(&store, &format!("k{n}"), &[n; 200_000]).await.unwrap();
    }
    // Dropped at its first await.
    assert!(futures_util::FutureExt::now_or_never(store.clear()).is_none());
    for _ in 0..100 {
        if files(&folder) == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!((all(&store).len(), files(&folder)), (0, 0));
    // All the room has come back.
    put(&store, "a", &vec![0; 3 << 20]).await.unwrap();
    put(&store, "b", &vec![0; 3 << 20]).await.unwrap();
}

#[tokio::test]
async fn a_folder_serves_one_store_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    put(&store, "a", b"1").await.unwrap();
    assert!(matches!(Store::open(folder.path(), LIMITS).await, Err(OpenError::InUse(_))));
    Store::check(folder.path()).await.unwrap();
    drop(store);
    open(folder.path()).await;
}
