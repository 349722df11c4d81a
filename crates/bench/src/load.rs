//! How load is made. Knows nothing of what it loads.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{Result, stats::Window};

/// Does `count` jobs, `workers` at a time, each worker beginning the next when it has done one.
pub(crate) async fn share<T, F, Job>(count: u64, workers: usize, job: F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Fn(u64) -> Job + Send + Sync + 'static,
    Job: Future<Output = Result<T>> + Send,
{
    let job = Arc::new(job);
    work(workers, move |n| {
        let job = Arc::clone(&job);
        async move { if n < count { job(n).await.map(Some) } else { Ok(None) } }
    })
    .await
}

/// The timing of a closed loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Nothing counts before: whatever was in stock is used up by then.
    pub(crate) ramp: Duration,
    /// What ends in this time counts.
    pub(crate) window: Duration,
}

/// Keeps `workers` jobs going, and counts those that end in the window. A job returns how long it took.
pub(crate) async fn closed_loop<F, Job>(workers: usize, times: Times, job: F) -> Result<Window>
where
    F: Fn(u64) -> Job + Send + Sync + 'static,
    Job: Future<Output = Result<Duration>> + Send,
{
    let start = Instant::now();
    let begin = start + times.ramp;
    let end = begin + times.window;
    let job = Arc::new(job);
    let timed = move |n| {
        let job = Arc::clone(&job);
        async move {
            let took = job(n).await?;
            let now = Instant::now();
            Ok((now < end).then_some((now, took)))
        }
    };
    let (before, within): (Vec<_>, Vec<_>) =
        work(workers, timed).await?.into_iter().partition(|(ended, _)| *ended < begin);
    // From an end to an end: a window that cuts through jobs of seconds would count one more or less of them.
    let from = before.iter().map(|(ended, _)| *ended).max().unwrap_or(start);
    let to = within.iter().map(|(ended, _)| *ended).max().unwrap_or(end);
    let rate = within.len() as f64 / (to - from).as_secs_f64();
    Ok(Window { rate, samples: within.into_iter().map(|(_, took)| took).collect() })
}

/// What workers note in common, also after one of them has panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Workers that do numbered jobs until each has been told by a None that it is enough: what they have done. The first failure ends
/// the others.
async fn work<T, F, Job>(workers: usize, job: F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Fn(u64) -> Job + Send + Sync + 'static,
    Job: Future<Output = Result<Option<T>>> + Send,
{
    let (job, next) = (Arc::new(job), Arc::new(AtomicU64::new(0)));
    let mut tasks = JoinSet::<Result<Vec<T>>>::new();
    for _ in 0..workers {
        let (job, next) = (Arc::clone(&job), Arc::clone(&next));
        tasks.spawn(async move {
            let mut done = Vec::new();
            while let Some(result) = job(next.fetch_add(1, Ordering::Relaxed)).await? {
                done.push(result);
            }
            Ok(done)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        all.extend(done??);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_job_is_done_once() {
        let mut done = share(100, 7, |n| async move { Ok(n) }).await.unwrap();
        done.sort_unstable();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_failed_job_fails_the_load() {
        let done = share(100, 7, |n| async move { if n == 50 { Err("broken".into()) } else { Ok(n) } }).await;
        assert_eq!(done.unwrap_err().to_string(), "broken");
    }

    #[tokio::test]
    async fn what_ends_before_the_window_does_not_count() {
        let times = Times { ramp: Duration::from_millis(200), window: Duration::from_millis(200) };
        let job = |_| async {
            tokio::time::sleep(Duration::from_millis(250)).await;
            Ok(Duration::from_millis(250))
        };
        let window = closed_loop(3, times, job).await.unwrap();
        assert_eq!(window.samples.len(), 3);
        // Three in the quarter of a second since the last end, here the start.
        assert!((10.0..12.1).contains(&window.rate), "{}", window.rate);
    }
}
