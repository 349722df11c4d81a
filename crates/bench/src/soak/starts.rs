//! The engine's own count of started containers.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use bollard::query_parameters::EventsOptions;
use engine::driver::hardening::INSTANCE_LABEL;
use futures_util::StreamExt;
use tokio::task::JoinHandle;

use crate::{Result, docker::Engine, load::lock};

/// Counts, until its end is asked for.
#[derive(Debug)]
pub(super) struct Starts {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    containers: HashSet<String>,
    again: usize,
    broken: Option<String>,
}

/// What was counted.
#[derive(Debug)]
pub(super) struct Started {
    /// Different containers.
    pub(super) containers: usize,
    /// Starts of a container that had been started before.
    pub(super) again: usize,
}

impl Starts {
    pub(super) async fn watch(engine: &Engine, instance: &str) -> Result<Self> {
        let filter = |name: &str, value: String| (name.to_owned(), vec![value]);
        let options = EventsOptions {
            filters: Some(HashMap::from([
                filter("type", "container".to_owned()),
                filter("event", "start".to_owned()),
                filter("label", format!("{INSTANCE_LABEL}={instance}")),
            ])),
            ..Default::default()
        };
        let mut events = Box::pin(engine.docker.events(Some(options)));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let note = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let mut seen = lock(&note);
                match event.map(|event| event.actor.and_then(|actor| actor.id)) {
                    Ok(id) => seen.again += usize::from(!seen.containers.insert(id.unwrap_or_default())),
                    Err(error) => seen.broken = Some(error.to_string()),
                }
            }
            lock(&note).broken.get_or_insert_with(|| "the stream has ended".to_owned());
        });
        // The engine says nothing when it begins to listen.
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Self { seen, task })
    }

    pub(super) fn end(self) -> Result<Started> {
        self.task.abort();
        let seen = lock(&self.seen);
        match &seen.broken {
            Some(reason) => Err(format!("the engine's events: {reason}").into()),
            None => Ok(Started { containers: seen.containers.len(), again: seen.again }),
        }
    }
}
