//! The service as `make up` starts it: from its image, by Compose, with keys. One a test process.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::unistd::getuid;
use tempfile::TempDir;

use crate::{docker, eventually};

/// A running service under a Compose project of its own. Ends with [`Service::stop`]; a test that fails before leaves nothing of it.
#[derive(Debug)]
pub struct Service {
    port: u16,
    keys: TempDir,
    container: String,
    /// Process id of the control plane, as this machine sees it.
    pid: String,
    instance: String,
}

impl Service {
    /// Starts it with the folder that holds the file `api-keys`, and waits until its pool is warm.
    pub async fn start(keys: TempDir) -> Self {
        // Free a moment ago; nothing else here takes ports by chance.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut service =
            Self { port, keys, container: String::new(), pid: String::new(), instance: String::new() };
        let started = service.script("up.sh").output().unwrap();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        let project = format!("label=com.docker.compose.project={}", project());
        let api = ["ps", "-q", "--filter", &project, "--filter", "label=com.docker.compose.service=api"];
        service.container = one_line(&api).await;
        service.pid = one_line(&["inspect", "--format", "{{.State.Pid}}", &service.container]).await;
        service.instance = one_line(&["exec", &service.container, "cat", "/data/instance-id"]).await;
        eventually("the pool is warm", Duration::from_secs(60), || async {
            service.log().contains("the pool is warm")
        })
        .await;
        service
    }

    /// One of the scripts behind `make`, for this service.
    fn script(&self, name: &str) -> Command {
        let mut script = Command::new(repository().join("scripts").join(name));
        script
            .env("COMPOSE_PROJECT_NAME", project())
            .env("PORT", self.port.to_string())
            .env("API_KEYS_DIR", self.keys.path())
            .env("SANDBOX_FLAGS", "--log-level debug");
        // What a process has open is told to its own user and to root.
        if !getuid().is_root() {
            script.env("SANDBOX_USER", format!("{}:0", getuid()));
        }
        script
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        let logs = Command::new("docker").args(["logs", &self.container]).output().unwrap();
        String::from_utf8_lossy(&logs.stderr).into_owned()
    }

    /// Address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The label value of its containers.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Names of its containers.
    pub async fn containers(&self) -> BTreeSet<String> {
        docker::containers_of(&self.instance).await
    }

    /// Open file descriptors of the control plane.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap().count()
    }

    /// Its memory that is no file's, in bytes.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Ends it as an operator would, and checks that it leaves nothing.
    pub async fn stop(self) {
        let stopped = self.script("down.sh").output().unwrap();
        assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
        assert_eq!(self.containers().await, BTreeSet::default(), "containers left behind");
    }
}

impl Drop for Service {
    /// Its data goes as well.
    fn drop(&mut self) {
        let _ = self.script("down.sh").output();
        let _ = Command::new("docker").args(["volume", "rm", &format!("{}_data", project())]).output();
    }
}

/// Where the project's files are.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn project() -> String {
    format!("code-sandbox-test-{}", std::process::id())
}

/// What a docker command prints, which is one line.
async fn one_line(args: &[&str]) -> String {
    docker::docker(args).await.trim().to_owned()
}
