//! The driver for Docker's engine API; the only user of bollard beside [`hardening`](super::hardening).

mod about;

use std::{collections::HashMap, future::Future, io, time::Duration};

use async_trait::async_trait;
use bollard::{
    Docker,
    container::{AttachContainerResults, LogOutput},
    errors::Error,
    models::{ContainerSummary, ContainerUpdateBody},
    query_parameters::{
        AttachContainerOptions, CreateContainerOptions, InspectContainerOptions, ListContainersOptions,
        RemoveContainerOptions, StartContainerOptions,
    },
};
use futures_util::StreamExt;
use tokio::time;

pub use self::about::{AboutEngine, AboutImage};
use super::{
    Chunk, ContainerName, ContainerSpec, Driver, DriverError, Ended, Pipe,
    hardening::{GENERATION_LABEL, Hardening, INSTANCE_LABEL},
};
use crate::request::Memory;

/// A busy engine takes seconds to create or start; one that takes longer than this will not.
const LIFECYCLE_LIMIT: Duration = Duration::from_secs(30);
/// Look-ups touch no container.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);
/// While a call is under way the engine must go on answering pings: it tells an engine that is busy from one that hangs.
/// Two in a row may be late.
const PING_LIMIT: Duration = Duration::from_secs(1);
const PINGS_MISSED: u32 = 3;

/// Talks to one Docker engine.
#[derive(Debug)]
pub struct DockerDriver {
    docker: Docker,
    host: String,
    hardening: Hardening,
}

impl DockerDriver {
    /// A driver for the engine at `host` (`unix:///path` or `tcp://address:port`). Does not connect yet.
    pub fn new(host: &str, hardening: Hardening) -> Result<Self, DriverError> {
        let docker = Docker::connect_with_host(host)
            .map_err(|error| DriverError::Unreachable { host: host.to_owned(), reason: reason(&error) })?;
        Ok(Self { docker, host: host.to_owned(), hardening })
    }

    /// Gives a call of bollard's, whose own time-out covers less than the whole call, a limit, and gives up earlier if
    /// the engine stops answering at all.
    async fn call<T>(
        &self,
        verb: &'static str,
        limit: Duration,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, DriverError> {
        tokio::select! {
            biased;
            done = call => done.map_err(|error| self.translate(verb, error)),
            () = time::sleep(limit) => Err(DriverError::Timeout { call: verb, limit }),
            hung = self.stops_answering() => Err(hung),
        }
    }

    /// Returns when too many pings in a row go unanswered.
    async fn stops_answering(&self) -> DriverError {
        let mut missed = 0;
        loop {
            time::sleep(PING_LIMIT).await;
            match self.ping().await {
                Ok(()) => missed = 0,
                Err(error) if missed + 1 == PINGS_MISSED => return error,
                Err(_) => missed += 1,
            }
        }
    }

    async fn ping(&self) -> Result<(), DriverError> {
        match time::timeout(PING_LIMIT, self.docker.ping()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.translate("answer a ping", error)),
            Err(_) => Err(DriverError::Unreachable {
                host: self.host.clone(),
                reason: "it does not answer".to_owned(),
            }),
        }
    }

    fn translate(&self, call: &'static str, error: Error) -> DriverError {
        match error {
            Error::DockerResponseServerError { status_code: 404, message }
                if message.contains("No such image") =>
            {
                DriverError::ImageMissing(self.hardening.image.clone())
            }
            Error::DockerResponseServerError { status_code: 404, .. } => DriverError::ContainerMissing,
            Error::DockerResponseServerError { message, .. } => {
                DriverError::Refused { call, reason: clipped(message) }
            }
            Error::JsonDataError { message, .. } => {
                DriverError::NotUnderstood { call, reason: clipped(message) }
            }
            error => DriverError::Unreachable { host: self.host.clone(), reason: reason(&error) },
        }
    }
}

/// The innermost cause: bollard's and hyper's outer layers say only that a request failed.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    clipped(innermost.to_string())
}

/// Bytes of what an engine says that are told on.
const LONGEST_REASON: usize = 1 << 10;

fn clipped(mut reason: String) -> String {
    if reason.len() > LONGEST_REASON {
        reason.truncate(reason.floor_char_boundary(LONGEST_REASON));
        reason.push('…');
    }
    reason
}

