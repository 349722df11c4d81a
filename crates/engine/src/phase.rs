//! Where an execution is on its way, and how long it stays there.

use std::time::Instant;

use crate::events::{Event, Observer};

/// A part of the way of an execution, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It waits for its turn.
    Queue,
    /// It waits for a container.
    Lease,
    /// The request goes to the runner.
    Send,
    /// The code runs.
    Run,
    /// The code is done: what comes of it is taken in and judged.
    Collect,
    /// Its container is removed, behind the answer; or one that never ran code.
    Remove,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Queue, Self::Lease, Self::Send, Self::Run, Self::Collect, Self::Remove];

    /// As it is written in metrics and traces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Lease => "lease",
            Self::Send => "send",
            Self::Run => "run",
            Self::Collect => "collect",
            Self::Remove => "remove",
        }
    }
}

/// Tells when an execution enters and leaves its phases, the one it is in when the client leaves or something fails
/// included.
pub(crate) struct Stopwatch<'a> {
    observer: &'a dyn Observer,
    current: Option<(Phase, Instant)>,
}

impl<'a> Stopwatch<'a> {
    pub(crate) fn start(observer: &'a dyn Observer, phase: Phase) -> Self {
        let mut stopwatch = Self { observer, current: None };
        stopwatch.enter(phase);
        stopwatch
    }

    /// The phase it was in is passed, unless it is this one.
    pub(crate) fn enter(&mut self, phase: Phase) {
        if self.current.is_some_and(|(current, _)| current == phase) {
            return;
        }
        self.leave(true);
        self.current = Some((phase, Instant::now()));
        self.observer.observe(&Event::PhaseEntered { phase });
    }

    /// The last phase is passed as well.
    pub(crate) fn finish(&mut self) {
        self.leave(true);
    }

    fn leave(&mut self, passed: bool) {
        if let Some((phase, since)) = self.current.take() {
            self.observer.observe(&Event::PhaseLeft { phase, took: since.elapsed(), passed });
        }
    }
}

impl Drop for Stopwatch<'_> {
    fn drop(&mut self) {
        self.leave(false);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<(Phase, Option<bool>)>>);

    impl Observer for Heard {
        fn observe(&self, event: &Event<'_>) {
            self.0.lock().unwrap().extend(match *event {
                Event::PhaseEntered { phase } => Some((phase, None)),
                Event::PhaseLeft { phase, passed, .. } => Some((phase, Some(passed))),
                _ => None,
            });
        }
    }

    #[test]
    fn every_phase_that_is_entered_is_left_and_the_last_is_passed_only_if_it_was_finished() {
        let heard = Heard::default();
        let mut stopwatch = Stopwatch::start(&heard, Phase::Queue);
        stopwatch.enter(Phase::Lease);
        stopwatch.enter(Phase::Lease);
        drop(stopwatch);
        let told = std::mem::take(&mut *heard.0.lock().unwrap());
        let queued = [(Phase::Queue, None), (Phase::Queue, Some(true))];
        assert_eq!(told, [&queued[..], &[(Phase::Lease, None), (Phase::Lease, Some(false))]].concat());
        Stopwatch::start(&heard, Phase::Queue).finish();
        assert_eq!(*heard.0.lock().unwrap(), queued);
    }
}
