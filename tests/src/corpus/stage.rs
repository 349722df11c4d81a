//! The service that a corpus is played against, and who uses it.

use std::{collections::BTreeMap, fmt::Write as _, fs, time::Duration};

use reqwest::{Client, RequestBuilder};

use super::{case::Case, contract::Contract, seized::Seized};
use crate::{docker::docker, keys::new_key, machine::repository, service::Service};

/// Tenants and their limits in the keys file.
const TENANTS: [(&str, &str); 3] = [
    ("attacker", ""),
    ("small", "concurrency=1 rate=3/s timeout=5s memory=256m data=1m"),
    ("bystander", "metrics=yes"),
];
/// What the bystander has uploaded as `secret`: nobody else may ever see it.
const SECRET: &str = "the-bystanders-own-9d1c77";

/// The service with all its defaults, and the keys of its tenants.
#[derive(Debug)]
pub struct Stage {
    /// As `API_KEYS_DIR=keys make up` starts it.
    pub service: Service,
    pub(super) contract: Contract,
    keys: BTreeMap<&'static str, String>,
    client: Client,
    seized: Option<Seized>,
}

impl Stage {
    /// Starts it, with whatever else these cases need, and waits until its pool is full.
    pub async fn set(cases: &[Case]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut keys, mut file) = (BTreeMap::new(), String::new());
        for (tenant, limits) in TENANTS {
            let (key, line) = new_key(tenant).await;
            writeln!(file, "{} {limits}", line.trim()).unwrap();
            keys.insert(tenant, key);
        }
        fs::write(folder.path().join("api-keys"), file).unwrap();
        let service = Service::start(folder).await;
        // No connection is kept: what is open after a case is the service's own.
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let document = client.get(service.url("/openapi.json")).bearer_auth(&keys["bystander"]).send().await;
        let document = document.unwrap().json().await.unwrap();
        let mut secrets: Vec<_> = keys.values().cloned().collect();
        let root = docker(&["info", "--format", "{{.DockerRootDir}}"]).await.trim().to_owned();
        let engine =
            [&root, "docker.sock", "/run/containerd", "code-sandbox-run-", SECRET].map(str::to_owned);
        let here = [repository().display().to_string(), service.instance().to_owned()];
        secrets.extend(here.into_iter().chain(engine));
        let contract = Contract::new(document, secrets);
        let mut stage = Self { service, contract, keys, client, seized: None };
        if cases.iter().any(Case::takes_over) {
            stage.seized = Some(Seized::start().await);
        }
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
        let request = self.client.request(method.parse().unwrap(), self.service.url(path));
        let request = request.timeout(Duration::from_secs(120));
        match self.authorization(tenant) {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        }
    }

    /// The service whose runner was taken over.
    pub(super) fn seized(&self) -> &Seized {
        self.seized.as_ref().expect("a case that says so takes a runner over")
    }

    /// Ends what it has started, and checks that nothing is left.
    pub async fn end(self) {
        if let Some(seized) = self.seized {
            seized.stop().await;
        }
        self.service.stop().await;
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
