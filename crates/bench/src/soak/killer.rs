//! Kills random containers of the product under load, and tells those that were warm from those that ran code.
//!
//! Which one a kill hits cannot be known beforehand: the container may be given a call in the very moment. So the folder
//! that the code leaves its first mark in is opened before the kill, and looked into after it: with no mark in it no code
//! had run, and no call may fail because of it. It takes root, on the engine's machine.

use std::{
    collections::hash_map::RandomState,
    fs::File,
    hash::{BuildHasher, Hasher},
    os::fd::AsRawFd,
    path::Path,
    time::{Duration, Instant},
};

use bollard::query_parameters::InspectContainerOptions;
use nix::unistd::geteuid;
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    Result,
    docker::Engine,
    report::{Bound, Report},
};

/// Pauses between kills, milliseconds.
const PAUSES: std::ops::Range<u64> = 300..1500;

/// What was hit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kills {
    warm: usize,
    busy: usize,
    /// Gone before it was hit.
    missed: usize,
    /// When the last was hit.
    pub(super) last: Option<Instant>,
}

/// Kills until its end is asked for.
#[derive(Debug)]
pub(super) struct Killer {
    stop: CancellationToken,
    task: JoinHandle<Result<Kills>>,
}

impl Killer {
    pub(super) async fn end(self) -> Result<Kills> {
        self.stop.cancel();
        self.task.await?
    }
}

impl Kills {
    pub(super) fn begin(engine: &Engine, instance: &str) -> Killer {
        let (engine, instance, stop) = (engine.clone(), instance.to_owned(), CancellationToken::new());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut kills = Self::default();
            loop {
                tokio::select! {
                    () = stopped.cancelled() => return Ok(kills),
                    () = sleep(Duration::from_millis(PAUSES.start + random(PAUSES.end - PAUSES.start))) => {}
                }
                kills.one(&engine, &instance).await?;
            }
        });
        Killer { stop, task }
    }

    async fn one(&mut self, engine: &Engine, instance: &str) -> Result<()> {
        let running = engine.containers(instance, true).await?;
        if running.is_empty() {
            return Ok(());
        }
        let victim = &running[usize::try_from(random(running.len() as u64))?];
        let inspected = engine.docker.inspect_container(victim, None::<InspectContainerOptions>).await;
        let pid = inspected.ok().and_then(|container| container.state?.pid).unwrap_or_default();
        // Absent where the container has ended since.
        let Ok(workspace) = File::open(format!("/proc/{pid}/root/workspace")) else {
            if geteuid().is_root() {
                self.missed += 1;
                return Ok(());
            }
            return Err("--kill takes root on the engine's machine".into());
        };
        self.last = Some(Instant::now());
        if engine.kill(victim).await.is_err() {
            self.missed += 1;
        } else if Path::new(&format!("/proc/self/fd/{}/mark", workspace.as_raw_fd())).exists() {
            self.busy += 1;
        } else {
            self.warm += 1;
        }
        Ok(())
    }

    pub(super) fn describe(self, failures: usize, report: &mut Report) {
        let Self { warm, busy, missed, .. } = self;
        report.note(&format!(
            "Killed {warm} containers that no code had run in, and {busy} that ran code or had just done so; \
             {missed} were gone before."
        ));
        report.target("containers killed that no code had run in", warm as f64, Bound::AtLeast(1.0));
        let blameless = failures.saturating_sub(busy);
        report.target(
            "failed calls beyond those whose code was killed",
            blameless as f64,
            Bound::AtMost(0.0),
        );
    }
}

/// A number below `end`; every new hasher's keys are random.
fn random(end: u64) -> u64 {
    RandomState::new().build_hasher().finish() % end
}
