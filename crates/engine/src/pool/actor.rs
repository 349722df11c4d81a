//! The one task that owns the pool's state: it sees everything that happens, asks the policy, and does what it says.
//!
//! ```text
//! start ──> standing (keeper) ──> leased, gone from here
//!             │    └─ rehearsal, then preload, one module a step
//!             └─ died or retired ──> removed, refilled
//! ```

mod starts;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    task::{self, JoinSet},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use self::starts::Started;
use super::{
    LaunchError, Launcher, Refills,
    keeper::{Command, Report},
    lease::Lease,
    pace::Pace,
    policy::{Action, Policy, Situation, Standing, Waiting},
};
use crate::{
    admission::Leaves,
    events::{Event, Observer, Supply},
    request::{Memory, Timeout},
};

/// So many containers in a row that ended while they imported a module show that it is the module.
const FATAL_PRELOADS: u32 = 3;

/// A request that waits for a container.
pub(super) struct Waiter {
    pub(super) level: usize,
    pub(super) leaves: Leaves,
    /// Memory and time of a container that is to be started for it alone.
    pub(super) special: Option<(Memory, Timeout)>,
    /// Starts that it has lost to somebody's hand so far.
    pub(super) losses: u32,
    pub(super) reply: oneshot::Sender<Result<Lease, LaunchError>>,
}

impl Waiter {
    /// If the request has left meanwhile, the lease is dropped and the container removed.
    pub(super) fn serve(self, lease: Result<Lease, LaunchError>) {
        let _ = self.reply.send(lease);
    }
}

/// A container that stands ready.
struct Kept {
    number: u64,
    level: usize,
    /// Its runner has rehearsed.
    rehearsed: bool,
    /// Since when it imports the next module, if it does.
    busy: Option<Instant>,
    since: Instant,
    commands: mpsc::Sender<Command>,
}

pub(super) struct Actor {
    pub(super) policy: Policy,
    /// The policy's size once the pool is to be filled.
    pub(super) full_size: usize,
    pub(super) preloads: Vec<String>,
    pub(super) max_age: Duration,
    pub(super) launcher: Launcher,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) pace: Pace,
    pub(super) refills: Refills,
    pub(super) requests: mpsc::Receiver<Waiter>,
    pub(super) fill: CancellationToken,
    pub(super) stop: CancellationToken,
    pub(super) state: State,
}

/// What changes.
#[derive(Default)]
pub(super) struct State {
    /// In the order of their starts.
    standing: Vec<Kept>,
    waiting: VecDeque<Waiter>,
    /// What was last told of those that stand ready.
    told: Vec<usize>,
    starts: JoinSet<Started>,
    /// Those of them that are not for one waiter alone.
    shared_starts: HashSet<task::Id>,
    keepers: JoinSet<()>,
    numbers: u64,
    at_rest: bool,
    /// The last container that was started went to a further request of its tenant.
    went_further: bool,
    /// Containers in a row that have ended while they imported their next module, and when the last did, by the level that they had.
    preload_deaths: HashMap<usize, (u32, Instant)>,
    /// Until when a flood has no further start.
    pause_until: Option<Instant>,
}

/// The container with this number, if it still stands.
fn with_number(standing: &mut [Kept], number: u64) -> Option<&mut Kept> {
    standing.iter_mut().find(|kept| kept.number == number)
}

