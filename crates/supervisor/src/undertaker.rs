//! A process that outlives this one only to remove what it leaves.
//!
//! ```text
//! control plane ──appoints──> undertaker, waits for the end of its stdin
//!      │ leaves nothing: dismisses it
//!      └ killed, or drained in vain: the pipe ends ──> removes the containers of that life, and ends
//! ```
//!
//! A `check` has one as well: its instance is its own, so that no later start would sweep what it leaves.
//!
//! Killed, a control plane removes nothing; its containers end by themselves, because their stdin does, but would lie about until the
//! next start. It touches no container of another life: the next one may have begun. As process 1 of a container it would be
//! of no use: the kernel ends it together with the control plane, whose restart then sweeps.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use engine::driver::{Driver, DriverError, docker::DockerDriver};
use futures_util::{StreamExt, stream};
use tokio::{task::block_in_place, time::sleep};
use tracing::{info, warn};

use crate::{cli::Config, signals::Signals};

/// What the engine was just creating when the control plane died is there by then.
const SETTLED: Duration = Duration::from_secs(10);
/// An engine that is away for longer leaves the rest to the next start.
const PATIENCE: Duration = Duration::from_secs(600);
/// As the reaper does with what it finds.
const REMOVALS_AT_ONCE: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Dropped, it goes to work.
pub(crate) struct Undertaker(Child);

impl Undertaker {
    /// For the containers of this generation; none where it could not outlive us. `subcommand`: how many of our arguments, the last,
    /// are no flags.
    pub(crate) fn appoint(generation: &str, subcommand: usize) -> io::Result<Option<Self>> {
        if std::process::id() == 1 {
            return Ok(None);
        }
        let arguments: Vec<_> = std::env::args_os().skip(1).collect();
        let child = Command::new(std::env::current_exe()?)
            .args(&arguments[..arguments.len().saturating_sub(subcommand)])
            .args(["undertake", generation])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // What ends our process group does not end it too.
            .process_group(0)
            .spawn()?;
        Ok(Some(Self(child)))
    }

    /// There is nothing to do for it.
    pub(crate) fn dismiss(mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The other process.
pub(crate) async fn run(config: Config, generation: &str) -> ExitCode {
    // Who asks every process of the service to end asks the control plane, which then dismisses us.
    let _heeded = Signals::new();
    if block_in_place(|| io::copy(&mut io::stdin(), &mut io::sink())).is_err() {
        // Whether the control plane lives nobody knows.
        return ExitCode::FAILURE;
    }
    bury(&config, generation).await;
    ExitCode::SUCCESS
}

async fn bury(config: &Config, generation: &str) {
    let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        let removed = remove_all(config, generation).await;
        let passed = began.elapsed();
        match removed {
            Ok(0) if passed >= SETTLED => return,
            Ok(0) => {}
            Ok(count) => info!(count, "the control plane has ended: what it has left is removed"),
            Err(error) if passed >= PATIENCE => {
                warn!(%error, "the control plane has ended: some of its containers stay until its next start");
                return;
            }
            // A part may be gone; the next round tells.
            Err(_) => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// How many there were.
async fn remove_all(config: &Config, generation: &str) -> Result<usize, DriverError> {
    // Anew each time: an engine that is away may have taken its socket along.
    let driver = DockerDriver::new(&config.docker_host, config.hardening("", generation))?;
    let left = driver.list_generation().await?;
    let removals = stream::iter(&left).map(|name| driver.remove(name)).buffer_unordered(REMOVALS_AT_ONCE);
    // One that fails keeps none of the others.
    let removed: Vec<_> = removals.collect().await;
    removed.into_iter().collect::<Result<(), _>>()?;
    Ok(left.len())
}
