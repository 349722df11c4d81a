//! Kills random containers of the product under load, and tells those that were warm from those that ran code.
//!
//! Which one a kill hits cannot be known beforehand: the container may be given a call in the very moment. So the folder
//! that the code leaves its first mark in, the call's number, is opened before the kill and looked into after it: that
//! call alone may fail because of it, and none if there is no mark. It takes root, on the engine's machine.

use std::{
    collections::{HashSet, hash_map::RandomState},
    fs::{self, File},
    hash::{BuildHasher, Hasher},
    os::fd::AsRawFd,
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
#[derive(Debug, Default)]
pub(super) struct Kills {
    /// Containers in which no code had run.
    warm: usize,
    /// Calls whose container was hit while their code ran, or just after it.
    busy: HashSet<u64>,
    /// The same where the mark was still empty.
    nameless: usize,
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
                    () = sleep(pause()) => {}
                }
                kills.one(&engine, &instance).await?;
            }
        });
        Killer { stop, task }
    }

    async fn one(&mut self, engine: &Engine, instance: &str) -> Result<()> {
        let Some(victim) = kill_any(engine, instance).await? else { return Ok(()) };
        if victim != Victim::Gone {
            self.last = Some(Instant::now());
        }
        match victim {
            Victim::Gone => self.missed += 1,
            Victim::Unmarked => self.warm += 1,
            Victim::Nameless => self.nameless += 1,
            Victim::Call(call) => _ = self.busy.insert(call),
        }
        Ok(())
    }

    /// `failed` are the numbers of the calls that failed.
    pub(super) fn describe(&self, failed: impl Iterator<Item = u64>, report: &mut Report) {
        report.note(&format!(
            "Killed {} containers that no code had run in, and {} that ran code or had just done so; {} were gone before.",
            self.warm,
            self.busy.len() + self.nameless,
            self.missed
        ));
        report.target("containers killed that no code had run in", self.warm as f64, Bound::AtLeast(1.0));
        let blameless = failed.filter(|call| !self.busy.contains(call)).count();
        report.target(
            "failed calls whose own code was not killed",
            blameless.saturating_sub(self.nameless) as f64,
            Bound::AtMost(0.0),
        );
    }
}

/// Between two kills.
pub(crate) fn pause() -> Duration {
    Duration::from_millis(PAUSES.start + random(PAUSES.end - PAUSES.start))
}

/// What a kill has hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    /// It had ended before.
    Gone,
    /// No code has run in it, or none has come to its first mark.
    Unmarked,
    /// Code was about to write its mark.
    Nameless,
    /// The call with this number ran in it, or had just done so.
    Call(u64),
}

/// Kills any of an instance's containers that run; none if there is none.
pub(crate) async fn kill_any(engine: &Engine, instance: &str) -> Result<Option<Victim>> {
    let mut running = engine.containers(instance, true).await?;
    if running.is_empty() {
        return Ok(None);
    }
    let container = running.swap_remove(usize::try_from(random(running.len() as u64))?);
    let inspected = engine.docker.inspect_container(&container, None::<InspectContainerOptions>).await;
    let pid = inspected.ok().and_then(|container| container.state?.pid).unwrap_or_default();
    // Absent where the container has ended since.
    let Ok(workspace) = File::open(format!("/proc/{pid}/root/workspace")) else {
        if geteuid().is_root() {
            return Ok(Some(Victim::Gone));
        }
        return Err("to kill containers takes root on the engine's machine".into());
    };
    if engine.kill(&container).await.is_err() {
        return Ok(Some(Victim::Gone));
    }
    let mark = fs::read_to_string(format!("/proc/self/fd/{}/mark", workspace.as_raw_fd()));
    Ok(Some(match mark.map(|mark| mark.parse()) {
        Ok(Ok(call)) => Victim::Call(call),
        Ok(Err(_)) => Victim::Nameless,
        Err(_) => Victim::Unmarked,
    }))
}

/// A number below `end`; every new hasher's keys are random.
fn random(end: u64) -> u64 {
    RandomState::new().build_hasher().finish() % end
}
