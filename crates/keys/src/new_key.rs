//! The making of a key.

use engine::Tenant;

use crate::digest::Digest;

/// A key that nobody has yet. It is shown once and never kept: what is kept is its line.
pub struct NewKey(String);

/// The operating system has none to give.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random bits: {0}")]
pub struct NoRandomness(String);

impl NewKey {
    /// Tells people, and programs that look for leaked secrets, what it is.
    const PREFIX: &str = "csk_";

    /// 256 bits of the operating system's randomness.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits).map_err(|error| NoRandomness(error.to_string()))?;
        Ok(Self(format!("{}{}", Self::PREFIX, hex::encode(bits))))
    }

    /// The key, as a caller sends it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The line of the keys file that lets this key in as `tenant`.
    pub fn line(&self, tenant: &Tenant) -> String {
        format!("{tenant} {}", Digest::of(&self.0).to_hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keyring;

    #[test]
    fn a_new_keys_line_lets_it_in_and_does_not_hold_it() {
        let tenant = Tenant::try_from("team-a").unwrap();
        let (key, other) = (NewKey::generate().unwrap(), NewKey::generate().unwrap());
        assert!(key.as_str().len() == 68 && key.as_str().starts_with("csk_"));
        assert_ne!(key.as_str(), other.as_str());
        let line = key.line(&tenant);
        assert!(!line.contains(&key.as_str()[4..]), "{line}");
        let keyring = Keyring::parse(&line).unwrap();
        assert_eq!(keyring.open(key.as_str()).unwrap().account.tenant, tenant);
        assert!(keyring.open(other.as_str()).is_none());
    }
}
