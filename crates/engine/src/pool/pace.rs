//! The pace of the requests: what refills, warms up or removes waits for a moment without them.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

/// This long after the last lease nothing competes with a request that is being answered.
const CALM_AFTER: Duration = Duration::from_millis(30);
/// This long after it warming up does not take the processors from who comes next: under load containers stay plain.
const AT_EASE_AFTER: Duration = Duration::from_millis(500);
/// Removals do not wait longer than this, however often leases are taken: they hold memory.
const REMOVE_AFTER: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug)]
struct State {
    last_lease: Option<Instant>,
    /// Somebody waits for a container: whatever brings one nearer goes on at once.
    pressed: bool,
}

/// Known to the pool, which sets it, and to the reaper, which waits by it.
#[derive(Clone, Debug)]
pub(crate) struct Pace(watch::Sender<State>);

impl Pace {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(State { last_lease: None, pressed: false }))
    }

    pub(super) fn leased(&self) {
        self.0.send_modify(|state| state.last_lease = Some(Instant::now()));
    }

    pub(super) fn set_pressed(&self, pressed: bool) {
        self.0.send_if_modified(|state| std::mem::replace(&mut state.pressed, pressed) != pressed);
    }

    /// When it will be calm if nothing more is leased; none if it is.
    pub(super) fn calm_at(&self, now: Instant) -> Option<Instant> {
        self.after_lease(CALM_AFTER, now)
    }

    /// When there will be time for warming up if nothing more is leased; none if there is.
    pub(super) fn at_ease_at(&self, now: Instant) -> Option<Instant> {
        self.after_lease(AT_EASE_AFTER, now)
    }

    fn after_lease(&self, pause: Duration, now: Instant) -> Option<Instant> {
        let at = self.0.borrow().last_lease? + pause;
        (at > now).then_some(at)
    }

    /// Returns when it is calm or somebody waits, but not later than is good for removals.
    pub(crate) async fn settled(&self) {
        let give_up = Instant::now() + REMOVE_AFTER;
        let mut changes = self.0.subscribe();
        loop {
            if changes.borrow_and_update().pressed {
                return;
            }
            let now = Instant::now();
            let Some(calm_at) = self.calm_at(now) else { return };
            if give_up <= now {
                return;
            }
            let _ = timeout_at(calm_at.min(give_up), changes.changed()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn removals_wait_for_a_calm_moment_for_those_in_need_and_not_for_ever() {
        let pace = Pace::new();
        let waited = async |pace: &Pace| {
            let began = Instant::now();
            pace.settled().await;
            began.elapsed()
        };
        assert_eq!(waited(&pace).await, Duration::ZERO);
        pace.leased();
        assert_eq!(waited(&pace).await.as_millis(), 30);
        pace.leased();
        let (took, ()) = tokio::join!(waited(&pace), async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            pace.set_pressed(true);
        });
        assert_eq!(took.as_millis(), 10);
        pace.set_pressed(false);
        let busy = async {
            loop {
                pace.leased();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let took = tokio::select! { took = waited(&pace) => took, () = busy => unreachable!() };
        assert!((250..260).contains(&took.as_millis()), "{took:?}");
    }
}
