//! What the engine itself says, by its command line: independent of the product's own client.

use std::{collections::BTreeSet, path::Path, process::Stdio, sync::OnceLock};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

static ENGINE: OnceLock<String> = OnceLock::new();

/// Another engine than the usual one, for everything in this process: each test is one.
pub fn use_engine(host: &str) {
    ENGINE.set(host.to_owned()).unwrap();
}

/// A program that is to work on this process's engine.
pub fn on_engine(program: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.envs(ENGINE.get().map(|host| ("DOCKER_HOST", host)));
    command
}

/// Runs `docker ARGS` and returns what it prints.
pub async fn docker(args: &[&str]) -> String {
    let output = Command::from(on_engine("docker")).args(args).output().await.unwrap();
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `docker ARGS`, which may fail.
pub async fn try_docker(args: &[&str]) {
    let _ = Command::from(on_engine("docker")).args(args).output().await.unwrap();
}

/// The runner image, as the product's defaults have it or changed by the test, under a name of the test's own.
#[derive(Debug)]
pub struct OwnImage {
    name: String,
    image: String,
}

impl OwnImage {
    fn named() -> Self {
        let image = std::env::var("CODE_SANDBOX_IMAGE")
            .unwrap_or_else(|_| concat!("code-sandbox-runner:", env!("CARGO_PKG_VERSION")).to_owned());
        // One test a process.
        Self { name: format!("code-sandbox-test-{}:1", std::process::id()), image }
    }

    /// Gives it the name.
    pub async fn tag() -> Self {
        let own = Self::named();
        own.tag_again().await;
        own
    }

    /// Gives the name to what the Dockerfile in a folder makes of it.
    pub async fn build(folder: &Path) -> Self {
        let own = Self::named();
        own.rebuild(folder).await;
        own
    }

    /// Gives the name, which is in use, to what the Dockerfile in a folder makes.
    pub async fn rebuild(&self, folder: &Path) {
        let runner = format!("RUNNER={}", self.image);
        docker(&["build", "--tag", &self.name, "--build-arg", &runner, folder.to_str().unwrap()]).await;
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes the name away.
    pub async fn untag(&self) {
        docker(&["rmi", &self.name]).await;
    }

    /// Gives it back.
    pub async fn tag_again(&self) {
        docker(&["tag", &self.image, &self.name]).await;
    }

    /// How many containers have been made by this name.
    pub async fn containers(&self) -> usize {
        let images = docker(&["ps", "-a", "--format", "{{.Image}}"]).await;
        images.lines().filter(|image| *image == self.name).count()
    }
}

impl Drop for OwnImage {
    fn drop(&mut self) {
        let _ = on_engine("docker").args(["rmi", &self.name]).output();
    }
}

/// Names of all containers, running or not, of one instance.
pub async fn containers_of(instance: &str) -> BTreeSet<String> {
    let filter = format!("label=code-sandbox.instance={instance}");
    docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"])
        .await
        .lines()
        .map(str::to_owned)
        .collect()
}

/// `docker inspect` of one container.
pub async fn inspect(container: &str) -> Value {
    let all: Value = serde_json::from_str(&docker(&["inspect", container]).await).unwrap();
    all[0].clone()
}

/// Ids of all volumes on the engine.
pub async fn volumes() -> BTreeSet<String> {
    docker(&["volume", "ls", "-q"]).await.lines().map(str::to_owned).collect()
}

/// The engine's events about one instance's containers, from now on.
#[derive(Debug)]
pub struct Events {
    child: Child,
}

impl Events {
    /// Starts listening for one action, such as `start`.
    pub fn listen(instance: &str, action: &str) -> Self {
        let child = Command::from(on_engine("docker"))
            .args(["events", "--format", "{{.ID}}"])
            .args(["--filter", "type=container", "--filter", &format!("event={action}")])
            .args(["--filter", &format!("label=code-sandbox.instance={instance}")])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child }
    }

    /// The container ids of the next `count` events.
    pub async fn take(mut self, count: usize) -> Vec<String> {
        let mut lines = BufReader::new(self.child.stdout.take().unwrap()).lines();
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.push(lines.next_line().await.unwrap().unwrap());
        }
        ids
    }
}
