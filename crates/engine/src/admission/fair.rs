//! Who gets the next turn, and who must go when too many wait. Pure: it never waits and reads no clock.
//!
//! - **Turns.** The next one goes to the tenant that has the fewest running; of several, to the one whose last turn is
//!   longest ago; within a tenant in order of arrival. So whoever has nothing running waits for one turn to come free and
//!   for at most one turn of each other tenant, however much those ask for; and the only tenant there is may have every turn.
//! - **The last turn.** Once there are several tenants the last of several turns is kept for whoever has nothing running: a
//!   single call beside a flood waits for nobody. The pool does likewise with containers, and with starts while there are such calls
//!   ([`Leaves`]).
//! - **Places.** Everybody may come in. If then more wait than may, the newest request of the tenant that has the most
//!   inside, waiting or running, is pushed out; of several the newcomer's. So a tenant that floods pushes out itself.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    num::NonZeroU32,
    time::Duration,
};

use tokio::time::Instant;

use crate::tenant::Tenant;

/// A tenant that came with nothing running is expected again for so long.
const LATELY: Duration = Duration::from_secs(60);

/// What a request leaves to tenants that have nothing running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// Nothing: its own has nothing else running, or is the only one there is.
    Nothing,
    /// The last of several turns, and of several containers that stand ready.
    LastContainer,
    /// The last of several starts at a time as well: such a tenant came lately.
    LastStart,
}

impl Leaves {
    /// Its tenant has something running already, and is not the only one.
    pub(crate) fn is_further(self) -> bool {
        self != Self::Nothing
    }
}

/// Names a request inside; a later one has a greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// Everybody inside, waiting or running. `W` is how one who waits is told.
#[derive(Debug)]
pub(super) struct Queue<W> {
    turns: usize,
    places: usize,
    /// Also of tenants with nothing inside, for the order of their last turns: no more than there are tenants.
    tenants: HashMap<Tenant, Account<W>>,
    tickets: u64,
    turns_given: u64,
}

/// A turn for one who waits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn<W> {
    pub(super) told: W,
    pub(super) leaves: Leaves,
}

#[derive(Debug)]
struct Account<W> {
    waiting: VecDeque<Waiting<W>>,
    /// With the beginning of their turns.
    running: BTreeMap<Ticket, Instant>,
    /// Number of its last turn; 0 if it has had none.
    last_turn: u64,
    /// When it last had a turn with nothing else running.
    came: Option<Instant>,
}

#[derive(Debug)]
struct Waiting<W> {
    ticket: Ticket,
    concurrency: Option<NonZeroU32>,
    told: W,
}

impl<W> Default for Account<W> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), running: BTreeMap::new(), last_turn: 0, came: None }
    }
}

impl<W> Account<W> {
    /// What decides between tenants, the least first; none if nobody of this one waits, or its limit is reached.
    fn claim(&self) -> Option<(usize, u64, Ticket)> {
        let first = self.waiting.front()?;
        let within = |limit: NonZeroU32| self.running.len() < limit.get() as usize;
        let may_run = first.concurrency.is_none_or(within);
        may_run.then_some((self.running.len(), self.last_turn, first.ticket))
    }

    fn inside(&self) -> usize {
        self.waiting.len() + self.running.len()
    }
}

impl<W> Queue<W> {
    /// At most `turns` run and `places` wait.
    pub(super) fn new(turns: usize, places: usize) -> Self {
        Self { turns, places, tenants: HashMap::new(), tickets: 0, turns_given: 0 }
    }

    /// Lets a request in. Call [`Queue::next_turn`] and then [`Queue::push_out`] until there is nothing left to do.
    pub(super) fn arrive(&mut self, tenant: &Tenant, concurrency: Option<NonZeroU32>, told: W) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        let account = self.tenants.entry(tenant.clone()).or_default();
        account.waiting.push_back(Waiting { ticket, concurrency, told });
        ticket
    }

    /// Gives a turn to whose it is, if one is free.
    pub(super) fn next_turn(&mut self, now: Instant) -> Option<Turn<W>> {
        let (free, several) = (self.turns.saturating_sub(self.running()), self.has_several_tenants());
        let claims = self.tenants.iter().filter_map(|(tenant, account)| Some((account.claim()?, tenant)));
        let ((running, ..), tenant) = claims.min_by_key(|(claim, _)| *claim)?;
        let leaves = match running {
            1.. if several && self.is_visited_beside(tenant, now) => Leaves::LastStart,
            1.. if several => Leaves::LastContainer,
            _ => Leaves::Nothing,
        };
        if free <= usize::from(leaves.is_further()) {
            return None;
        }
        let tenant = tenant.clone();
        let account = self.tenants.get_mut(&tenant)?;
        let first = account.waiting.pop_front()?;
        self.turns_given += 1;
        account.last_turn = self.turns_given;
        if account.running.is_empty() {
            account.came = Some(now);
        }
        account.running.insert(first.ticket, now);
        Some(Turn { told: first.told, leaves })
    }

    /// Another tenant came lately that had nothing running.
    fn is_visited_beside(&self, tenant: &Tenant, now: Instant) -> bool {
        let came = |account: &Account<W>| account.came.is_some_and(|at| now.duration_since(at) < LATELY);
        self.tenants.iter().any(|(other, account)| other != tenant && !other.is_service() && came(account))
    }

    fn has_several_tenants(&self) -> bool {
        self.tenants.keys().filter(|tenant| !tenant.is_service()).nth(1).is_some()
    }

    /// Takes the place of who must go, if more wait than may. The service's own trial, of which there is one at a time, stays.
    pub(super) fn push_out(&mut self) -> Option<W> {
        if self.waiting() <= self.places {
            return None;
        }
        let tenants = self.tenants.iter_mut().filter(|(tenant, _)| !tenant.is_service());
        let lasts = tenants.filter_map(|(_, account)| Some((account.waiting.back()?.ticket, account)));
        let (_, account) = lasts.max_by_key(|(last, account)| (account.inside(), *last))?;
        account.waiting.pop_back().map(|last| last.told)
    }

    /// Whoever had this ticket is gone, wherever it was. If it had a turn, that is free now, and its beginning is returned.
    pub(super) fn leave(&mut self, tenant: &Tenant, ticket: Ticket) -> Option<Instant> {
        let account = self.tenants.get_mut(tenant)?;
        if let Ok(index) = account.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket) {
            account.waiting.remove(index);
        }
        account.running.remove(&ticket)
    }

    pub(super) fn running(&self) -> usize {
        self.tenants.values().map(|account| account.running.len()).sum()
    }

    pub(super) fn waiting(&self) -> usize {
        self.tenants.values().map(|account| account.waiting.len()).sum()
    }

    pub(super) fn waiting_of(&self, tenant: &Tenant) -> usize {
        self.tenants.get(tenant).map_or(0, |account| account.waiting.len())
    }

    /// When the turns that are held began.
    pub(super) fn held_since(&self) -> impl Iterator<Item = Instant> {
        self.tenants.values().flat_map(|account| account.running.values().copied())
    }
}

#[cfg(test)]
mod tests;
