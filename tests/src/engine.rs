//! A Docker engine of a test's own, which may be stopped, frozen and filled up: `scripts/own-engine.sh` with a handle.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{docker, eventually};

/// The image and what a handful of containers write.
const MEMORY: &str = "4g";
/// It loads the image.
const START_LIMIT: Duration = Duration::from_secs(180);

/// Runs until [`OwnEngine::end`]; a test that fails before leaves nothing of it either.
pub struct OwnEngine {
    /// Ends, and the engine with it, when its stdin does.
    script: Child,
    folder: PathBuf,
}

impl OwnEngine {
    /// Starts one, on which everything in this process works from now on: [`crate::Product`], [`docker`]. None, and a word about
    /// it, where this is not root.
    pub async fn start() -> Option<Self> {
        if !geteuid().is_root() {
            crate::skip("an engine of the test's own takes root");
            return None;
        }
        let mut script = script(&["sh", "-c", "echo $OWN_ENGINE; exec cat >/dev/null"])
            .env("OWN_ENGINE_MEMORY", MEMORY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(script.stdout.take().unwrap()).lines();
        let folder = timeout(START_LIMIT, told.next_line()).await.expect("no engine").unwrap();
        let folder = PathBuf::from(folder.expect("the engine did not start"));
        docker::use_engine(&format!("unix://{}/socket", folder.display()));
        Some(Self { script, folder })
    }

    /// Stops it as an operator would.
    pub async fn stop(&self) {
        self.ask("--stop").await;
    }

    /// Starts it again; returns when it answers.
    pub async fn start_again(&self) {
        self.ask("--start").await;
    }

    /// Sends its process a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = fs::read_to_string(self.folder.join("pid")).unwrap();
        kill(Pid::from_raw(pid.trim().parse().unwrap()), signal).unwrap();
    }

    /// It does nothing any more, and answers nobody, until what this returns is dropped.
    pub fn freeze(&self) -> Frozen<'_> {
        self.signal(Signal::SIGSTOP);
        Frozen(self)
    }

    /// Its socket is not there, as of one that is being replaced, until what this returns is dropped.
    pub fn vanish(&self) -> Vanished<'_> {
        fs::rename(self.folder.join("socket"), self.folder.join("socket.away")).unwrap();
        Vanished(self)
    }

    /// Leaves no room where it stores.
    pub async fn fill(&self) {
        let folder = self.folder.to_str().unwrap();
        let shrunk = async || {
            let used = Command::new("df").args(["--output=used", "-k", folder]).output().await.unwrap();
            let used = String::from_utf8(used.stdout).unwrap();
            self.resize(&format!("{}k", used.split_whitespace().last().unwrap())).await
        };
        // Refused where more has been written meanwhile.
        eventually("the disk is full", Duration::from_secs(10), shrunk).await;
    }

    /// Gives it back.
    pub async fn empty(&self) {
        assert!(self.resize(MEMORY).await);
    }

    async fn resize(&self, size: &str) -> bool {
        let options = format!("remount,size={size}");
        let mount = Command::new("mount").args(["-o", &options]).arg(&self.folder).output().await;
        mount.unwrap().status.success()
    }

    /// Ends it.
    pub async fn end(mut self) {
        drop(self.script.stdin.take());
        assert!(self.script.wait().await.unwrap().success());
        assert!(!self.folder.exists(), "{} is left", self.folder.display());
    }

    async fn ask(&self, what: &str) {
        let status = script(&[what, self.folder.to_str().unwrap()]).status().await.unwrap();
        assert!(status.success(), "{what}: {status}");
    }
}

/// Thaws it. A test that fails must not wait for a frozen engine to remove its containers.
pub struct Frozen<'a>(&'a OwnEngine);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.signal(Signal::SIGCONT);
    }
}

/// Puts its socket back.
pub struct Vanished<'a>(&'a OwnEngine);

impl Drop for Vanished<'_> {
    fn drop(&mut self) {
        let _ = fs::rename(self.0.folder.join("socket.away"), self.0.folder.join("socket"));
    }
}

fn script(args: &[&str]) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/own-engine.sh");
    let mut script = Command::new(path);
    script.args(args);
    script
}
