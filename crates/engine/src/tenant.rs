//! Whose an execution is.

use std::{fmt, sync::Arc};

/// One of those who share the service: what is one's is invisible to the others. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(Arc<str>);

/// Not the name of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tenant's name is 1 to 64 characters of A-Z a-z 0-9 . _ -, and begins with a letter or digit")]
pub struct InvalidTenant;

/// Not a name that [`Tenant::try_from`] takes.
const SERVICE: &str = "(service)";

impl Tenant {
    const LONGEST: usize = 64;

    /// Everybody, where no keys tell one from the other; also what a tenant of this name has.
    pub fn everyone() -> Self {
        Self("default".into())
    }

    /// The service itself, for its trials. No key is this tenant's.
    pub(crate) fn service() -> Self {
        Self(SERVICE.into())
    }

    pub(crate) fn is_service(&self) -> bool {
        &*self.0 == SERVICE
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Tenant {
    type Error = InvalidTenant;

    fn try_from(name: &str) -> Result<Self, InvalidTenant> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let valid = (1..=Self::LONGEST).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(allowed);
        if valid { Ok(Self(name.into())) } else { Err(InvalidTenant) }
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_plain_and_begins_with_a_letter_or_digit() {
        for name in ["a", "team-7", "A.b_c", &"x".repeat(64)] {
            assert_eq!(Tenant::try_from(name).unwrap().as_str(), name);
        }
        for name in ["", ".", "..", "-a", "a b", "a/b", "ä", "(service)", &"x".repeat(65)] {
            assert_eq!(Tenant::try_from(name), Err(InvalidTenant), "{name}");
        }
    }
}
