//! Tenants with a key each, for a product that is to know them.

use std::fs;

use engine::Tenant;
use keys::NewKey;
use tempfile::NamedTempFile;

use crate::{Result, client::Target, product::Product};

/// Their keys, and the file of them, which is there as long as this is.
pub(crate) struct Tenants {
    keys: Vec<NewKey>,
    file: NamedTempFile,
}

impl Tenants {
    pub(crate) fn new(names: &[&str]) -> Result<Self> {
        let (mut keys, mut lines) = (Vec::new(), String::new());
        for name in names {
            let key = NewKey::generate()?;
            lines += &format!("{} metrics=yes\n", key.line(&Tenant::try_from(*name)?));
            keys.push(key);
        }
        let file = NamedTempFile::new()?;
        fs::write(&file, lines)?;
        Ok(Self { keys, file })
    }

    /// What the product is to be started with.
    pub(crate) fn flag(&self) -> String {
        format!("--api-keys-file={}", self.file.path().display())
    }

    /// The product as each of them calls it, in the order of their names.
    pub(crate) fn targets(&self, product: &Product) -> Result<Vec<Target>> {
        self.keys.iter().map(|key| product.target().with_key(key.as_str())).collect()
    }
}
