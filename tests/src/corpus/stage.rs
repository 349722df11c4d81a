//! The service that a corpus is played against, and who uses it.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, time::Duration};

use reqwest::{Client, RequestBuilder};
use tempfile::TempDir;

use super::contract::Contract;
use crate::{Product, keys::new_key};

/// Tenants and their limits in the keys file.
const TENANTS: [(&str, &str); 3] =
    [("attacker", ""), ("small", "concurrency=1 rate=3/s timeout=5s memory=256m data=1m"), ("bystander", "")];
/// What the bystander has uploaded as `secret`: nobody else may ever see it.
const SECRET: &str = "the-bystanders-own-9d1c77";

/// A control plane with all its defaults, as `API_KEYS_DIR=keys make up` starts it, and the keys of its tenants.
#[derive(Debug)]
pub struct Stage {
    /// The control plane.
    pub product: Product,
    pub(super) contract: Contract,
    keys: BTreeMap<&'static str, String>,
    client: Client,
    _folder: TempDir,
}

impl Stage {
    /// Starts it and waits until its pool is full.
    pub async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut keys, mut file) = (BTreeMap::new(), String::new());
        for (tenant, limits) in TENANTS {
            let (key, line) = new_key(tenant).await;
            writeln!(file, "{} {limits}", line.trim()).unwrap();
            keys.insert(tenant, key);
        }
        let path = folder.path().join("api-keys");
        fs::write(&path, file).unwrap();
        let product = Product::start_with_defaults(&["--api-keys-file", path.to_str().unwrap()]).await;
        // No connection is kept: what is open after a case is the service's own.
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let (_, document) = product.get("/openapi.json").await.unwrap();
        let mut secrets: Vec<_> = keys.values().cloned().collect();
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().display().to_string();
        let data = product.data_dir().display().to_string();
        let sockets = ["/var/lib/docker", "code-sandbox-run-", SECRET].map(str::to_owned);
        secrets.extend([workspace, data, product.instance()].into_iter().chain(sockets));
        let contract = Contract::new(document, secrets);
        let stage = Self { product, contract, keys, client, _folder: folder };
        let upload = stage.request("POST", "/upload_data/secret", "bystander").body(SECRET);
        assert!(upload.send().await.unwrap().status().is_success());
        stage
    }

    /// The header by which a tenant is known; none for `nobody`.
    pub(super) fn authorization(&self, tenant: &str) -> Option<String> {
        let key = || self.keys.get(tenant).unwrap_or_else(|| panic!("{tenant} is no tenant"));
        (tenant != "nobody").then(|| format!("Bearer {}", key()))
    }

    pub(super) fn request(&self, method: &str, path: &str, tenant: &str) -> RequestBuilder {
        let request = self.client.request(method.parse().unwrap(), self.product.url(path));
        let request = request.timeout(Duration::from_secs(120));
        match self.authorization(tenant) {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        }
    }

    /// The sum of all values of `/metrics` with this name, whatever their labels.
    pub(super) async fn metrics<const N: usize>(&self, names: [&str; N]) -> [usize; N] {
        let text = self.request("GET", "/metrics", "bystander").send().await.unwrap().text().await.unwrap();
        names.map(|name| {
            let values = text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
            let values = values.filter(|(labels, _)| labels.is_empty() || labels.starts_with('{'));
            values.map(|(_, value)| value.parse::<usize>().unwrap()).sum()
        })
    }
}
