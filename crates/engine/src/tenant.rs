//! Whose an execution is.

use std::{fmt, sync::Arc};

use store::SpaceName;

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

    /// What names a tenant names its space.
    fn try_from(name: &str) -> Result<Self, InvalidTenant> {
        SpaceName::try_from(name).map(|_| Self(name.into())).map_err(|_| InvalidTenant)
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
