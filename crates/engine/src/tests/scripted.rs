//! A container engine and runners that do what a test has written down; no process is started.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use super::config;
use crate::{
    Engine, EngineConfig,
    driver::{Chunk, ContainerName, ContainerSpec, Driver, DriverError, Ended, Pipe},
    events::{Event, Observer},
    request::Memory,
};

pub(super) const READY: &[u8] = include_bytes!("../../../protocol/golden/ready.bin");
pub(super) const READY_9: &[u8] = b"\x81\0\0\0\x1b{\"protocol\":9,\"python\":\"3\"}";
pub(super) const READY_AND_REHEARSED: &[u8] =
    b"\x81\0\0\0\x20{\"protocol\":5,\"python\":\"3.13.5\"}\x8c\0\0\0\0";
pub(super) const REHEARSED: &[u8] = include_bytes!("../../../protocol/golden/rehearsed.bin");
pub(super) const PRELOADED: &[u8] = include_bytes!("../../../protocol/golden/preloaded.bin");
pub(super) const STARTED: &[u8] = include_bytes!("../../../protocol/golden/started.bin");
pub(super) const RESULT: &[u8] = include_bytes!("../../../protocol/golden/result.bin");
pub(super) const FINISHED: &[u8] = include_bytes!("../../../protocol/golden/finished-ok.bin");
pub(super) const FINISHED_OVER_TIME: &[u8] = b"\x86\0\0\0\xcd{\"status\":\"timeout\",\"exit_code\":null,\"signal\":\"SIGKILL\",\"error\":null,\"execution_time\":0.1,\
    \"usage\":{\"wall_time\":0.1,\"cpu_time\":0.25,\"peak_memory\":1},\"truncated\":{\"stdout\":false,\"stderr\":false},\"omitted\":[]}";
pub(super) const DISPLAY: &[u8] = include_bytes!("../../../protocol/golden/display.bin");
pub(super) const FIGURE: &[u8] = include_bytes!("../../../protocol/golden/figure.bin");
pub(super) const FILE: &[u8] = include_bytes!("../../../protocol/golden/file.bin");
pub(super) const DATA_REQUEST: &[u8] = include_bytes!("../../../protocol/golden/data-request-find.bin");
pub(super) const DATA_REQUEST_OPEN: &[u8] = include_bytes!("../../../protocol/golden/data-request-open.bin");
pub(super) const STDOUT: &[u8] = include_bytes!("../../../protocol/golden/stdout.bin");

/// Plays one script a container: the first for the trial at start.
#[derive(Default)]
pub(super) struct Scripted {
    pub(super) scripts: Mutex<Vec<Script>>,
    /// With their exit status, if they have ended.
    pub(super) containers: Mutex<HashMap<ContainerName, Option<i64>>>,
    /// Every container that was to be launched.
    pub(super) launched: Mutex<Vec<ContainerSpec>>,
    pub(super) resized: Mutex<Vec<Memory>>,
    pub(super) refuses_resize: Mutex<bool>,
    /// Played whenever the scripts have run out.
    pub(super) usual: Mutex<Option<fn() -> Script>>,
    /// Of every container.
    pub(super) paused: Mutex<bool>,
    pub(super) failing_removals: Mutex<u32>,
    /// Containers that are never removed.
    pub(super) stuck: Mutex<HashSet<ContainerName>>,
    pub(super) removals_hang: Mutex<bool>,
    pub(super) lists_hang: Mutex<bool>,
    pub(super) inspects_take: Mutex<Duration>,
    pub(super) unreachable: Mutex<bool>,
    /// Launches at the same time: now, and the most so far.
    pub(super) launching: Mutex<(usize, usize)>,
}

