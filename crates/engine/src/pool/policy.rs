//! What the pool does next: a pure function of what is warm, wanted and running. No clock, no I/O.
//!
//! 1. Who waits goes first, in order of arrival. A request gets the coldest container that has what its code imports,
//!    else the warmest; of several the one that has stood longest. One whose runner rehearses still would keep it waiting, and is
//!    passed over while there are several others; the last of those is not spent on who can do with less. Between tenants the last of
//!    several is kept for who has nothing running, and of several as warm the last that has rehearsed.
//!    Starts go in the same order, but that nobody with nothing running waits for the further requests of others.
//! 2. Starts serve who waits; beyond that they refill the pool, but only if somebody waits anyway or nothing was leased
//!    for a moment: a burst that the pool can serve is not slowed down by its own refill. Each start takes a processor, and a call needs
//!    one: of several at a time the last is neither for a pool that is at least half full, nor for the flood of one tenant while another
//!    comes by with single calls. Where that leaves one at a time, there is a pause behind each of the flood's as well.
//! 3. Time that nobody has asked for lately goes into warmth: one module a step, the furthest container first, when the pool is
//!    full; a processor stays free here too. Under load containers stay plain and cheap.
//! 4. Likewise, one at a time: what is more than the pool goes, the coldest first, and then what has stood for too long. At once it
//!    goes where a request needs a container of its own and there may be no more of them.

use std::cmp::Reverse;

use crate::admission::Leaves;

/// What does not change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// Containers that shall stand ready.
    pub(super) size: usize,
    /// Modules to preload in each.
    pub(super) levels: usize,
    /// Starts, and separately preloads, at the same time.
    pub(super) at_once: usize,
}

/// A container that belongs to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Modules it has.
    pub(super) level: usize,
    /// Its runner has rehearsed: it answers at once.
    pub(super) rehearsed: bool,
    /// Preloads one now: cannot be leased until that is done.
    pub(super) busy: bool,
    /// Has stood for longer than it should.
    pub(super) old: bool,
}

/// A request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Modules its code asks for.
    pub(super) level: usize,
    pub(super) leaves: Leaves,
    /// Needs a container that is started for it alone.
    pub(super) special: bool,
}

/// Everything a decision rests on.
#[derive(Clone, Debug)]
pub(super) struct Situation {
    /// In the order of their starts.
    pub(super) standing: Vec<Standing>,
    /// In order of arrival.
    pub(super) waiting: Vec<Waiting>,
    /// Starts under way that anybody may have.
    pub(super) starting: usize,
    /// Others under way, each for a request that waits for it alone and no longer in `waiting`.
    pub(super) special_starts: usize,
    /// Containers that may still be created.
    pub(super) slots: usize,
    /// Nothing was leased for a moment.
    pub(super) calm: bool,
    /// Nothing was leased for some time.
    pub(super) at_ease: bool,
    /// The last start failed, and nothing but another tells whether they work again.
    pub(super) needs_proof: bool,
    /// A container that stands is about to show that they do.
    pub(super) proving: bool,
    /// It is too early for one that nobody waits for.
    pub(super) backing_off: bool,
    /// A start has just ended: a flood that leaves room for another tenant's single calls has none for a moment.
    pub(super) pausing: bool,
}

/// One thing to do; indices are those of the situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Lease { standing: usize, waiting: usize },
    Start,
    StartFor { waiting: usize },
    Preload { standing: usize },
    Retire { standing: usize },
}

impl Policy {
    pub(super) fn decide(&self, situation: &Situation) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut free: Vec<(usize, Standing)> =
            situation.standing.iter().copied().enumerate().filter(|(_, container)| !container.busy).collect();
        let Situation { mut special_starts, mut slots, .. } = *situation;
        // Until somebody waits for a start.
        let (mut unserved, mut special_unserved, mut at_once) = (0, 0, None);
        let mut first_unserved: usize = 0;

        for (index, waiting) in situation.waiting.iter().enumerate() {
            let left_to_others = if waiting.leaves.is_further() { self.reserve() } else { 0 };
            if waiting.special {
                let starts = self.starts_for(waiting, situation.pausing);
                at_once = at_once.max(Some(starts));
                let before = if waiting.leaves.is_further() { unserved } else { first_unserved };
                let owed = before.saturating_sub(situation.starting);
                if slots > owed && situation.starting + special_starts + owed < starts {
                    actions.push(Action::StartFor { waiting: index });
                    special_starts += 1;
                    slots -= 1;
                } else {
                    special_unserved += 1;
                }
            } else if free.len() > left_to_others
                && let Some(standing) = self.take_best(&mut free, waiting)
            {
                actions.push(Action::Lease { standing, waiting: index });
            } else {
                unserved += 1;
                first_unserved += usize::from(!waiting.leaves.is_further());
                at_once = at_once.max(Some(self.starts_for(waiting, situation.pausing)));
            }
        }

