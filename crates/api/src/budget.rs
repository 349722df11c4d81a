//! Memory for bodies, of requests or of answers: all together they have a limit, and a tenant's a share of it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine::Tenant;

/// So many times what is left free may be one tenant's: alone it gets three quarters, of two each three sevenths, and who
/// comes next always finds some. (Dynamic thresholds: A. K. Choudhury and E. L. Hahne, "Dynamic Queue Length Thresholds for
/// Shared-Memory Packet Switches", IEEE/ACM Transactions on Networking 6(2), 1998.)
const OF_THE_FREE: u64 = 3;

/// So much memory, lent out piece by piece: a crowd of large bodies is refused, not swapped. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Account>);

#[derive(Debug)]
struct Account {
    all: u64,
    /// More than one tenant may come.
    shared: bool,
    lent: Mutex<Lent>,
}

#[derive(Debug, Default)]
struct Lent {
    total: u64,
    by_tenant: HashMap<Tenant, u64>,
}

/// What one body has of it, until this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    tenant: Tenant,
    bytes: u64,
}

/// There is not so much left, or not for this tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl Budget {
    /// So many bytes; `shared`: by tenants, of whom none may have all.
    pub fn new(bytes: u64, shared: bool) -> Self {
        Self(Arc::new(Account { all: bytes, shared, lent: Mutex::default() }))
    }

    /// Bytes that are lent, and all there are.
    pub(crate) fn usage(&self) -> (u64, u64) {
        (self.lent().total, self.0.all)
    }

    /// So many bytes for a tenant.
    pub(crate) fn take(&self, tenant: &Tenant, bytes: u64) -> Result<Share, Exhausted> {
        let mut share = Share { budget: self.clone(), tenant: tenant.clone(), bytes: 0 };
        share.grow_to(bytes)?;
        Ok(share)
    }

    fn lent(&self) -> MutexGuard<'_, Lent> {
        // Every critical section leaves its data whole.
        self.0.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// So many bytes in all; a smaller number changes nothing.
    pub(crate) fn grow_to(&mut self, bytes: u64) -> Result<(), Exhausted> {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        let Account { all, shared, .. } = *self.budget.0;
        let mut lent = self.budget.lent();
        let free = all.checked_sub(lent.total.saturating_add(more)).ok_or(Exhausted)?;
        let theirs = lent.by_tenant.get(&self.tenant).copied().unwrap_or_default() + more;
        if shared && theirs > free.saturating_mul(OF_THE_FREE) {
            return Err(Exhausted);
        }
        lent.total += more;
        lent.by_tenant.insert(self.tenant.clone(), theirs);
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut lent = self.budget.lent();
        lent.total -= self.bytes;
        if let Some(theirs) = lent.by_tenant.get_mut(&self.tenant) {
            *theirs -= self.bytes;
            if *theirs == 0 {
                lent.by_tenant.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tenant(name: &str) -> Tenant {
        Tenant::try_from(name).unwrap()
    }

    /// Shares of one byte, as many as there are.
    fn all_for(budget: &Budget, name: &str) -> Vec<Share> {
        std::iter::from_fn(|| budget.take(&tenant(name), 1).ok()).collect()
    }

    #[test]
    fn one_alone_gets_all_where_there_are_no_others_and_three_quarters_where_there_may_be() {
        assert_eq!(all_for(&Budget::new(1000, false), "a").len(), 1000);
        assert_eq!(all_for(&Budget::new(1000, true), "a").len(), 750);
    }

    #[test]
    fn who_takes_what_there_is_leaves_some_to_the_next_and_gets_it_when_they_are_gone() {
        let budget = Budget::new(1000, true);
        let mut first = all_for(&budget, "a");
        let second = all_for(&budget, "b");
        assert_eq!((first.len(), second.len()), (750, 187));
        assert!(budget.take(&tenant("a"), 1).is_err());
        // Half of it back, it may not have it again: the other has some by now.
        first.truncate(375);
        assert_eq!(first.len() + all_for(&budget, "a").len(), 609);
        drop(second);
        let again = all_for(&budget, "a");
        assert_eq!(again.len() + first.len(), 750);
        drop((first, again));
        assert_eq!(budget.usage(), (0, 1000));
        assert!(budget.lent().by_tenant.is_empty());
    }

    #[test]
    fn a_share_that_cannot_grow_stays_as_it_is() {
        let budget = Budget::new(100, true);
        let mut share = budget.take(&tenant("a"), 60).unwrap();
        assert_eq!(share.grow_to(80), Err(Exhausted));
        assert_eq!((share.grow_to(75), share.grow_to(10)), (Ok(()), Ok(())));
        assert_eq!(budget.usage().0, 75);
    }

    proptest! {
        #[test]
        fn never_more_is_lent_than_there_is_and_all_of_it_comes_back(
            steps in prop::collection::vec((0..3_usize, 0..400_u64, any::<bool>()), 1..60),
            shared in any::<bool>(),
        ) {
            let budget = Budget::new(1000, shared);
            let mut shares = Vec::new();
            for (who, bytes, lets_go) in steps {
                if lets_go && !shares.is_empty() {
                    shares.remove(who % shares.len());
                } else if let Ok(share) = budget.take(&tenant(["a", "b", "c"][who]), bytes) {
                    shares.push(share);
                }
                let lent: u64 = shares.iter().map(|share: &Share| share.bytes).sum();
                prop_assert_eq!(budget.usage(), (lent, 1000));
                prop_assert!(lent <= 1000);
            }
            drop(shares);
            prop_assert_eq!(budget.usage().0, 0);
        }
    }
}
