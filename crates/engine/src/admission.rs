//! Admission: a bounded queue, then a turn.

use std::{num::NonZeroU32, time::Duration};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time,
};
use tokio_util::sync::CancellationToken;

/// Decides who may run now, who waits and who is turned away.
#[derive(Debug)]
pub(crate) struct Admission {
    /// One permit for every request inside, waiting or running.
    queue: Semaphore,
    queue_size: u32,
    /// One permit for every execution that may run.
    turns: Semaphore,
    max_executions: u32,
    patience: Duration,
    closed: CancellationToken,
}

/// Why a request was turned away.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// As many requests wait as may.
    #[error("the queue is full: {0} requests are waiting")]
    QueueFull(u32),
    /// No turn came in time.
    #[error("no execution slot came free within {} s", .0.as_secs_f64())]
    QueueTimeout(Duration),
    /// The service is shutting down.
    #[error("the service is shutting down")]
    Draining,
}

/// The right to run one execution, held until it is answered.
#[derive(Debug)]
pub(crate) struct Admitted<'a> {
    _queued: SemaphorePermit<'a>,
    _turn: SemaphorePermit<'a>,
}

impl Admission {
    /// At most `max_executions` at once and `queue_size` waiting, each for at most `patience`.
    pub(crate) fn new(max_executions: NonZeroU32, queue_size: u32, patience: Duration) -> Self {
        let max_executions = max_executions.get();
        Self {
            queue: Semaphore::new(queue_size as usize + max_executions as usize),
            queue_size,
            turns: Semaphore::new(max_executions as usize),
            max_executions,
            patience,
            closed: CancellationToken::new(),
        }
    }

    /// Waits for a turn, in order of arrival. Cancel safe.
    pub(crate) async fn admit(&self) -> Result<Admitted<'_>, AdmissionError> {
        if self.closed.is_cancelled() {
            return Err(AdmissionError::Draining);
        }
        let _queued = self.queue.try_acquire().map_err(|_| AdmissionError::QueueFull(self.queue_size))?;
        tokio::select! {
            biased;
            () = self.closed.cancelled() => Err(AdmissionError::Draining),
            turn = self.turns.acquire() => match turn {
                Ok(_turn) => Ok(Admitted { _queued, _turn }),
                Err(_) => Err(AdmissionError::Draining),
            },
            () = time::sleep(self.patience) => Err(AdmissionError::QueueTimeout(self.patience)),
        }
    }

    /// Turns away every new request and those that wait.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Returns when nothing runs.
    pub(crate) async fn idle(&self) {
        // The semaphore is never closed, so this only waits.
        let _all = self.turns.acquire_many(self.max_executions).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(max_executions: u32, queue_size: u32) -> Admission {
        let max_executions = NonZeroU32::new(max_executions).unwrap();
        Admission::new(max_executions, queue_size, Duration::from_secs(5))
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_turns_requests_wait_and_beyond_the_queue_they_are_turned_away() {
        let admission = admission(1, 1);
        let first = admission.admit().await.unwrap();
        let (second, third) = tokio::join!(admission.admit(), admission.admit());
        assert!(matches!(second, Err(AdmissionError::QueueTimeout(_))));
        assert_eq!(third.unwrap_err().to_string(), "the queue is full: 1 requests are waiting");
        drop(first);
        assert!(admission.admit().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_come_in_by_order_of_arrival() {
        let admission = admission(1, 8);
        let first = admission.admit().await.unwrap();
        let order = std::sync::Mutex::new(Vec::new());
        let wait = async |n: u8| {
            let admitted = admission.admit().await.unwrap();
            order.lock().unwrap().push(n);
            drop(admitted);
        };
        tokio::join!(wait(1), wait(2), wait(3), async { drop(first) });
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn closing_turns_away_those_who_wait_and_idle_waits_for_those_who_run() {
        let admission = admission(1, 8);
        let running = admission.admit().await.unwrap();
        let (waiting, ()) = tokio::join!(admission.admit(), async { admission.close() });
        assert!(matches!(waiting, Err(AdmissionError::Draining)));
        assert!(matches!(admission.admit().await, Err(AdmissionError::Draining)));
        assert!(time::timeout(Duration::from_secs(60), admission.idle()).await.is_err());
        drop(running);
        admission.idle().await;
    }
}
