//! The keys that open something now.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use engine::Tenant;
use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::{
    account::Account,
    digest::Digest,
    line::{self, InvalidLine},
};

/// The keys in force. Cheap to clone; every clone sees a change at once.
#[derive(Clone, Debug, Default)]
pub struct Keyring(Arc<RwLock<Keys>>);

#[derive(Debug, Default)]
struct Keys {
    /// Of how many versions of the file this is the last.
    version: u64,
    digests: Vec<(Digest, Arc<Account>)>,
    accounts: HashMap<Tenant, Arc<Account>>,
}

impl Keys {
    fn find(&self, presented: &Digest) -> Option<&Arc<Account>> {
        let mut found = u64::MAX;
        for (index, (digest, _)) in (0..).zip(&self.digests) {
            found.conditional_assign(&index, digest.ct_eq(presented));
        }
        self.digests.get(usize::try_from(found).ok()?).map(|(_, account)| account)
    }
}

/// What a key has opened, and whether it still would.
#[derive(Clone, Debug)]
pub struct Pass {
    /// As it was then.
    pub account: Arc<Account>,
    digest: Digest,
    /// In which it was found.
    version: u64,
    keyring: Keyring,
}

impl Pass {
    /// Whether the key is in force, and its tenant's, now.
    pub fn is_in_force(&self) -> bool {
        let keys = self.keyring.keys();
        keys.version == self.version
            || keys.find(&self.digest).is_some_and(|account| account.tenant == self.account.tenant)
    }
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Tenants with at least one key.
    pub tenants: usize,
    /// Keys of all of them.
    pub keys: usize,
}

impl Keyring {
    /// The keys of such a file; the error comes with the number of its line.
    pub fn parse(text: &str) -> Result<Self, (usize, InvalidLine)> {
        let keyring = Self::default();
        keyring.replace(text)?;
        Ok(keyring)
    }

    /// Puts the keys of a new version of the file in force, all at once; a version with a bad line changes nothing.
    pub(crate) fn replace(&self, text: &str) -> Result<(), (usize, InvalidLine)> {
        let lines = line::parse(text)?;
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Keys { version: keys.version + 1, ..Keys::default() };
        for line in lines {
            let account = next.accounts.entry(line.tenant).or_insert_with_key(|tenant| {
                let earlier = keys.accounts.get(tenant).map(Arc::as_ref);
                Arc::new(Account::new(tenant.clone(), line.limits, earlier))
            });
            next.digests.push((line.digest, Arc::clone(account)));
        }
        *keys = next;
        Ok(())
    }

    /// What a key opens. Takes the same time for every key, known or not.
    pub fn open(&self, key: &str) -> Option<Pass> {
        let (digest, keys) = (Digest::of(key), self.keys());
        let account = Arc::clone(keys.find(&digest)?);
        Some(Pass { account, digest, version: keys.version, keyring: self.clone() })
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many keys are in force.
    pub fn count(&self) -> Count {
        let keys = self.keys();
        Count { tenants: keys.accounts.len(), keys: keys.digests.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(tenant: &str, key: &str, limits: &str) -> String {
        format!("{tenant} {} {limits}\n", Digest::of(key).to_hex())
    }

    fn tenant_of(keyring: &Keyring, key: &str) -> Option<String> {
        keyring.open(key).map(|pass| pass.account.tenant.to_string())
    }

    #[test]
    fn a_key_opens_its_tenants_account_wherever_it_stands_and_no_other_does() {
        let text = line("a", "k0", "") + &line("b", "k1", "") + &line("a", "k2", "");
        let keyring = Keyring::parse(&text).unwrap();
        let tenants = ["k0", "k1", "k2"].map(|key| tenant_of(&keyring, key).unwrap());
        assert_eq!(tenants, ["a", "b", "a"]);
        for none in ["", "k", "k3", "k0 ", "K0", &Digest::of("k0").to_hex()] {
            assert!(keyring.open(none).is_none(), "{none}");
        }
        assert_eq!(keyring.count(), Count { tenants: 2, keys: 3 });
        assert!(Keyring::default().open("k0").is_none());
    }

    #[test]
    fn a_new_version_replaces_all_keys_and_a_bad_one_changes_nothing() {
        let keyring = Keyring::parse(&(line("a", "k0", "") + &line("b", "k1", ""))).unwrap();
        let clone = keyring.clone();
        let (removed, moved) = (keyring.open("k0").unwrap(), keyring.open("k1").unwrap());
        keyring.replace(&(line("b", "k0", "") + &line("b", "k1", ""))).unwrap();
        assert!(!removed.is_in_force() && moved.is_in_force(), "the first is another tenant's now");
        keyring.replace(&line("a", "k2", "")).unwrap();
        assert!(!removed.is_in_force() && !moved.is_in_force() && clone.open("k2").unwrap().is_in_force());
        assert_eq!(["k0", "k1", "k2"].map(|key| tenant_of(&clone, key)), [None, None, Some("a".to_owned())]);
        assert_eq!(keyring.replace(&(line("c", "k3", "") + "?")).unwrap_err().0, 2);
        assert_eq!(["k2", "k3"].map(|key| tenant_of(&clone, key)), [Some("a".to_owned()), None]);
    }

    #[test]
    fn all_keys_of_a_tenant_share_its_rate_and_a_change_of_the_file_does_not_refill_it() {
        let both = line("a", "k0", "rate=1/m") + &line("a", "k1", "rate=1/m");
        let keyring = Keyring::parse(&(both.clone() + &line("b", "k2", "rate=1/m"))).unwrap();
        let count = |key: &str| keyring.open(key).unwrap().account.count_execution().is_ok();
        assert!(count("k0") && !count("k1") && count("k2"));
        keyring.replace(&both).unwrap();
        assert!(!count("k0") && !count("k1"));
        keyring.replace(&line("a", "k0", "rate=2/m")).unwrap();
        assert!(count("k0") && count("k0") && !count("k0"));
        keyring.replace(&line("a", "k0", "")).unwrap();
        assert!((0..1000).all(|_| count("k0")));
    }
}
