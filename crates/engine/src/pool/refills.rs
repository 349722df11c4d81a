//! Whether containers can be started: an exponential back-off with jitter, the reason for whoever asks, and what ends both.
//!
//! That a start has failed is forgotten when another works. That a container died as soon as it stood ready is forgotten when one that
//! started later lives on or serves: to stand ready proves nothing then.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(10);
/// A container that dies so soon after its start says something about all of them.
const TOO_YOUNG_TO_DIE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    retry_at: Option<Instant>,
    reason: Option<String>,
    /// The reason is that the engine did not answer.
    silence: bool,
    /// When a container last died too young.
    dying_since: Option<Instant>,
}

/// Shared by the pool, which writes, and its owner, which asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Refills(Arc<Mutex<State>>);

impl Refills {
    /// A container stands ready.
    pub(super) fn started(&self) {
        if self.state().dying_since.is_none() {
            self.recovered();
        }
    }

    /// The engine has started a container of another kind.
    pub(super) fn answered(&self) {
        if self.state().silence {
            self.started();
        }
    }

    /// All is well again.
    pub(super) fn recovered(&self) {
        *self.state() = State::default();
    }

    /// Returns how long nothing is started that nobody waits for. `silence`: because the engine did not answer.
    pub(super) fn failed(&self, error: &impl ToString, silence: bool) -> Duration {
        let mut state = self.state();
        let pause = FIRST_PAUSE.saturating_mul(1 << state.failures.min(16)).min(LAST_PAUSE);
        // Between a half and the whole: several control planes on one engine do not come back together.
        let pause = pause.mul_f64(0.5 + f64::from(random_byte()) / 512.0);
        state.failures = state.failures.saturating_add(1);
        state.retry_at = Some(Instant::now() + pause);
        (state.reason, state.silence) = (Some(error.to_string()), silence);
        pause
    }

    /// A container has died that stood ready `since` then: perhaps by somebody's hand, perhaps the next one dies as well.
    pub(super) fn died(&self, since: Instant, at: Instant) {
        // Of several at once one counts: the others may have the same reason.
        let counted = self.state().dying_since.is_some_and(|dying_since| since <= dying_since);
        if at - since < TOO_YOUNG_TO_DIE && !counted {
            self.failed(&"containers end as soon as they stand ready", false);
            self.state().dying_since = Some(Instant::now());
        }
    }

    /// A container was of use that was begun `since` then.
    pub(super) fn served(&self, since: Instant) {
        if self.state().dying_since.is_some_and(|dying_since| dying_since < since) {
            self.recovered();
        }
    }

    /// When one of these, which stand ready `since` then, has shown that they live on, if that is in doubt.
    pub(super) fn comes_of_age(&self, since: impl Iterator<Item = Instant>) -> Option<Instant> {
        let dying_since = self.state().dying_since?;
        since.filter(|since| dying_since < *since).min().map(|since| since + TOO_YOUNG_TO_DIE)
    }

    /// None if nothing has failed or the pause is over.
    pub(super) fn retry_at(&self, now: Instant) -> Option<Instant> {
        self.state().retry_at.filter(|at| *at > now)
    }

    /// Nothing but another start tells whether they work again, also not what stands ready `since` then.
    pub(super) fn needs_proof(&self, mut since: impl Iterator<Item = Instant>) -> bool {
        let state = self.state();
        let proves = |since| state.dying_since.is_some_and(|dying_since| dying_since < since);
        state.reason.is_some() && !since.any(proves)
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
    use tokio::time::advance;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(10);

    #[tokio::test(start_paused = true)]
    async fn each_failure_about_doubles_the_pause_and_a_success_forgets_them() {
        let refills = Refills::default();
        let mut longest = FIRST_PAUSE;
        for _ in 0..20 {
            let pause = refills.failed(&"no", false);
            assert!(pause >= longest / 2 && pause <= longest, "{pause:?}");
            assert_eq!(refills.failing().as_deref(), Some("no"));
            assert!(refills.needs_proof([Instant::now()].into_iter()));
            longest = (longest * 2).min(LAST_PAUSE);
        }
        advance(LAST_PAUSE).await;
        assert_eq!(refills.retry_at(Instant::now()), None);
        refills.failed(&"no", false);
        refills.answered();
        assert!(refills.failing().is_some());
        refills.started();
        assert_eq!((refills.retry_at(Instant::now()), refills.failing()), (None, None));
        refills.failed(&"silence", true);
        refills.answered();
        assert_eq!(refills.failing(), None);
    }

    /// One that stood ready since the returned time.
    async fn dies_after(refills: &Refills, age: Duration) -> Instant {
        let since = Instant::now();
        refills.started();
        advance(age).await;
        refills.died(since, Instant::now());
        since
    }

    #[tokio::test(start_paused = true)]
    async fn a_container_that_dies_young_counts_until_a_later_one_lives_on_or_serves() {
        let refills = Refills::default();
        dies_after(&refills, TOO_YOUNG_TO_DIE).await;
        assert_eq!(refills.failing(), None, "not young");
        let older = dies_after(&refills, MOMENT).await;
        // It was there before.
        assert_eq!(refills.comes_of_age([older].into_iter()), None);
        refills.served(older);
        refills.started();
        assert!(refills.failing().is_some() && refills.needs_proof([older].into_iter()));
        advance(MOMENT).await;
        let later = Instant::now();
        assert!(!refills.needs_proof([older, later].into_iter()));
        let of_age = refills.comes_of_age([older, later + MOMENT, later].into_iter());
        assert_eq!(of_age, Some(later + TOO_YOUNG_TO_DIE));
        refills.served(later);
        assert_eq!((refills.retry_at(later), refills.failing()), (None, None));
        assert_eq!(refills.comes_of_age([later].into_iter()), None, "not in doubt any more");
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_that_die_at_once_one_counts() {
        let refills = Refills::default();
        let since = dies_after(&refills, MOMENT).await;
        let retry_at = refills.retry_at(Instant::now());
        for _ in 0..8 {
            refills.died(since, Instant::now());
        }
        assert_eq!(refills.retry_at(Instant::now()), retry_at);
    }
}