impl Actor {
    /// Runs until it is told to stop, and then until everything it has begun has ended.
    pub(super) async fn run(mut self) {
        let (reports, mut told) = mpsc::channel(64);
        loop {
            // One look at the clock and at the slots: what changes after it wakes us up.
            let now = Instant::now();
            let slots_used_up = self.act(now);
            let wake_up = self.wake_up(now);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                () = self.fill.cancelled(), if self.policy.size < self.full_size => self.policy.size = self.full_size,
                Some(report) = told.recv() => self.heed(report),
                Some(started) = self.state.starts.join_next_with_id() => match started {
                    Ok((id, started)) => {
                        self.state.shared_starts.remove(&id);
                        self.take(started, &reports);
                    }
                    // It panicked. Who was to have it alone is told that it was abandoned, by the absence of a reply.
                    Err(error) => {
                        self.state.shared_starts.remove(&error.id());
                    }
                },
                waiter = self.requests.recv() => match waiter {
                    Some(waiter) => self.state.waiting.push_back(waiter),
                    None => break,
                },
                Some(_) = self.state.keepers.join_next() => {}
                () = self.launcher.slots.freed(), if slots_used_up => {}
                () = sleep_until(wake_up.unwrap_or_else(Instant::now)), if wake_up.is_some() => {}
            }
        }
        self.finish(told).await;
    }

    /// Does what the policy says. True if it has used the last slot.
    fn act(&mut self, now: Instant) -> bool {
        self.state.waiting.retain(|waiter| !waiter.reply.is_closed());
        if self.comes_of_age().is_some_and(|at| at <= now) {
            self.refills.recovered();
        }
        let situation = self.situation(now);
        let mut slots = situation.slots;
        let actions = self.policy.decide(&situation);
        self.tell_if_at_rest(&situation);
        let mut waiting: Vec<Option<Waiter>> = self.state.waiting.drain(..).map(Some).collect();
        let mut gone = Vec::new();
        for action in actions {
            match action {
                Action::Lease { standing, waiting: index } => {
                    if let Some(waiter) = waiting[index].take() {
                        self.pace.leased();
                        let kept = &self.state.standing[standing];
                        let supply = if kept.level < waiter.level { Supply::Colder } else { Supply::Ready };
                        waiting[index] = kept.lease_to(waiter);
                        if waiting[index].is_none() {
                            self.observer.observe(&Event::Leased { supply });
                        }
                        gone.push(standing);
                    }
                }
                Action::Retire { standing } => {
                    self.state.standing[standing].command(Command::Retire);
                    gone.push(standing);
                }
                Action::Preload { standing } => {
                    let kept = &mut self.state.standing[standing];
                    kept.busy = Some(now);
                    kept.command(Command::Preload(self.preloads[kept.level].clone()));
                }
                Action::Start => {
                    slots -= 1;
                    self.start(None);
                }
                Action::StartFor { waiting: index } => {
                    slots -= 1;
                    waiting[index] = self.start(waiting[index].take());
                }
            }
        }
        gone.sort_unstable();
        for index in gone.into_iter().rev() {
            self.state.standing.remove(index);
        }
        self.state.waiting = waiting.into_iter().flatten().collect();
        self.pace.set_pressed(!self.state.waiting.is_empty());
        self.tell_standing();
        slots == 0
    }

    fn situation(&self, now: Instant) -> Situation {
        let state = &self.state;
        let standing = |kept: &Kept| Standing {
            level: kept.level,
            rehearsed: kept.rehearsed,
            busy: kept.busy.is_some(),
            old: now.duration_since(kept.since) >= self.max_age,
        };
        let waiting = |waiter: &Waiter| Waiting {
            level: waiter.level,
            leaves: waiter.leaves,
            special: waiter.special.is_some(),
        };
        Situation {
            standing: state.standing.iter().map(standing).collect(),
            waiting: state.waiting.iter().map(waiting).collect(),
            starting: state.shared_starts.len(),
            special_starts: state.starts.len() - state.shared_starts.len(),
            slots: self.launcher.slots.free(),
            calm: self.pace.calm_at(now).is_none(),
            at_ease: self.pace.at_ease_at(now).is_none(),
            proving: self.comes_of_age().is_some(),
            needs_proof: self.refills.needs_proof(state.standing.iter().map(|kept| kept.since)),
            backing_off: self.refills.retry_at(now).is_some(),
            pausing: state.pause_until.is_some_and(|until| until > now),
        }
    }

    fn tell_standing(&mut self) {
        let mut by_level = vec![0; self.preloads.len() + 1];
        for kept in &self.state.standing {
            by_level[kept.level] += 1;
        }
        if by_level != self.state.told {
            self.observer.observe(&Event::Standing { by_level: &by_level });
            self.state.told = by_level;
        }
    }

    fn tell_if_at_rest(&mut self, situation: &Situation) {
        let at_rest =
            self.policy.size > 0 && self.refills.failing().is_none() && self.policy.is_at_rest(situation);
        if at_rest && !self.state.at_rest {
            self.observer.observe(&Event::PoolWarm { containers: situation.standing.len() });
        }
        self.state.at_rest = at_rest;
    }

    /// When a container has shown that they live on, if that is in doubt.
    fn comes_of_age(&self) -> Option<Instant> {
        self.refills.comes_of_age(self.state.standing.iter().map(|kept| kept.since))
    }

    /// When there is something to decide that no event announces.
    fn wake_up(&self, now: Instant) -> Option<Instant> {
        let oldest = self.state.standing.iter().map(|kept| kept.since + self.max_age).min();
        let pause = self.state.pause_until;
        [
            self.pace.calm_at(now),
            self.pace.at_ease_at(now),
            self.refills.retry_at(now),
            pause,
            oldest,
            self.comes_of_age(),
        ]
        .into_iter()
        .flatten()
        .filter(|at| *at > now)
        .min()
    }

    fn heed(&mut self, report: Report) {
        match report {
            Report::Rehearsed { number } => {
                if let Some(kept) = with_number(&mut self.state.standing, number) {
                    kept.rehearsed = true;
                }
            }
            Report::Preloaded { number, error } => {
                let Some(kept) = with_number(&mut self.state.standing, number) else { return };
                let module = &self.preloads[kept.level];
                if let Some(error) = error {
                    self.observer.observe(&Event::PreloadFailed { module, error: &error });
                }
                self.state.preload_deaths.remove(&kept.level);
                kept.level += 1;
                kept.busy = None;
                // It has before this if it ever does.
                kept.rehearsed = true;
            }
            Report::Died { number, since, died, waiter } => {
                self.observer.observe(&Event::WarmContainerDied);
                let place = self.state.standing.iter().position(|kept| kept.number == number);
                match place.map(|place| self.state.standing.remove(place)) {
                    Some(Kept { level, busy: Some(began), .. }) => self.died_of_preload(level, began),
                    _ => self.refills.died(since, died),
                }
                if let Some(waiter) = waiter {
                    self.state.waiting.push_front(waiter);
                }
            }
        }
    }

    /// A container with so many modules has ended while it imported the next, which it `began` then: perhaps by somebody's hand.
    fn died_of_preload(&mut self, level: usize, began: Instant) {
        let (deaths, last) = self.state.preload_deaths.entry(level).or_insert((0, began));
        // Of several at once one counts: the others may have the same reason.
        if *deaths > 0 && began <= *last {
            return;
        }
        (*deaths, *last) = (*deaths + 1, Instant::now());
        if *deaths == FATAL_PRELOADS {
            let error = "the container ends while it imports it";
            self.observer.observe(&Event::PreloadFailed { module: &self.preloads[level], error });
            self.policy.levels = self.policy.levels.min(level);
        }
    }

    /// Every start ends, every container goes to the reaper, everybody who still waits is told.
    async fn finish(mut self, mut told: mpsc::Receiver<Report>) {
        self.requests.close();
        self.state.standing.clear();
        self.tell_standing();
        let reports = async { while told.recv().await.is_some() {} };
        let ended = async {
            while self.state.starts.join_next().await.is_some() {}
            while self.state.keepers.join_next().await.is_some() {}
        };
        // A keeper may have something to say before it ends.
        tokio::select! {
            () = ended => {}
            () = reports => {}
        }
    }
}

impl Kept {
    /// One command at a time: a keeper that is free has taken the last one. One that has died meanwhile reports so.
    fn command(&self, command: Command) {
        let _ = self.commands.try_send(command);
    }

    /// Gives the waiter back if the keeper has died meanwhile.
    fn lease_to(&self, waiter: Waiter) -> Option<Waiter> {
        match self.commands.try_send(Command::Lease(waiter)).map_err(TrySendError::into_inner) {
            Err(Command::Lease(waiter)) => Some(waiter),
            _ => None,
        }
    }
}
