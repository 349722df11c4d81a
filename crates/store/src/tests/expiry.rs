//! Values that are gone by themselves after a time.

use std::time::Duration;

use super::*;

async fn open_with(folder: &TempDir, ttl: Option<Duration>) -> (Store, Space) {
    let store = Store::open(folder.path(), StoreLimits { ttl, ..LIMITS }).await.unwrap();
    let space = store.space(SpaceName::default(), None);
    (store, space)
}

#[tokio::test]
async fn an_expired_value_is_gone_for_readers_at_once_and_from_the_disk_with_the_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let ttl = Duration::from_millis(600);
    let (store, space) = open_with(&folder, Some(ttl)).await;
    let early = put(&space, "a", &[1; 2_000_000]).await.unwrap();
    assert_eq!(early.expires_at.unwrap() - early.created_at, chrono::TimeDelta::from_std(ttl).unwrap());
    let opened = space.read(&key("a"), |meta| 0..meta.size).await.unwrap().unwrap();
    assert_eq!(store.sweep().await.unwrap(), 0);
    tokio::time::sleep(Duration::from_millis(400)).await;
    put(&space, "b", b"later").await.unwrap();
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert!(get(&space, "a").await.is_none() && space.meta(&key("a")).is_none());
    assert!(!space.delete(&key("a")).await.unwrap());
    let listed: Vec<_> = all(&space).into_iter().map(|meta| meta.key.to_string()).collect();
    assert_eq!((listed, files(&folder)), (vec!["b".to_owned()], 2));
    assert_eq!((store.sweep().await.unwrap(), files(&folder)), (1, 1));
    // Whoever was reading goes on.
    assert_eq!(opened.stream.try_collect::<Vec<_>>().await.unwrap().concat(), [1; 2_000_000]);
    // Its room has come back.
    put(&space, "c", &vec![0; 3 << 20]).await.unwrap();
    put(&space, "d", &vec![0; 3 << 20]).await.unwrap();
}

#[tokio::test]
async fn an_upload_that_takes_longer_than_its_value_would_be_kept_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (store, space) = open_with(&folder, Some(Duration::from_millis(100))).await;
    let upload = space.upload(key("a"), ContentType::try_from("a/b".to_owned()).unwrap()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert!(matches!(upload.commit().await, Err(PutError::TooSlow)));
    until(|| (store.usage().bytes, files(&folder)) == (0, 0)).await;
}

#[tokio::test]
async fn an_expired_value_can_be_replaced_and_the_new_one_lives_its_own_time() {
    let folder = tempfile::tempdir().unwrap();
    let (store, space) = open_with(&folder, Some(Duration::from_millis(100))).await;
    put(&space, "a", b"old").await.unwrap();
    tokio::time::sleep(Duration::from_millis(120)).await;
    put(&space, "a", b"new").await.unwrap();
    assert_eq!(get(&space, "a").await.unwrap(), b"new");
    assert_eq!((store.sweep().await.unwrap(), files(&folder)), (0, 1));
}

#[tokio::test]
async fn a_changed_time_to_live_holds_for_what_is_there_already_and_the_start_sweeps() {
    let folder = tempfile::tempdir().unwrap();
    let (store, space) = open_with(&folder, None).await;
    let created = put(&space, "a", b"x").await.unwrap().created_at;
    assert_eq!(space.meta(&key("a")).unwrap().expires_at, None);
    drop((store, space));
    let (store, space) = open_with(&folder, Some(Duration::from_secs(3600))).await;
    assert_eq!(space.meta(&key("a")).unwrap().expires_at, Some(created + chrono::TimeDelta::hours(1)));
    drop((store, space));
    // A time beyond all dates is none.
    let (store, space) = open_with(&folder, Some(Duration::from_secs(u64::MAX))).await;
    assert_eq!(space.meta(&key("a")).unwrap().expires_at, None);
    drop((store, space));
    let (_store, space) = open_with(&folder, Some(Duration::from_millis(1))).await;
    assert_eq!((all(&space).len(), files(&folder)), (0, 0));
}
