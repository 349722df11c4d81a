//! The service as `make up` starts it: from its image, by Compose, with keys. One a test process.

use std::{
    collections::BTreeSet,
    process::Command,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, getuid},
};
use tempfile::TempDir;

use crate::{
    docker, eventually,
    machine::{self, repository},
};

/// A running service. Ends with [`Service::stop`]; a test that fails before leaves nothing of it.
#[derive(Debug)]
pub struct Service {
    project: Project,
    container: String,
    /// Process id of the control plane, as this machine sees it.
    pid: Mutex<String>,
    instance: String,
}

/// Whatever Compose makes of it, to be taken away in the end, also where it did not come up.
#[derive(Debug)]
struct Project {
    port: u16,
    keys: TempDir,
}

impl Project {
    fn name() -> String {
        format!("code-sandbox-test-{}", std::process::id())
    }

    /// One of the scripts behind `make`, for this project.
    fn script(&self, name: &str) -> Command {
        let mut script = Command::new(repository().join("scripts").join(name));
        script
            .env("COMPOSE_PROJECT_NAME", Self::name())
            .env("PORT", self.port.to_string())
            .env("API_KEYS_DIR", self.keys.path())
            .env("SANDBOX_FLAGS", "--log-level debug");
        // What a process has open is told to its own user and to root.
        if !getuid().is_root() {
            script.env("SANDBOX_USER", format!("{}:0", getuid()));
        }
        script
    }

    fn run(&self, name: &str) {
        let ran = self.script(name).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

impl Drop for Project {
    /// Its data goes as well.
    fn drop(&mut self) {
        let _ = self.script("down.sh").output();
        let _ = Command::new("docker").args(["volume", "rm", &format!("{}_data", Self::name())]).output();
    }
}

impl Service {
    /// Starts it with the folder that holds the file `api-keys`, and waits until its pool is warm.
    pub async fn start(keys: TempDir) -> Self {
        let project = Project { port: machine::free_port(), keys };
        project.run("up.sh");
        let of_project = format!("label=com.docker.compose.project={}", Project::name());
        let api = ["ps", "-q", "--filter", &of_project, "--filter", "label=com.docker.compose.service=api"];
        let container = one_line(&api).await;
        let pid = pid(&container).await.into();
        let instance = one_line(&["exec", &container, "cat", "/data/instance-id"]).await;
        let service = Self { project, container, pid, instance };
        eventually("the pool is warm", Duration::from_secs(60), || async {
            service.log().contains("the pool is warm")
        })
        .await;
        service
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        let logs = Command::new("docker").args(["logs", &self.container]).output().unwrap();
        String::from_utf8_lossy(&logs.stderr).into_owned()
    }

    /// Address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.project.port)
    }

    /// The label value of its containers.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Names of its containers.
    pub async fn containers(&self) -> BTreeSet<String> {
        docker::containers_of(&self.instance).await
    }

    /// Sends the control plane a signal that it ends by, and waits until Compose has started it again.
    pub async fn restart_by(&self, signal: Signal) {
        let before = self.pid();
        kill(Pid::from_raw(before.parse().unwrap()), signal).unwrap();
        eventually("Compose starts it again", Duration::from_secs(40), async || {
            let now = pid(&self.container).await;
            let again = now != before && now != "0";
            if again {
                *self.pid.lock().unwrap_or_else(PoisonError::into_inner) = now;
            }
            again
        })
        .await;
    }

    fn pid(&self) -> String {
        self.pid.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Open file descriptors of the control plane.
    pub fn descriptors(&self) -> usize {
        machine::descriptors(self.pid())
    }

    /// Its memory that is no file's, in bytes.
    pub fn memory(&self) -> u64 {
        machine::memory(self.pid(), "RssAnon")
    }

    /// Ends it as an operator would, and checks that it leaves nothing.
    pub async fn stop(self) {
        self.project.run("down.sh");
        assert_eq!(self.containers().await, BTreeSet::default(), "containers left behind");
    }
}

/// 0 while the container does not run.
async fn pid(container: &str) -> String {
    one_line(&["inspect", "--format", "{{.State.Pid}}", container]).await
}

/// What a docker command prints, which is one line.
async fn one_line(args: &[&str]) -> String {
    docker::docker(args).await.trim().to_owned()
}
