//! The control plane under test, a process of its own with a data folder of its own.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStderr, Command},
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    Result,
    client::{Target, free_port},
    docker::Engine,
    options::Options,
};

/// What the product logs when the pool is full and all that is in it is preloaded.
const WARM: &str = "\"the pool is warm\"";
/// Preloading a full pool takes seconds a container.
const WARM_LIMIT: Duration = Duration::from_secs(180);
/// The last containers of a burst are still being removed when the pool is warm again.
const SETTLE: Duration = Duration::from_millis(500);
/// Calls of a burst where there is no pool.
const COLD_BURST: usize = 8;
const STOP_LIMIT: Duration = Duration::from_secs(90);

/// A running control plane. End it with [`Product::stop`]; dropped, it is killed, and `Engine::remove_everything` takes
/// its containers away.
#[derive(Debug)]
pub(crate) struct Product {
    child: Child,
    engine: Engine,
    instance: String,
    target: Target,
    pool_size: usize,
    started: Instant,
    warm: watch::Receiver<Option<Instant>>,
    log: PathBuf,
    place: Place,
}

/// Where a control plane lives, also after its death.
#[derive(Debug)]
pub(crate) struct Place {
    folder: TempDir,
    port: u16,
}

impl Place {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { folder: tempfile::tempdir()?, port: free_port()? })
    }
}

impl Product {
    /// Starts it with these flags beside those of the command line, and waits until it can run code.
    pub(crate) async fn start(
        engine: &Engine,
        options: &Options,
        name: &str,
        flags: &[&str],
    ) -> Result<Self> {
        Self::start_at(Place::new()?, engine, options, name, flags).await
    }

    /// Measures with one of its own, which is stopped whatever comes of it.
    pub(crate) async fn during(
        engine: &Engine,
        options: &Options,
        name: &str,
        flags: &[&str],
        measure: impl AsyncFnOnce(&Self) -> Result<()>,
    ) -> Result<()> {
        let product = Self::start(engine, options, name, flags).await?;
        let measured = measure(&product).await;
        let stopped = product.stop().await;
        measured.and(stopped)
    }

    /// Starts one where an earlier one may have lived.
    pub(crate) async fn start_at(
        place: Place,
        engine: &Engine,
        options: &Options,
        name: &str,
        flags: &[&str],
    ) -> Result<Self> {
        let (folder, port) = (place.folder.path(), place.port);
        let data = folder.join("data");
        let log = options.keep_logs.as_deref().unwrap_or(folder).join(format!("{name}.log"));
        let mut command = Command::new(&options.binary);
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--image", &options.image]);
        command.args(["--log-format", "json", "--log-level", "debug"]).arg("--data-dir").arg(&data);
        if options.pool_size > 0 {
            command.args(["--pool-size", &options.pool_size.to_string()]);
        }
        // As in its image (Dockerfile.api).
        command.envs([
            ("MALLOC_ARENA_MAX", "2"),
            ("MALLOC_MMAP_THRESHOLD_", "131072"),
            ("MALLOC_TRIM_THRESHOLD_", "131072"),
        ]);
        let started = Instant::now();
        let mut child = command
            .args(flags)
            .args(&options.product_flag)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {error}", options.binary.display()))?;
        let (warmed, warm) = watch::channel(None);
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(follow(stderr, File::create(&log)?, warmed));
        }
        let target = Target::new(port)?;
        let ready = tokio::select! {
            ready = target.wait_for("/health", Duration::from_secs(60)) => ready,
            ended = child.wait() => Err(format!("the product ended at its start: {ended:?}").into()),
        };
        ready.map_err(|error| format!("{error}; its log: {}", tail(&log)))?;
        let instance = std::fs::read_to_string(data.join("instance-id"))?.trim().to_owned();
        engine.own(&instance);
        let pool_size = options.pool_size;
        Ok(Self { child, engine: engine.clone(), instance, target, pool_size, started, warm, log, place })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The label of its containers.
    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    /// How many calls in a row find a container that is ready; without a pool any number, none of them.
    pub(crate) fn pool_size(&self) -> usize {
        self.pool_size
    }

    /// How many are to be sent in a row, before it is waited until the pool is full again.
    pub(crate) fn burst(&self) -> usize {
        if self.pool_size == 0 { COLD_BURST } else { self.pool_size }
    }

    pub(crate) fn pid(&self) -> Result<u32> {
        Ok(self.child.id().ok_or("the product has ended")?)
    }

    /// Waits until the pool has become warm later than `since`, when the last request was sent. Without a pool: until
    /// all containers are removed.
    pub(crate) async fn warm_since(&self, since: Instant) -> Result<()> {
        let mut warm = self.warm.clone();
        let waited = timeout(WARM_LIMIT, async {
            if self.pool_size == 0 {
                while !self.engine.containers(&self.instance, false).await?.is_empty() {
                    sleep(Duration::from_millis(50)).await;
                }
            } else {
                warm.wait_for(|at| at.is_some_and(|at| at > since)).await?;
            }
            Ok(())
        });
        let warmed: Result<()> =
            waited.await.unwrap_or_else(|_| Err(format!("not warm after {WARM_LIMIT:?}").into()));
        warmed.map_err(|error| format!("the pool: {error}; the product's log: {}", tail(&self.log)))?;
        sleep(SETTLE).await;
        Ok(())
    }

    /// Waits until the pool is warm for the first time.
    pub(crate) async fn warm(&self) -> Result<()> {
        self.warm_since(self.started).await
    }

    /// Waits until as many containers stand as shall.
    pub(crate) async fn full(&self, engine: &Engine) -> Result<()> {
        let deadline = Instant::now() + WARM_LIMIT;
        while engine.containers(&self.instance, false).await?.len() != self.pool_size {
            if Instant::now() > deadline {
                return Err(
                    format!("the pool is not full after {WARM_LIMIT:?}; log: {}", tail(&self.log)).into()
                );
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Where the next one may live, once this one is.
    pub(crate) async fn buried(mut self) -> Result<Place> {
        timeout(STOP_LIMIT, self.child.wait()).await??;
        Ok(self.place)
    }

    /// Ends it as an operator would. A container that is left is a failure.
    pub(crate) async fn stop(mut self) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.pid()?)?), Signal::SIGTERM)?;
        let status = timeout(STOP_LIMIT, self.child.wait())
            .await
            .map_err(|_| format!("the product has not ended {STOP_LIMIT:?} after SIGTERM"))??;
        let left = self.engine.remove_all(&self.instance).await?;
        match (status.success(), left) {
            (true, 0) => Ok(()),
            _ => Err(format!(
                "the product ended with {status} and left {left} containers; its log: {}",
                tail(&self.log)
            )
            .into()),
        }
    }
}

/// Keeps the log and notes when the pool has become warm.
async fn follow(stderr: ChildStderr, mut log: File, warmed: watch::Sender<Option<Instant>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.contains(WARM) {
            warmed.send_replace(Some(Instant::now()));
        }
        let _ = writeln!(log, "{line}");
    }
}

/// The end of a log, for the person who asks why.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
