//! What one tenant has is invisible to the others.

use super::*;

fn space(store: &Store, name: &str, quota: Option<u64>) -> Space {
    store.space(SpaceName::try_from(name).unwrap(), quota)
}

async fn store_in(folder: &TempDir) -> Store {
    Store::open(folder.path(), LIMITS).await.unwrap()
}

#[tokio::test]
async fn the_same_key_in_two_spaces_names_two_values_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder).await;
    let (a, b) = (space(&store, "a", None), space(&store, "b", None));
    put(&a, "k", b"of a").await.unwrap();
    assert_eq!((get(&b, "k").await, b.meta(&key("k")).is_none(), all(&b).len()), (None, true, 0));
    assert!(!b.delete(&key("k")).await.unwrap());
    put(&b, "k", b"of b").await.unwrap();
    assert_eq!(files(&folder), 2);
    drop((store, a, b));
    let store = store_in(&folder).await;
    let (a, b) = (space(&store, "a", None), space(&store, "b", None));
    assert_eq!(
        (get(&a, "k").await.unwrap(), get(&b, "k").await.unwrap()),
        (b"of a".to_vec(), b"of b".to_vec())
    );
    assert_eq!((all(&a).len(), all(&b).len()), (1, 1));
}

#[tokio::test]
async fn clearing_and_deleting_touch_ones_own_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder).await;
    let (a, b) = (space(&store, "a", None), space(&store, "b", None));
    for name in ["k", "l"] {
        put(&a, name, b"of a").await.unwrap();
        put(&b, name, b"of b").await.unwrap();
    }
    assert!(a.delete(&key("l")).await.unwrap());
    a.clear().await.unwrap();
    assert_eq!((all(&a).len(), all(&b).len(), files(&folder)), (0, 2, 2));
    assert_eq!(get(&b, "l").await.unwrap(), b"of b");
}

#[tokio::test]
async fn a_quota_bounds_its_space_and_no_other_also_after_a_restart() {
    const QUOTA: Option<u64> = Some(1 << 20);
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder).await;
    let (a, b) = (space(&store, "a", QUOTA), space(&store, "b", None));
    let half = vec![0; 500 << 10];
    put(&a, "1", &half).await.unwrap();
    put(&a, "2", &half).await.unwrap();
    let full = put(&a, "3", &half).await.unwrap_err();
    assert_eq!(
        full.to_string(),
        "the tenant's stored data has reached its limit of 1048576 bytes: delete some of it"
    );
    put(&b, "3", &vec![0; 3 << 20]).await.unwrap();
    drop((store, a, b));
    let store = store_in(&folder).await;
    let a = space(&store, "a", QUOTA);
    assert!(matches!(put(&a, "3", &half).await, Err(PutError::SpaceFull(_))));
    a.delete(&key("1")).await.unwrap();
    put(&a, "3", &half).await.unwrap();
    // The header counts: 1 KiB a value.
    for n in 0.. {
        if let Err(error) = put(&a, &format!("empty{n}"), b"").await {
            assert!(matches!(error, PutError::SpaceFull(_)) && n == 22, "{n}: {error}");
            break;
        }
    }
}

#[tokio::test]
async fn all_spaces_together_stay_within_the_stores_limit() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder).await;
    let large = vec![0; 3 << 20];
    for name in ["a", "b"] {
        put(&space(&store, name, Some(4 << 20)), "k", &large).await.unwrap();
    }
    let error = put(&space(&store, "c", Some(4 << 20)), "k", &large).await.unwrap_err();
    assert!(matches!(error, PutError::StoreFull(_)), "{error}");
}

#[tokio::test]
async fn what_was_stored_before_there_were_spaces_is_in_the_default_one() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).await);
    let mut object =
        br#"{"format":1,"key":"old","content_type":"text/csv","created_at":"2026-11-23T00:57:44.881234567Z"}"#.to_vec();
    object.resize(1023, b' ');
    object.extend(b"\na,b\n");
    fs::write(folder.path().join("objects/01a205e8-ac83-7057-8c3a-060ce2d08c42"), object).unwrap();
    let store = store_in(&folder).await;
    let default = store.space(SpaceName::default(), None);
    assert_eq!(get(&default, "old").await.unwrap(), b"a,b\n");
    assert_eq!(default.meta(&key("old")).unwrap().content_type.as_str(), "text/csv");
    assert!(all(&space(&store, "a", None)).is_empty());
    put(&default, "old", b"new").await.unwrap();
    assert_eq!((get(&default, "old").await.unwrap(), files(&folder)), (b"new".to_vec(), 1));
}

#[tokio::test]
async fn what_is_deleted_or_replaced_counts_until_nobody_reads_it_any_more() {
    const QUOTA: Option<u64> = Some(1 << 20);
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder).await;
    let a = space(&store, "a", QUOTA);
    let (half, k) = (vec![7; 500 << 10], key("k"));
    let open = async || a.read(&k, |meta| 0..meta.size).await.unwrap().unwrap();
    put(&a, "k", &half).await.unwrap();
    let (first, second) = (open().await, open().await);
    put(&a, "k", &half).await.unwrap();
    let third = open().await;
    assert!(a.delete(&k).await.unwrap());
    assert_eq!(files(&folder), 0);
    drop(first);
    assert!(matches!(put(&a, "l", &half).await, Err(PutError::SpaceFull(_))));
    assert_eq!(store.usage().values, 0);
    let read: Vec<_> = second.stream.try_collect().await.unwrap();
    assert_eq!(read.concat(), half);
    put(&a, "l", &half).await.unwrap();
    drop(third);
    put(&a, "m", &half).await.unwrap();
    let mut last = a.read(&key("m"), |meta| 0..meta.size).await.unwrap().unwrap().stream;
    assert!(a.delete(&key("m")).await.unwrap());
    let mut left = half.len();
    while left > 0 {
        assert!(matches!(put(&a, "n", &half).await, Err(PutError::SpaceFull(_))));
        left -= last.try_next().await.unwrap().unwrap().len();
    }
    put(&a, "n", &half).await.unwrap();
    assert_eq!(last.try_next().await.unwrap(), None);
    a.clear().await.unwrap();
    assert_eq!(store.usage().bytes, 0);
}
