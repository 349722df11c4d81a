//! The real runner as a plain process of this user: **no isolation whatever**. For tests of everything around the
//! runner that need no container; compiled only with the `process-driver` feature.

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio_util::io::ReaderStream;

use super::{Chunk, ContainerName, ContainerSpec, Driver, DriverError, Ended, Pipe, cap_variables};
use crate::request::Memory;

/// The work tree's.
const RUNNER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../runner-image/runner");

/// Starts `python3 RUNNER` for every container.
#[derive(Debug, Default)]
pub struct ProcessDriver {
    processes: Mutex<HashMap<ContainerName, Process>>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    _directory: TempDir,
}

impl ProcessDriver {
    fn processes(&self) -> MutexGuard<'_, HashMap<ContainerName, Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, spec: &ContainerSpec) -> std::io::Result<Process> {
        let directory = tempfile::tempdir()?;
        let child = Command::new("python3")
            .args(["-I", "-B"])
            .arg(RUNNER)
            .arg("--workspace")
            .arg(directory.path())
            .envs(cap_variables(spec.caps))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Process { child, _directory: directory })
    }
}

#[async_trait]
impl Driver for ProcessDriver {
    async fn check(&self) -> Result<(), DriverError> {
        Ok(())
    }

    async fn launch(&self, spec: &ContainerSpec) -> Result<Pipe, DriverError> {
        let refused = |reason: String| DriverError::Refused { call: "start a process", reason };
        let mut process = self.spawn(spec).map_err(|error| refused(error.to_string()))?;
        let taken = (process.child.stdin.take(), process.child.stdout.take(), process.child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = taken else {
            return Err(refused("no pipes".to_owned()));
        };
        self.processes().insert(spec.name.clone(), process);
        let frames = ReaderStream::new(stdout).map(|bytes| bytes.map(Chunk::Frames));
        let complaints = ReaderStream::new(stderr).map(|bytes| bytes.map(Chunk::Complaint));
        Ok(Pipe { input: Box::pin(stdin), output: futures_util::stream::select(frames, complaints).boxed() })
    }

    async fn resize(&self, _: &ContainerName, _: Memory) -> Result<(), DriverError> {
        Ok(())
    }

    async fn inspect(&self, name: &ContainerName) -> Result<Ended, DriverError> {
        let mut processes = self.processes();
        let process = processes.get_mut(name).ok_or(DriverError::ContainerMissing)?;
        let exit_code = process.child.try_wait().ok().flatten().and_then(|status| status.code());
        Ok(Ended { exit_code: exit_code.map(i64::from), oom_killed: false, paused: false })
    }

    async fn remove(&self, name: &ContainerName) -> Result<(), DriverError> {
        let process = self.processes().remove(name);
        if let Some(mut process) = process {
            let refused =
                |error: std::io::Error| DriverError::Refused { call: "kill", reason: error.to_string() };
            process.child.kill().await.map_err(refused)?;
        }
        Ok(())
    }

    async fn list(&self) -> Result<Vec<ContainerName>, DriverError> {
        Ok(self.processes().keys().cloned().collect())
    }
}
