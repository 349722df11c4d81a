//! What goes wrong meanwhile, and when.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{process::Command, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use super::Seen;
use crate::{
    Result,
    docker::Engine,
    load::lock,
    options::Options,
    product::Product,
    report::{Bound, Report, progress},
    soak::killer::{pause, victim},
};

/// How long nothing is killed after a restart: first all comes back.
const REST: Duration = Duration::from_secs(10);
/// A killed control plane leaves no container for longer.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// Answers that were on their way when a fault was over.
const AFTERMATH: Duration = Duration::from_secs(2);
/// The script that started the engine, and can start it again.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/own-engine.sh");

/// What is hit.
pub(super) struct Plan {
    pub(super) engine: Engine,
    pub(super) options: Options,
    /// Folder of the engine.
    pub(super) own: PathBuf,
    pub(super) calls: u64,
}

/// When something was wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Windows(Arc<Mutex<Vec<Window>>>);

#[derive(Clone, Copy, Debug)]
struct Window {
    hit: Hit,
    /// None while it goes on.
    end: Option<Instant>,
}

/// What was wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hit {
    pub(super) container: bool,
    pub(super) engine: bool,
    pub(super) control_plane: bool,
}

impl Hit {
    const CONTAINER: Self = Self { container: true, engine: false, control_plane: false };
    const ENGINE: Self = Self { container: false, engine: true, control_plane: false };
    const CONTROL_PLANE: Self = Self { container: false, engine: false, control_plane: true };

    pub(super) fn any(self) -> bool {
        self.container || self.engine || self.control_plane
    }
}

impl Windows {
    /// What has been wrong at any time from then on.
    pub(super) fn since(&self, then: Instant) -> Hit {
        let lasted = |window: &&Window| window.end.is_none_or(|end| end + AFTERMATH >= then);
        lock(&self.0).iter().filter(lasted).fold(Hit::default(), |all, Window { hit, .. }| Hit {
            container: all.container || hit.container,
            engine: all.engine || hit.engine,
            control_plane: all.control_plane || hit.control_plane,
        })
    }

    fn open(&self, hit: Hit) -> usize {
        let mut windows = lock(&self.0);
        windows.push(Window { hit, end: None });
        windows.len() - 1
    }

    fn close(&self, window: usize) {
        lock(&self.0)[window].end = Some(Instant::now());
    }
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Done {
    containers_killed: u64,
    engine_restarted: Vec<Duration>,
    control_planes_killed: u64,
    /// After each kill, until no container was left; none where the next life was to remove them.
    gone_after: Vec<Duration>,
}

/// Goes on until its end is asked for.
pub(super) struct Faults {
    stop: CancellationToken,
    task: JoinHandle<Result<(Done, Product)>>,
}

impl Faults {
    pub(super) fn begin(plan: Plan, product: Product, seen: Arc<Seen>) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move { plan.go_on(product, &seen, &stopped).await });
        Self { stop, task }
    }

    pub(super) async fn end(self) -> Result<(Done, Product)> {
        self.stop.cancel();
        self.task.await?
    }
}

impl Plan {
    async fn go_on(
        &self,
        mut product: Product,
        seen: &Seen,
        stopped: &CancellationToken,
    ) -> Result<(Done, Product)> {
        let mut done = Done::default();
        // At a quarter of the calls, a half and three quarters.
        let mut large = [1, 2, 3].map(|quarter| self.calls * quarter / 4).into_iter().peekable();
        loop {
            tokio::select! {
                () = stopped.cancelled() => return Ok((done, product)),
                () = sleep(pause()) => {}
            }
            if large.next_if(|due| seen.answered.so_far() >= *due).is_none() {
                self.kill_one(&product, &seen.windows, &mut done).await?;
                continue;
            }
            if done.control_planes_killed == 1 && done.engine_restarted.is_empty() {
                self.restart_engine(&seen.windows, &mut done).await?;
            } else {
                product = self.kill_control_plane(product, &seen.windows, &mut done).await?;
            }
            tokio::select! {
                () = stopped.cancelled() => return Ok((done, product)),
                () = sleep(REST) => {}
            }
        }
    }

    async fn kill_one(&self, product: &Product, windows: &Windows, done: &mut Done) -> Result<()> {
        let Some(victim) = victim(&self.engine, product.instance()).await? else { return Ok(()) };
        let window = windows.open(Hit::CONTAINER);
        let hit = self.engine.kill(&victim).await;
        windows.close(window);
        done.containers_killed += u64::from(hit.is_ok());
        Ok(())
    }

    async fn restart_engine(&self, windows: &Windows, done: &mut Done) -> Result<()> {
        progress("the engine is restarted");
        let (window, began) = (windows.open(Hit::ENGINE), Instant::now());
        for what in ["--stop", "--start"] {
            let ended = Command::new(SCRIPT).arg(what).arg(&self.own).status().await?;
            if !ended.success() {
                return Err(format!("own-engine.sh {what}: {ended}").into());
            }
        }
        done.engine_restarted.push(began.elapsed());
        // Until the control plane has noticed.
        sleep(REST).await;
        windows.close(window);
        Ok(())
    }

    /// The first time the next life begins when all is gone, the second time at once.
    async fn kill_control_plane(
        &self,
        product: Product,
        windows: &Windows,
        done: &mut Done,
    ) -> Result<Product> {
        progress("the control plane is killed");
        let window = windows.open(Hit::CONTROL_PLANE);
        let instance = product.instance().to_owned();
        kill(Pid::from_raw(i32::try_from(product.pid()?)?), Signal::SIGKILL)?;
        let killed = Instant::now();
        let place = product.buried().await?;
        if done.control_planes_killed == 0 {
            while !self.engine.containers(&instance, false).await?.is_empty()
                && killed.elapsed() < 3 * GONE_WITHIN
            {
                sleep(Duration::from_millis(50)).await;
            }
            done.gone_after.push(killed.elapsed());
        }
        done.control_planes_killed += 1;
        let name = format!("mixed-{}", done.control_planes_killed);
        let product = Product::start_at(place, &self.engine, &self.options, &name, &[]).await?;
        windows.close(window);
        Ok(product)
    }
}

impl Done {
    pub(super) fn describe(&self, seen: &Seen, report: &mut Report) {
        report.note(&format!(
            "{} containers killed; the engine restarted {} times ({:?} until it answered); the control plane killed {} times, \
             its containers gone after {:?}.",
            self.containers_killed,
            self.engine_restarted.len(),
            self.engine_restarted,
            self.control_planes_killed,
            self.gone_after
        ));
        report.target("kills of the control plane", self.control_planes_killed as f64, Bound::AtLeast(2.0));
        report.target("restarts of the engine", self.engine_restarted.len() as f64, Bound::AtLeast(1.0));
        let longest = self.gone_after.iter().max().copied().unwrap_or_default();
        report.target(
            "seconds until a killed control plane's containers were gone",
            longest.as_secs_f64(),
            Bound::AtMost(GONE_WITHIN.as_secs_f64()),
        );
        report.target(
            "calls lost beyond the containers killed, engine and control plane being well",
            lock(&seen.lost_to_containers).saturating_sub(self.containers_killed) as f64,
            Bound::AtMost(0.0),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_excuses_only_what_was_under_way() {
        let windows = Windows::default();
        let before = Instant::now();
        assert!(!windows.since(before).any());
        let window = windows.open(Hit::ENGINE);
        assert!(windows.since(Instant::now()).engine, "it goes on");
        windows.close(window);
        assert!(windows.since(before).engine && !windows.since(before).control_plane);
        assert!(!windows.since(Instant::now() + 2 * AFTERMATH).any());
    }
}
