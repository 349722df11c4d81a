//! What goes on beside the requests for as long as the service runs: the keys file is read again when it has changed, expired
//! data is deleted.

use std::time::Duration;

use keys::KeysFile;
use store::Store;
use tokio::{
    task::{JoinSet, block_in_place},
    time::sleep,
};
use tracing::{error, info};

/// A key that is removed from its file opens nothing any more so much later.
const KEYS_INTERVAL: Duration = Duration::from_secs(2);
/// Expired data is invisible at once; its room comes back so much later.
const LONGEST_SWEEP_INTERVAL: Duration = Duration::from_secs(60);
const SHORTEST_SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Starts what these settings need. It ends when the set is dropped.
pub(crate) fn start(keys: Option<KeysFile>, store: Store, ttl: Option<Duration>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if let Some(keys) = keys {
        tasks.spawn(watch(keys));
    }
    // Without a time to live, for what the disk did not let go when it was replaced.
    let interval = ttl.map_or(LONGEST_SWEEP_INTERVAL, |ttl| ttl / 10);
    tasks.spawn(sweep(store, interval.clamp(SHORTEST_SWEEP_INTERVAL, LONGEST_SWEEP_INTERVAL)));
    tasks
}

async fn watch(mut keys: KeysFile) {
    loop {
        sleep(KEYS_INTERVAL).await;
        match block_in_place(|| keys.reload()) {
            Ok(None) => {}
            Ok(Some(count)) => info!(tenants = count.tenants, keys = count.keys, "keys have changed"),
            Err(error) => error!("the keys stay as they were: {error}"),
        }
    }
}

async fn sweep(store: Store, interval: Duration) {
    loop {
        sleep(interval).await;
        match store.sweep().await {
            Ok(0) => {}
            Ok(count) => info!(count, "expired data deleted"),
            Err(error) => error!(%error, "data that is nobody's any more cannot be deleted"),
        }
    }
}
