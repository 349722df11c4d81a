//! Whether containers can be started: an exponential back-off with jitter, and the reason for whoever asks.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    retry_at: Option<Instant>,
    reason: Option<String>,
}

/// Shared by the pool, which writes, and its owner, which asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Refills(Arc<Mutex<State>>);

impl Refills {
    pub(super) fn succeeded(&self) {
        *self.state() = State::default();
    }

    /// Returns how long nothing is started that nobody waits for.
    pub(super) fn failed(&self, error: &impl ToString) -> Duration {
        let mut state = self.state();
        let pause = FIRST_PAUSE.saturating_mul(1 << state.failures.min(16)).min(LAST_PAUSE);
        // Between a half and the whole: several control planes on one engine do not come back together.
        let pause = pause.mul_f64(0.5 + f64::from(random_byte()) / 512.0);
        state.failures = state.failures.saturating_add(1);
        state.retry_at = Some(Instant::now() + pause);
        state.reason = Some(error.to_string());
        pause
    }

    /// None if nothing has failed or the pause is over.
    pub(super) fn retry_at(&self, now: Instant) -> Option<Instant> {
        self.state().retry_at.filter(|at| *at > now)
    }

    pub(super) fn failing(&self) -> Option<String> {
        self.state().reason.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn random_byte() -> u8 {
    Uuid::now_v7().as_bytes()[15]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_failure_about_doubles_the_pause_and_a_success_forgets_them() {
        let refills = Refills::default();
        let mut longest = FIRST_PAUSE;
        for _ in 0..20 {
            let pause = refills.failed(&"no");
            assert!(pause >= longest / 2 && pause <= longest, "{pause:?}");
            assert_eq!(refills.failing().as_deref(), Some("no"));
            longest = (longest * 2).min(LAST_PAUSE);
        }
        tokio::time::advance(LAST_PAUSE).await;
        assert_eq!(refills.retry_at(Instant::now()), None);
        refills.failed(&"no");
        refills.succeeded();
        assert_eq!((refills.retry_at(Instant::now()), refills.failing()), (None, None));
    }
}