pub(super) enum Script {
    /// The first frame by itself, the others once something was sent to it.
    Answers(Vec<&'static [u8]>),
    Says(Vec<&'static [u8]>),
    SaysThenHangs(Vec<&'static [u8]>),
    /// Each part so long after the one before.
    SaysInParts(Vec<(Duration, Vec<&'static [u8]>)>),
    EndsAfter(Duration),
    Complains(&'static str),
    Refuses,
    /// The engine does not say whether it has made the container.
    IsNotAnswered,
    Gone(Vec<&'static [u8]>),
    /// Its exit status; none if it still runs.
    Ends(Option<i64>, Vec<&'static [u8]>),
    SaysForEver(&'static [u8]),
    HangsAndIsGone(Vec<&'static [u8]>),
}

pub(super) fn healthy() -> Script {
    Script::Says(vec![READY, STARTED, RESULT, FINISHED])
}

impl Scripted {
    fn reached(&self) -> Result<(), DriverError> {
        if !*self.unreachable.lock().unwrap() {
            return Ok(());
        }
        Err(DriverError::Unreachable { host: "unix:///x".into(), reason: "Connection refused".into() })
    }
}

#[async_trait]
impl Driver for Scripted {
    async fn check(&self) -> Result<(), DriverError> {
        self.reached()
    }

    async fn launch(&self, spec: &ContainerSpec) -> Result<Pipe, DriverError> {
        self.reached()?;
        self.containers.lock().unwrap().insert(spec.name.clone(), Some(1));
        self.launched.lock().unwrap().push(spec.clone());
        {
            let mut launching = self.launching.lock().unwrap();
            launching.0 += 1;
            launching.1 = launching.1.max(launching.0);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.launching.lock().unwrap().0 -= 1;
        let mut scripts = self.scripts.lock().unwrap();
        let frames = |frames: Vec<&'static [u8]>| {
            stream::iter(frames).map(|frame| io::Result::Ok(Chunk::Frames(Bytes::from_static(frame))))
        };
        let usual = self.usual.lock().unwrap().unwrap_or(healthy);
        let output = match if scripts.is_empty() { usual() } else { scripts.remove(0) } {
            Script::Answers(said) => {
                let (input, mut sent) = tokio::io::duplex(1 << 20);
                let asked = async move { sent.read_u8().await.map(|_| sent) };
                let (first, rest) = (said[0], said[1..].to_vec());
                let answers = stream::once(asked).map(|asked| asked.map(|_| Chunk::Frames(Bytes::new())));
                let output = frames(vec![first]).chain(answers).chain(frames(rest)).boxed();
                return Ok(Pipe { input: Box::pin(input), output });
            }
            Script::Says(said) => frames(said).boxed(),
            Script::SaysThenHangs(said) => frames(said).chain(stream::pending()).boxed(),
            Script::SaysInParts(parts) => {
                let part = async |(pause, said)| {
                    tokio::time::sleep(pause).await;
                    said
                };
                stream::iter(parts).then(part).flat_map(frames).chain(stream::pending()).boxed()
            }
            Script::EndsAfter(time) => {
                let end = stream::once(tokio::time::sleep(time)).filter_map(async |()| None);
                frames(vec![READY]).chain(end).boxed()
            }
            Script::Complains(text) => stream::iter([Ok(Chunk::Complaint(text.into()))]).boxed(),
            Script::Refuses => {
                return Err(DriverError::Refused { call: "start a container", reason: "no".into() });
            }
            Script::IsNotAnswered => {
                self.containers.lock().unwrap().remove(&spec.name);
                let limit = Duration::from_secs(30);
                return Err(DriverError::Timeout { call: "create a container", limit });
            }
            Script::SaysForEver(said) => stream::iter([READY, STARTED])
                .chain(stream::repeat(said))
                .map(|frame| Ok(Chunk::Frames(Bytes::from_static(frame))))
                .boxed(),
            Script::Ends(exit_status, said) => {
                self.containers.lock().unwrap().insert(spec.name.clone(), exit_status);
                frames(said).boxed()
            }
            Script::HangsAndIsGone(said) => {
                self.containers.lock().unwrap().remove(&spec.name);
                frames(said).chain(stream::pending()).boxed()
            }
            Script::Gone(said) => {
                self.containers.lock().unwrap().remove(&spec.name);
                frames(said).boxed()
            }
        };
        Ok(Pipe { input: Box::pin(tokio::io::sink()), output })
    }

    async fn resize(&self, _: &ContainerName, memory: Memory) -> Result<(), DriverError> {
        if *self.refuses_resize.lock().unwrap() {
            return Err(DriverError::ContainerMissing);
        }
        self.resized.lock().unwrap().push(memory);
        Ok(())
    }

    async fn inspect(&self, name: &ContainerName) -> Result<Ended, DriverError> {
        let (takes, limit) = (*self.inspects_take.lock().unwrap(), Duration::from_secs(5));
        tokio::time::sleep(takes.min(limit)).await;
        if takes > limit {
            return Err(DriverError::Timeout { call: "inspect a container", limit });
        }
        let containers = self.containers.lock().unwrap();
        let exit_code = *containers.get(name).ok_or(DriverError::ContainerMissing)?;
        Ok(Ended { exit_code, oom_killed: false, paused: *self.paused.lock().unwrap() })
    }

    async fn remove(&self, name: &ContainerName) -> Result<(), DriverError> {
        self.reached()?;
        let hangs = *self.removals_hang.lock().unwrap();
        if hangs {
            tokio::time::sleep(Duration::from_secs(30)).await;
            return Err(DriverError::Timeout { call: "remove a container", limit: Duration::from_secs(30) });
        }
        let mut failing = self.failing_removals.lock().unwrap();
        let stuck = self.stuck.lock().unwrap().contains(name);
        if stuck || *failing > 0 {
            *failing = failing.saturating_sub(1);
            return Err(DriverError::Refused {
                call: "remove a container",
                reason: "device or resource busy".into(),
            });
        }
        self.containers.lock().unwrap().remove(name);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<ContainerName>, DriverError> {
        let (hangs, listed) =
            (*self.lists_hang.lock().unwrap(), self.containers.lock().unwrap().keys().cloned().collect());
        if hangs {
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        Ok(listed)
    }
}

/// Keeps what the engine says.
#[derive(Default)]
pub(super) struct Heard(pub(super) Mutex<Vec<String>>);

impl Heard {
    /// How often it said what begins so.
    pub(super) fn count(&self, beginning: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|event| event.starts_with(beginning)).count()
    }
}

impl Observer for Heard {
    fn observe(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

pub(super) async fn with_script(script: Vec<Script>, test: impl AsyncFnOnce(&Engine, &Scripted, &Heard)) {
    with_script_and(config(), script, test).await;
}

pub(super) async fn with_script_and(
    config: EngineConfig,
    script: Vec<Script>,
    test: impl AsyncFnOnce(&Engine, &Scripted, &Heard),
) {
    let driver = Arc::new(Scripted::default());
    let heard = Arc::new(Heard::default());
    let observer = Arc::clone(&heard) as Arc<dyn Observer>;
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, config, observer);
    engine.prove().await.unwrap();
    *driver.scripts.lock().unwrap() = script;
    test(&engine, &driver, &heard).await;
    engine.drain(Duration::from_secs(1), &CancellationToken::new()).await;
    assert!(driver.containers.lock().unwrap().is_empty(), "a container was left behind");
}
