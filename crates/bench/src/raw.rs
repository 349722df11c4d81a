//! The engine without the product: containers with the very same settings, created, started, waited for and removed one
//! after the other. Nothing that starts a container for each call can be quicker for long.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bollard::{
    models::ContainerCreateBody,
    query_parameters::{
        CreateContainerOptions, RemoveContainerOptions, StartContainerOptions, WaitContainerOptions,
    },
};
use engine::{
    Bounds, Caps,
    driver::{ContainerName, ContainerSpec, hardening::Hardening},
};
use futures_util::StreamExt;

use crate::{
    Result,
    docker::Engine,
    load::{Times, closed_loop, share},
    stats::Window,
};

/// What the container runs instead of the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// `python3 -c pass`
    Pass,
    /// `python3 -c 'import pandas'`
    Pandas,
}

impl Program {
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Pandas => "import pandas",
        }
    }
}

/// Starts containers by hand.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    engine: Engine,
    hardening: Arc<Hardening>,
    bounds: Bounds,
    serial: Arc<AtomicU32>,
}

impl Raw {
    /// With the settings that the product has by default.
    pub(crate) fn new(engine: &Engine, image: &str) -> Result<Self> {
        let instance = format!("bench-raw-{}", std::process::id());
        engine.own(&instance);
        let hardening = Hardening {
            image: image.to_owned(),
            runtime: None,
            milli_cpus: NonZeroU32::new(1000).ok_or("no processor")?,
            pids: NonZeroU32::new(128).ok_or("no process")?,
            memory: 512 << 20,
            workspace_size: 64 << 20,
            tmp_size: 64 << 20,
            shm_size: 32 << 20,
            instance,
            generation: "bench".to_owned(),
        };
        let bounds = Bounds {
            default_timeout: Duration::from_secs(30),
            max_timeout: Duration::from_secs(300),
            default_memory: hardening.memory,
            max_memory: 2 << 30,
        };
        Ok(Self { engine: engine.clone(), hardening: Arc::new(hardening), bounds, serial: Arc::default() })
    }

    /// The rate at so many containers at once.
    pub(crate) async fn window(&self, program: Program, at_once: usize, times: Times) -> Result<Window> {
        let raw = self.clone();
        closed_loop(at_once, times, move |_| {
            let raw = raw.clone();
            async move { raw.one(program).await }
        })
        .await
    }

    /// How long `count` containers take, so many at once.
    pub(crate) async fn all(&self, program: Program, count: u64, at_once: usize) -> Result<Duration> {
        let raw = self.clone();
        let begin = Instant::now();
        share(count, at_once, move |_| {
            let raw = raw.clone();
            async move { raw.one(program).await }
        })
        .await?;
        Ok(begin.elapsed())
    }

    /// One container from create to remove.
    async fn one(&self, program: Program) -> Result<Duration> {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{serial}", self.hardening.instance);
        let body = self.create_body(program, &name, serial);
        let docker = &self.engine.docker;
        let begin = Instant::now();
        let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
        docker.create_container(Some(options), body).await?;
        docker.start_container(&name, None::<StartContainerOptions>).await?;
        let ended = docker.wait_container(&name, None::<WaitContainerOptions>).next().await;
        match ended {
            Some(Ok(ended)) if ended.status_code == 0 => {}
            ended => return Err(format!("python3 -c '{}' ended with {ended:?}", program.source()).into()),
        }
        self.remove(&name).await?;
        Ok(begin.elapsed())
    }

    async fn remove(&self, name: &str) -> Result<()> {
        let options = |force| Some(RemoveContainerOptions { force, v: true, ..Default::default() });
        match self.engine.docker.remove_container(name, options(false)).await {
            // The engine may not yet have noted the end that it has told.
            Err(_) => Ok(self.engine.docker.remove_container(name, options(true)).await?),
            Ok(()) => Ok(()),
        }
    }

    fn create_body(&self, program: Program, name: &str, serial: u32) -> ContainerCreateBody {
        let spec = ContainerSpec {
            caps: Caps { result: 8 << 20, figures: 16 << 20 },
            name: ContainerName(name.to_owned()),
            // No two live ones share a user, as in the product.
            user: 40_000 + serial % 10_000,
            memory: self.bounds.default_memory(),
            lifetime: Duration::from_secs(300),
        };
        ContainerCreateBody {
            entrypoint: Some(vec!["python3".to_owned()]),
            cmd: Some(vec!["-c".to_owned(), program.source().to_owned()]),
            ..self.hardening.container(&spec)
        }
    }
}
