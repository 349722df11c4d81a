//! Starts: what begins one, and who gets what has started.

use std::time::Duration;

use tokio::{sync::mpsc, time::Instant};

use super::{Actor, Kept, State, Waiter};
use crate::{
    container::Container,
    conversation::{Conversation, HandshakeError},
    events::{Event, Supply},
    pool::{
        LaunchError,
        keeper::{self, Report},
        lease::Lease,
    },
};

/// How long a flood pauses behind each start while another tenant comes by with single calls: in parts of what the start took.
const PAUSE: f64 = 0.5;

/// Starts that a request may lose to somebody who kills containers before it is given up.
const LOSSES: u32 = 3;

/// A runner that ended without a word was killed; one that cannot run says why.
fn was_killed(error: &LaunchError) -> bool {
    matches!(error, LaunchError::Handshake(HandshakeError::Ended(said)) if said.is_empty())
}

/// A start that has ended.
pub(super) struct Started {
    launched: Result<(Conversation, Container), LaunchError>,
    took: Duration,
    waiter: Option<Waiter>,
}

impl Actor {
    /// Gives the waiter back if there is no slot, though nobody else takes any.
    pub(super) fn start(&mut self, waiter: Option<Waiter>) -> Option<Waiter> {
        let Some(slot) = self.launcher.slots.take() else { return waiter };
        let shared = waiter.is_none();
        let (launcher, stop) = (self.launcher.clone(), self.stop.clone());
        let special = waiter.as_ref().and_then(|waiter| waiter.special);
        let in_doubt = self.refills.failing().is_some();
        let start = self.state.starts.spawn(async move {
            let began = Instant::now();
            let launched = launcher.launch(slot, special, in_doubt, &stop).await;
            Started { launched, took: began.elapsed(), waiter }
        });
        if shared {
            self.state.shared_starts.insert(start.id());
        }
        None
    }

    pub(super) fn take(
        &mut self,
        Started { launched, took, waiter }: Started,
        reports: &mpsc::Sender<Report>,
    ) {
        // One with settings of its own says nothing about the others, but for whether the engine answers.
        let is_special = waiter.is_some();
        match launched {
            Ok((conversation, container)) => {
                if is_special {
                    self.refills.answered()
                } else {
                    self.refills.started()
                }
                self.observer.observe(&Event::ContainerStarted { container: container.name(), took });
                self.state.pause_until = Some(Instant::now() + took.mul_f64(PAUSE));
                match waiter.or_else(|| self.next_in_line()) {
                    Some(waiter) => {
                        self.pace.leased();
                        let supply = if waiter.special.is_some() { Supply::Own } else { Supply::Started };
                        self.observer.observe(&Event::Leased { supply });
                        waiter.serve(Ok(Lease::new(conversation, container)));
                    }
                    None => self.keep(conversation, container, reports.clone()),
                }
            }
            Err(error) => {
                let counts = !is_special || error.is_silence();
                let retry_in = counts.then(|| self.refills.failed(&error, error.is_silence()));
                // One failure, one answer: the next in line has its own start.
                let waiter = waiter.or_else(|| self.next_in_line());
                let refill = waiter.is_none();
                self.observer.observe(&Event::StartFailed { error: &error, retry_in, refill });
                match waiter {
                    Some(mut waiter) if was_killed(&error) && waiter.losses < LOSSES => {
                        waiter.losses += 1;
                        self.state.waiting.push_front(waiter);
                    }
                    Some(waiter) => waiter.serve(Err(error)),
                    None => {}
                }
            }
        }
    }

    /// Of those whom any container serves, who gets the one just started.
    fn next_in_line(&mut self) -> Option<Waiter> {
        let State { waiting, standing, went_further, .. } = &mut self.state;
        let first_of = |further| {
            let is_next = |waiter: &Waiter| {
                waiter.leaves.is_further() == further && waiter.special.is_none() && !waiter.reply.is_closed()
            };
            waiting.iter().position(is_next)
        };
        let (first, further) = (first_of(false), first_of(true));
        let kept = standing.iter().filter(|kept| kept.busy.is_none()).count();
        *went_further = further.is_some() && self.policy.goes_further(first.is_some(), kept, *went_further);
        waiting.remove(if *went_further { further? } else { first? })
    }

    fn keep(&mut self, conversation: Conversation, container: Container, reports: mpsc::Sender<Report>) {
        let number = self.state.numbers;
        self.state.numbers += 1;
        let (commands, orders) = mpsc::channel(1);
        self.state.keepers.spawn(keeper::keep(
            number,
            conversation,
            container,
            orders,
            reports,
            self.stop.clone(),
        ));
        let since = Instant::now();
        self.state.standing.push(Kept { number, level: 0, rehearsed: false, busy: None, since, commands });
    }
}
