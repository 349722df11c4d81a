//! What becomes of the machine in the middle of a case, by the hand of whoever runs it.

use std::time::Duration;

use nix::sys::signal::Signal;
use reqwest::StatusCode;
use serde::Deserialize;

use super::stage::Stage;
use crate::{docker::try_docker, eventually};

/// What is done.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Deed {
    /// The control plane, with SIGKILL.
    KillService,
    /// The control plane, with SIGTERM.
    EndService,
    /// Every container that runs code or stands ready, with SIGKILL.
    KillContainers,
    /// Every one of those, by force.
    RemoveContainers,
}

/// Does it. Where that is to the service itself, also waits until its containers of before are gone and it is healthy again.
pub(super) async fn act(deed: Deed, stage: &Stage) {
    match deed {
        Deed::KillService => restart(stage, Signal::SIGKILL).await,
        Deed::EndService => restart(stage, Signal::SIGTERM).await,
        Deed::KillContainers => to_containers(stage, &["kill"]).await,
        Deed::RemoveContainers => to_containers(stage, &["rm", "--force"]).await,
    }
}

async fn restart(stage: &Stage, signal: Signal) {
    let before = stage.service.containers().await;
    let gone = eventually("its containers are gone", Duration::from_secs(10), async || {
        stage.service.containers().await.is_disjoint(&before)
    });
    tokio::join!(stage.service.restart_by(signal), gone);
    eventually("it is healthy again", Duration::from_secs(20), async || {
        let health = stage.request("GET", "/health", "nobody").send().await;
        health.is_ok_and(|answer| answer.status() == StatusCode::OK)
    })
    .await;
}

/// One that has gone by itself meanwhile is no error.
async fn to_containers(stage: &Stage, command: &[&str]) {
    let containers = stage.service.containers().await;
    assert!(!containers.is_empty(), "there is no container");
    let names = containers.iter().map(String::as_str);
    try_docker(&command.iter().copied().chain(names).collect::<Vec<_>>()).await;
}
