//! Admission: a bounded queue, then a turn. [`fair`] decides whose, [`turn_time`] estimates when.

mod fair;
mod turn_time;

use std::{
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::fair::Leaves;
use self::{
    fair::{Queue, Ticket, Turn},
    turn_time::TurnTime,
};
use crate::tenant::Tenant;

/// Decides who may run now, who waits and who is turned away.
#[derive(Debug)]
pub(crate) struct Admission {
    inside: Mutex<Inside>,
    /// How many run.
    running: watch::Sender<usize>,
    max_executions: u32,
    queue_size: u32,
    patience: Duration,
    closed: CancellationToken,
}

#[derive(Debug)]
struct Inside {
    /// Who waits is told of a turn, and what it leaves to others, by a message, and of having been pushed out by its absence.
    queue: Queue<oneshot::Sender<Leaves>>,
    turn_time: TurnTime,
}

/// Why a request was turned away.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// As many requests wait as may, and no tenant has more of them than this one.
    #[error("the queue is full, with {waiting} waiting")]
    QueueFull {
        /// As many as may.
        waiting: u32,
        /// When the queue will have been served, as far as can be told; from a second to a minute.
        retry_after: Duration,
    },
    /// No turn came in time.
    #[error("no execution slot came free within {} s", .patience.as_secs_f64())]
    QueueTimeout {
        /// The longest wait.
        patience: Duration,
        /// As above.
        retry_after: Duration,
    },
    /// The service is shutting down.
    #[error("the service is shutting down")]
    Draining,
}

/// A request inside: it waits, or has the right to run one execution. Dropping it gives back what it has.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    admission: &'a Admission,
    tenant: Tenant,
    ticket: Ticket,
    leaves: Leaves,
}

impl Admission {
    /// At most `max_executions` at once and `queue_size` waiting, each for at most `patience`.
    pub(crate) fn new(max_executions: NonZeroU32, queue_size: u32, patience: Duration) -> Self {
        let max_executions = max_executions.get();
        let queue = Queue::new(max_executions as usize, queue_size as usize);
        Self {
            inside: Mutex::new(Inside { queue, turn_time: TurnTime::default() }),
            running: watch::Sender::new(0),
            max_executions,
            queue_size,
            patience,
            closed: CancellationToken::new(),
        }
    }

    /// Waits for a turn of this tenant, which may have `concurrency` at once. Cancel safe: who leaves has no place any more.
    pub(crate) async fn admit(
        &self,
        tenant: &Tenant,
        concurrency: Option<NonZeroU32>,
    ) -> Result<Place<'_>, AdmissionError> {
        if self.is_closed() {
            return Err(AdmissionError::Draining);
        }
        let (told, turn) = oneshot::channel();
        let mut place = self.enter(tenant, concurrency, told);
        let retry_after = || self.retry_after(tenant, concurrency);
        tokio::select! {
            biased;
            () = self.closed.cancelled() => Err(AdmissionError::Draining),
            turn = turn => match turn {
                Ok(leaves) => {
                    place.leaves = leaves;
                    Ok(place)
                }
                Err(_) => {
                    let waiting = self.queue_size;
                    Err(AdmissionError::QueueFull { waiting, retry_after: retry_after() })
                }
            },
            () = time::sleep(self.patience) => {
                drop(place);
                Err(AdmissionError::QueueTimeout { patience: self.patience, retry_after: retry_after() })
            }
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
        // The sender is our own, so this only waits.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }

    fn enter(
        &self,
        tenant: &Tenant,
        concurrency: Option<NonZeroU32>,
        told: oneshot::Sender<Leaves>,
    ) -> Place<'_> {
        let mut inside = self.inside();
        let ticket = inside.queue.arrive(tenant, concurrency, told);
        self.settle(&mut inside);
        Place { admission: self, tenant: tenant.clone(), ticket, leaves: Leaves::Nothing }
    }

    /// Gives out the turns that are free, and takes the places that are too many.
    fn settle(&self, inside: &mut Inside) {
        let now = Instant::now();
        while let Some(Turn { told, leaves }) = inside.queue.next_turn(now) {
            // Who has left meanwhile is about to give the turn back.
            let _ = told.send(leaves);
        }
        while inside.queue.push_out().is_some() {}
        self.running.send_replace(inside.queue.running());
    }

    /// By the whole queue, or by what this tenant's own limit makes of its own part, whichever takes longer.
    fn retry_after(&self, tenant: &Tenant, concurrency: Option<NonZeroU32>) -> Duration {
        let (inside, now) = (self.inside(), Instant::now());
        let rounds = |waiting: usize, turns: u32| (waiting as f64 + 1.0) / f64::from(turns);
        let own_limit = concurrency.map_or(self.max_executions, |limit| limit.get().min(self.max_executions));
        let all = rounds(inside.queue.waiting(), self.max_executions);
        let own = rounds(inside.queue.waiting_of(tenant), own_limit);
        let ages = inside.queue.held_since().map(|since| now.duration_since(since));
        inside.turn_time.retry_after(all.max(own), ages)
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// What its execution leaves to other tenants.
    pub(crate) fn leaves(&self) -> Leaves {
        self.leaves
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut inside = self.admission.inside();
        if let Some(since) = inside.queue.leave(&self.tenant, self.ticket) {
            inside.turn_time.held(since.elapsed());
        }
        self.admission.settle(&mut inside);
    }
}

#[cfg(test)]
mod tests;