        let somebody_waits = unserved + special_unserved + special_starts > 0;
        let busy = situation.standing.iter().filter(|container| container.busy).count();
        let kept = free.len() + busy;
        let proof = usize::from(situation.needs_proof && situation.starting == 0 && self.size > 0);
        let missing = (unserved + self.size).saturating_sub(kept + situation.starting).max(proof);
        // A lease that is given right now ends the calm.
        let calm = situation.calm && !actions.iter().any(|action| matches!(action, Action::Lease { .. }));
        let refills = !situation.backing_off && (somebody_waits || calm);
        let wanted = if refills { missing } else { missing.min(unserved.saturating_sub(situation.starting)) };
        let at_once = at_once.unwrap_or(self.refills_for(kept + situation.starting));
        let room = at_once.saturating_sub(situation.starting + special_starts);
        let starts = wanted.min(room).min(slots);
        actions.extend(std::iter::repeat_n(Action::Start, starts));

        let idle = calm && situation.at_ease && !somebody_waits && starts == 0 && situation.starting == 0;
        let in_the_way = special_unserved > 0 && slots == 0;
        free.sort_by_key(|(_, container)| container.level);
        // Started for somebody who has left meanwhile.
        let surplus = free.first().filter(|_| kept > self.size);
        match surplus {
            Some((standing, _)) if in_the_way || (idle && !situation.proving) => {
                actions.push(Action::Retire { standing: *standing })
            }
            None if idle => self.improve(free, kept, busy, &mut actions),
            _ => {}
        }
        actions
    }

    /// Warms those that have most already, and replaces the old; the refill follows.
    fn improve(&self, mut free: Vec<(usize, Standing)>, kept: usize, busy: usize, actions: &mut Vec<Action>) {
        let mut preloads = self.all_but_one().saturating_sub(busy);
        while preloads > 0
            && let Some(at) = free.iter().rposition(|(_, container)| container.level < self.levels)
        {
            let (standing, _) = free.remove(at);
            actions.push(Action::Preload { standing });
            preloads -= 1;
        }
        if kept >= self.size
            && let Some((standing, _)) = free.iter().find(|(_, container)| container.old)
        {
            actions.push(Action::Retire { standing: *standing });
        }
    }

    /// Whether a container just started goes to a tenant's further request, if there is one. Those get every second one while
    /// others wait, or what is kept for others is not there: nobody's flood keeps them waiting, and nor do they starve it.
    pub(super) fn goes_further(&self, others_wait: bool, kept: usize, last_went_further: bool) -> bool {
        let others_turn = others_wait || kept < self.reserve();
        !(others_turn && last_went_further)
    }

    /// How many starts there may be at the same time with one for this request among them.
    fn starts_for(&self, waiting: &Waiting, pausing: bool) -> usize {
        match waiting.leaves {
            // The engine is at work on both of two processors.
            Leaves::LastStart if pausing && self.at_once <= 2 => 0,
            Leaves::LastStart => self.all_but_one(),
            _ => self.at_once,
        }
    }

    /// How many there may be that nobody waits for, with so many containers there or coming.
    fn refills_for(&self, there: usize) -> usize {
        if 2 * there < self.size { self.at_once } else { self.all_but_one() }
    }

    /// What is not urgent leaves a processor to the calls.
    fn all_but_one(&self) -> usize {
        (self.at_once - 1).max(1)
    }

    /// Of those that have rehearsed, where they are more than the reserve, else of all: the coldest with this level, else the warmest.
    /// Of several as warm: for who has nothing running one that has rehearsed, for a further request one that has not. Then the one that
    /// has stood longest.
    fn take_best(&self, free: &mut Vec<(usize, Standing)>, waiting: &Waiting) -> Option<usize> {
        let selects = free.iter().filter(|(_, container)| container.rehearsed).count() > self.reserve();
        let worth = |container: &Standing| {
            let has_it = container.level >= waiting.level;
            let distance = container.level.abs_diff(waiting.level);
            let suits_tenant = container.rehearsed != waiting.leaves.is_further();
            (selects && container.rehearsed, has_it, Reverse(distance), suits_tenant)
        };
        let best = free.iter().enumerate().rev().max_by_key(|(_, (_, container))| worth(container));
        let at = best.map(|(at, _)| at)?;
        Some(free.remove(at).0)
    }

    /// How many of those that stand ready are kept for tenants that have nothing running.
    fn reserve(&self) -> usize {
        usize::from(self.size > 1)
    }

    /// Whether everything is as warm as it gets.
    pub(super) fn is_at_rest(&self, situation: &Situation) -> bool {
        situation.waiting.is_empty()
            && situation.special_starts == 0
            && situation.standing.len() >= self.size
            && situation.standing.iter().all(|container| !container.busy && container.level >= self.levels)
    }
}

#[cfg(test)]
mod tests;