#[async_trait]
impl Driver for DockerDriver {
    async fn check(&self) -> Result<(), DriverError> {
        self.ping().await?;
        self.image().await.map(|_| ())
    }

    async fn launch(&self, spec: &ContainerSpec) -> Result<Pipe, DriverError> {
        let name = spec.name.0.as_str();
        let options = CreateContainerOptions { name: Some(name.to_owned()), ..Default::default() };
        let create = self.docker.create_container(Some(options), self.hardening.container(spec));
        let created = self.call("create a container", LIFECYCLE_LIMIT, create).await?;
        if !created.warnings.is_empty() {
            return Err(DriverError::Warned(clipped(created.warnings.join("; "))));
        }
        // Attached before it starts, so that not a byte is missed.
        let options = AttachContainerOptions {
            stream: true,
            stdin: true,
            stdout: true,
            stderr: true,
            ..Default::default()
        };
        let attach = self.docker.attach_container(name, Some(options));
        let AttachContainerResults { input, output } =
            self.call("attach to a container", LIFECYCLE_LIMIT, attach).await?;
        let start = self.docker.start_container(name, None::<StartContainerOptions>);
        self.call("start a container", LIFECYCLE_LIMIT, start).await?;
        let output = output.map(|item| match item {
            Ok(LogOutput::StdErr { message }) => Ok(Chunk::Complaint(message)),
            Ok(output) => Ok(Chunk::Frames(output.into_bytes())),
            Err(Error::IOError { err }) => Err(err),
            Err(error) => Err(io::Error::other(error)),
        });
        Ok(Pipe { input, output: output.boxed() })
    }

    async fn resize(&self, name: &ContainerName, memory: Memory) -> Result<(), DriverError> {
        let bytes = i64::try_from(memory.bytes()).unwrap_or(i64::MAX);
        let update =
            ContainerUpdateBody { memory: Some(bytes), memory_swap: Some(bytes), ..Default::default() };
        self.call("resize a container", LOOKUP_LIMIT, self.docker.update_container(&name.0, update)).await
    }

    async fn inspect(&self, name: &ContainerName) -> Result<Ended, DriverError> {
        let inspect = self.docker.inspect_container(&name.0, None::<InspectContainerOptions>);
        let state = self.call("inspect a container", LOOKUP_LIMIT, inspect).await?.state.unwrap_or_default();
        let exited = state.running == Some(false);
        Ok(Ended {
            exit_code: state.exit_code.filter(|_| exited),
            oom_killed: state.oom_killed.unwrap_or_default(),
            paused: state.paused.unwrap_or_default(),
        })
    }

    async fn remove(&self, name: &ContainerName) -> Result<(), DriverError> {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        let remove = async {
            match self.docker.remove_container(&name.0, Some(options)).await {
                // Gone, or going: "removal already in progress".
                Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
                Err(Error::DockerResponseServerError { status_code: 409, message })
                    if message.contains("already in progress") =>
                {
                    Ok(())
                }
                other => other,
            }
        };
        self.call("remove a container", LIFECYCLE_LIMIT, remove).await
    }

    async fn list(&self) -> Result<Vec<ContainerName>, DriverError> {
        self.labelled(INSTANCE_LABEL, &self.hardening.instance).await
    }
}

impl DockerDriver {
    /// Names of the containers of this generation alone, whoever has made them.
    pub async fn list_generation(&self) -> Result<Vec<ContainerName>, DriverError> {
        self.labelled(GENERATION_LABEL, &self.hardening.generation).await
    }

    async fn labelled(&self, label: &str, value: &str) -> Result<Vec<ContainerName>, DriverError> {
        let filter = format!("{label}={value}");
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([("label".to_owned(), vec![filter])])),
            ..Default::default()
        };
        let listed =
            self.call("list containers", LOOKUP_LIMIT, self.docker.list_containers(Some(options))).await?;
        // Whatever stands between us and the engine may not know the filter, and all that is listed will be removed.
        let is_ours = |container: &ContainerSummary| {
            container.labels.as_ref().is_some_and(|labels| labels.get(label).is_some_and(|is| is == value))
        };
        Ok(listed
            .into_iter()
            .filter(is_ours)
            .filter_map(|container| container.names?.into_iter().next())
            // The engine's answer has the slash of the days of linked containers.
            .map(|name| ContainerName(name.trim_start_matches('/').to_owned()))
            .collect())
    }
}
