//! A trial of every promise: a small program each, which looks at its own container, or runs into one of its limits.
//!
//! The programs print one line on how things are, or fail with one that says what is not as promised.

use std::time::Duration;

use engine::{
    Engine, EngineConfig, ExecuteError, ExecutionRequest, Status, Timeout, driver::hardening::Hardening,
};

/// Seconds that a program which is to end by itself may take, with a processor.
const PATIENCE: f64 = 20.0;
/// Memory of the program that is to exceed it, MiB: enough for the runner, little enough for any machine.
const LITTLE_MEMORY: i64 = 64;

/// A program and how it must end.
pub(super) struct Trial {
    /// What it proves.
    pub(super) what: &'static str,
    /// Runs first, in a container of its own.
    before: Option<&'static str>,
    program: String,
    /// The time limit, in seconds, that it is to exceed.
    exceeds: Option<f64>,
    mebibytes: Option<i64>,
    ends: Status,
}

impl Trial {
    fn new(what: &'static str, program: impl Into<String>) -> Self {
        let program = program.into();
        Self { what, before: None, program, exceeds: None, mebibytes: None, ends: Status::Ok }
    }

    /// What is to be said of how it ended, or what is wrong with it. An `Err` outside: it could not be tried.
    pub(super) async fn run(&self, engine: &Engine) -> Result<Result<String, String>, ExecuteError> {
        let bounds = engine.bounds();
        if let Some(before) = self.before
            && let Err(reason) = self.execute(engine, before, bounds.default_timeout(), Status::Ok).await?
        {
            return Ok(Err(reason));
        }
        let timeout = self.exceeds.and_then(|seconds| bounds.timeout(seconds).ok());
        self.execute(engine, &self.program, timeout.unwrap_or(bounds.default_timeout()), self.ends).await
    }

    async fn execute(
        &self,
        engine: &Engine,
        program: &str,
        timeout: Timeout,
        ends: Status,
    ) -> Result<Result<String, String>, ExecuteError> {
        let bounds = engine.bounds();
        let memory = self.mebibytes.and_then(|mebibytes| bounds.memory_mib(mebibytes).ok());
        let memory = memory.unwrap_or(bounds.default_memory());
        let outcome = engine.execute(ExecutionRequest::trial(program.to_owned(), timeout, memory)).await?;
        let said = outcome.error.unwrap_or(outcome.stdout);
        let status = outcome.status.as_str();
        Ok(match outcome.status {
            ended if ended != ends => Err(format!("ended as '{status}': {said}")),
            Status::Ok => Ok(said),
            _ => Ok(format!("ended as '{status}' after {:.2} s: {said}", outcome.usage.wall_time)),
        })
    }
}

/// How long a program that is to end by itself may take with so much of a processor.
pub(super) fn patience(container: &Hardening) -> Duration {
    Duration::from_secs_f64(PATIENCE / (f64::from(container.milli_cpus.get()) / 1e3).min(1.0))
}

/// All of them, for containers with these settings; the first shows whether anything can be tried at all.
pub(super) fn trials(container: &Hardening, engine: &EngineConfig, modules: &[String]) -> Vec<Trial> {
    let sizes = format!(
        "sizes = {{'/workspace': {}, '/tmp': {}, '/dev/shm': {}}}\n",
        container.workspace_size, container.tmp_size, container.shm_size
    );
    let pids = format!("pids = {}\n", container.pids);
    let cpus = format!("cpus = {}\n", f64::from(container.milli_cpus.get()) / 1e3);
    let mebibytes = LITTLE_MEMORY.min(i64::try_from(engine.bounds.max_memory >> 20).unwrap_or(i64::MAX));
    let memory = format!("mebibytes = {mebibytes}\n");
    let output = format!("kibibytes = {}\n", engine.output_limit >> 10);
    let mut trials = vec![
        Trial::new("a run", include_str!("programs/canonical.py")),
        Trial::new("no network", include_str!("programs/network.py")),
        Trial::new("read-only root", include_str!("programs/root.py")),
        Trial::new("no privileges", include_str!("programs/privileges.py")),
        Trial::new("file systems", sizes + include_str!("programs/file_systems.py")),
        Trial {
            before: Some(include_str!("programs/leave.py")),
            ..Trial::new("no reuse", include_str!("programs/find.py"))
        },
        Trial::new("process limit", pids.clone() + include_str!("programs/processes.py")),
        Trial::new("processor limit", cpus + &pids + include_str!("programs/processors.py")),
        Trial {
            mebibytes: Some(mebibytes),
            ends: Status::MemoryLimit,
            ..Trial::new("memory limit", memory + include_str!("programs/memory.py"))
        },
        Trial {
            exceeds: Some(1.0),
            ends: Status::Timeout,
            ..Trial::new("time limit", include_str!("programs/time.py"))
        },
        Trial {
            ends: Status::OutputLimit,
            ..Trial::new("output limit", output + include_str!("programs/output.py"))
        },
    ];
    if !modules.is_empty() {
        // Names of modules, checked as such: they need no quoting.
        let modules = format!("modules = '{}'.split(',')\n", modules.join(","));
        trials.push(Trial::new("preloaded modules", modules + include_str!("programs/preload.py")));
    }
    trials
}

#[cfg(test)]
mod tests {
    use std::{fs, num::NonZeroU32, sync::Arc};

    use engine::driver::process::ProcessDriver;
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn a_runner_without_isolation_fails_every_trial_of_isolation() {
        let config = EngineConfig::small();
        let container = Hardening {
            image: String::new(),
            runtime: None,
            milli_cpus: NonZeroU32::MIN,
            pids: NonZeroU32::new(16).unwrap(),
            memory: 512 << 20,
            workspace_size: 1 << 20,
            tmp_size: 1 << 20,
            shm_size: 1 << 20,
            instance: String::new(),
            generation: String::new(),
        };
        assert_eq!(patience(&container), Duration::from_secs(20_000));
        let trials = trials(&container, &config, &["no_such_module".to_owned()]);
        let engine = Engine::new(Arc::new(ProcessDriver::default()), config, Arc::new(()));
        let verdict = async |what: &str| {
            trials.iter().find(|trial| trial.what == what).unwrap().run(&engine).await.unwrap()
        };
        for (what, reason) in [
            ("read-only root", "not read-only"),
            ("no privileges", "the code"),
            ("file systems", "/workspace"),
            ("process limit", "16 threads could be started"),
            ("processor limit", "2 processes had "),
            ("memory limit", "ended as 'ok'"),
            ("preloaded modules", "No module named 'no_such_module'"),
        ] {
            let verdict = verdict(what).await;
            assert!(verdict.as_ref().is_err_and(|error| error.contains(reason)), "{what}: {verdict:?}");
        }
        if fs::read_dir("/sys/class/net").unwrap().count() > 1 {
            assert!(verdict("no network").await.unwrap_err().contains("there are the interfaces"));
        }
        // The runner's own.
        assert!(verdict("time limit").await.unwrap().starts_with("ended as 'timeout' after 1."));
        assert!(verdict("output limit").await.unwrap().starts_with("ended as 'output_limit'"));
        engine.drain(Duration::ZERO, &CancellationToken::new()).await;
    }
}
