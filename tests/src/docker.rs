//! What the engine itself says, by its command line: independent of the product's own client.

use std::{collections::BTreeSet, process::Stdio};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Runs `docker ARGS` and returns what it prints.
pub async fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().await.unwrap();
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `docker ARGS`, which may fail.
pub async fn try_docker(args: &[&str]) {
    let _ = Command::new("docker").args(args).output().await.unwrap();
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
        let child = Command::new("docker")
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
