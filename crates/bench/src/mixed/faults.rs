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
    soak::killer::{Victim, kill_any, pause},
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) container: bool,
    pub(super) engine: bool,
    pub(super) control_plane: bool,
}

impl Hit {
    const CONTAINER: Self = Self { container: true, engine: false, control_plane: false };
    const ENGINE: Self = Self { container: false, engine: true, control_plane: false };
    const CONTROL_PLANE: Self = Self { container: false, engine: false, control_plane: true };
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
    kills: Vec<Kill>,
    engine_restarted: Vec<Duration>,
    control_planes_killed: u64,
    /// After each kill, until no container was left; none where the next life was to remove them.
    gone_after: Vec<Duration>,
}

/// The kill of one container.
#[derive(Clone, Copy, Debug)]
struct Kill {
    began: Instant,
    ended: Instant,
    victim: Victim,
}

/// A call that was told as lost while engine and control plane were well.
#[derive(Clone, Copy, Debug)]
pub(super) struct LostCall {
    pub(super) number: u64,
    pub(super) sent: Instant,
    pub(super) answered: Instant,
}

impl LostCall {
    fn was_under_way_at(&self, kill: &Kill) -> bool {
        self.sent <= kill.ended && kill.began <= self.answered
    }
}

/// Why calls were lost.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reasons {
    /// By a kill of their own container, which has their mark.
    marked: usize,
    /// By a kill, while they were under way, of one that had no mark: code that has just begun has not written it yet.
    unmarked: usize,
    /// The numbers of the others.
    none: Vec<u64>,
}

impl Reasons {
    /// Each kill is the reason for one loss at most. By the order of their ends, each call takes the first kill that is left: so as many
    /// as possible have one.
    fn of(mut lost: Vec<LostCall>, kills: &[Kill]) -> Self {
        lost.sort_by_key(|call| call.answered);
        let (mut left, mut reasons) = (kills.to_vec(), Self::default());
        let mut takes = |call: &LostCall, victims: &[Victim]| {
            let found =
                left.iter().position(|kill| victims.contains(&kill.victim) && call.was_under_way_at(kill));
            found.map(|at| left.remove(at)).is_some()
        };
        for call in lost {
            if takes(&call, &[Victim::Call(call.number)]) {
                reasons.marked += 1;
            } else if takes(&call, &[Victim::Nameless, Victim::Unmarked]) {
                reasons.unmarked += 1;
            } else {
                reasons.none.push(call.number);
            }
        }
        reasons
    }
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
        let (window, began) = (windows.open(Hit::CONTAINER), Instant::now());
        let victim = kill_any(&self.engine, product.instance()).await;
        windows.close(window);
        done.kills.extend(victim?.map(|victim| Kill { began, ended: Instant::now(), victim }));
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
        let killed =
            |which: fn(&Victim) -> bool| self.kills.iter().filter(|kill| which(&kill.victim)).count();
        report.note(&format!(
            "{} containers killed, {} of them with code in them; the engine restarted {} times ({:?} until it answered); the control plane killed {} times, \
             its containers gone after {:?}.",
            killed(|victim| *victim != Victim::Gone),
            killed(|victim| matches!(victim, Victim::Call(_) | Victim::Nameless)),
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
        let reasons = Reasons::of(lock(&seen.lost_to_containers).clone(), &self.kills);
        report.note(&format!(
            "Calls lost while engine and control plane were well: {} whose own container was killed, {} while one without a mark was, and \
             without such a reason these: {:?}.",
            reasons.marked, reasons.unmarked, reasons.none
        ));
        report.target(
            "calls told as lost without such a kill",
            reasons.none.len() as f64,
            Bound::AtMost(0.0),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_lost_by_its_own_containers_kill_or_while_one_without_a_mark_is_killed() {
        let zero = Instant::now();
        let at = |second| zero + Duration::from_secs(second);
        let kill = |second, victim| Kill { began: at(second), ended: at(second), victim };
        let lost = |number, sent, answered| LostCall { number, sent: at(sent), answered: at(answered) };
        let kills = [
            kill(1, Victim::Call(7)),
            kill(5, Victim::Unmarked),
            kill(6, Victim::Nameless),
            kill(7, Victim::Gone),
        ];
        let reasons = |lost: &[LostCall]| {
            let Reasons { marked, unmarked, none } = Reasons::of(lost.to_vec(), &kills);
            (marked, unmarked, none)
        };
        assert_eq!(reasons(&[lost(7, 0, 1)]), (1, 0, vec![]));
        assert_eq!(
            reasons(&[lost(7, 0, 1), lost(7, 1, 2)]),
            (1, 0, vec![7]),
            "one kill is no reason for two tries"
        );
        assert_eq!(reasons(&[lost(7, 2, 3)]), (0, 0, vec![7]), "it was killed in an earlier try");
        assert_eq!(reasons(&[lost(8, 0, 1)]), (0, 0, vec![8]), "another call's container was killed");
        assert_eq!(
            reasons(&[lost(8, 4, 8), lost(9, 4, 5)]),
            (0, 2, vec![]),
            "who ends first takes the first"
        );
        assert_eq!(reasons(&[lost(8, 7, 8)]), (0, 0, vec![8]), "nothing was hit");
    }

    #[test]
    fn a_fault_excuses_only_what_was_under_way() {
        let windows = Windows::default();
        let before = Instant::now();
        assert_eq!(windows.since(before), Hit::default());
        let window = windows.open(Hit::ENGINE);
        assert!(windows.since(Instant::now()).engine, "it goes on");
        windows.close(window);
        assert!(windows.since(before).engine && !windows.since(before).control_plane);
        assert_eq!(windows.since(Instant::now() + 2 * AFTERMATH), Hit::default());
    }
}
