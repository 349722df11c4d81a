//! What happens and how things stand, as Prometheus reads it. `docs/operations/metrics.md` says what each metric means; a
//! test compares them.
//!
//! What happens comes from the engine's events and, for HTTP, from [`Metrics::answered`]; how things stand is asked when
//! Prometheus asks. No label holds anything that a client has chosen: there are as many time series as routes, phases,
//! statuses and preloaded modules make.

mod containers;
mod executions;
mod http;
mod label;
mod levels;
mod process;

use std::{fmt, sync::Arc, time::Duration};

use engine::{
    EngineConfig,
    events::{Event, Observer},
};
use prometheus_client::{encoding::text, metrics::info::Info, registry::Registry};

pub use self::levels::Levels;
use self::{
    containers::Containers, executions::Executions, http::Http, label::Buckets, levels::LevelGauges,
    process::Process,
};

/// The media type of what [`Metrics::encode`] makes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every metric of the service. Cheap to clone; every clone is the same.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    executions: Executions,
    containers: Containers,
    http: Http,
    levels: LevelGauges,
}

impl Metrics {
    /// Metrics of a service with this engine; its limits and the modules it preloads are among them.
    pub fn new(engine: &EngineConfig) -> Self {
        let mut registry = Registry::default();
        let ours = registry.sub_registry_with_prefix("code_sandbox");
        let buckets = Buckets::up_to(engine.queue_timeout.saturating_add(engine.bounds.max_timeout));
        let executions = Executions::register(ours, engine, &buckets);
        let containers = Containers::register(ours, &engine.pool);
        let http = Http::register(ours, &buckets);
        let levels = LevelGauges::register(ours);
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        ours.register("build", "What runs", version);
        registry.register_collector(Box::new(Process::new()));
        Self(Arc::new(Inner { registry, executions, containers, http, levels }))
    }

    /// A request was answered; `route` is none if there is no such route.
    pub fn answered(&self, route: Option<&str>, method: &str, status: u16, took: Duration) {
        self.0.http.answered(route, method, status, took);
    }

    /// All of them, in the text format of OpenMetrics.
    pub fn encode(&self, levels: &Levels) -> Result<String, fmt::Error> {
        self.0.levels.set(levels);
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl Observer for Metrics {
    fn observe(&self, event: &Event<'_>) {
        let Inner { executions, containers, .. } = &*self.0;
        let counter = match event {
            Event::PhaseEntered { phase } => return executions.entered(*phase),
            Event::PhaseLeft { phase, took, passed } => return executions.left(*phase, *took, *passed),
            Event::Executed { status, took, .. } => return executions.executed(*status, *took),
            Event::NotExecuted { error, .. } => return executions.not_executed(error),
            Event::Leased { supply } => return containers.leased(*supply),
            Event::Standing { by_level } => return containers.standing(by_level),
            Event::DriverCalled { call, took, failed } => return containers.called(*call, *took, *failed),
            Event::ContainerStarted { took, .. } => return containers.started(*took),
            Event::StartFailed { refill, .. } => return containers.start_failed(*refill),
            Event::Quarantined { .. } => return containers.quarantined(),
            Event::QuarantineEnded { .. } => return containers.quarantine_ended(),
            Event::Orphans { count } => return containers.orphaned(*count),
            Event::Abandoned { .. } => &executions.abandoned,
            Event::Retried { .. } => &executions.retried,
            Event::DataUnreadable { .. } | Event::DataLate { .. } => &executions.data_failures,
            Event::WarmContainerDied => &containers.deaths,
            Event::PreloadFailed { .. } => &containers.preload_failures,
            Event::ResizeFailed { .. } => &containers.resize_failures,
            Event::RemovalFailed { .. } => &containers.removal_failures,
            Event::SweepFailed { .. } => &containers.sweep_failures,
            // Standing and the phases tell it at every moment; after an incomplete drain nobody asks any more.
            Event::PoolWarm { .. } | Event::LetGo { .. } | Event::Removed { .. } | Event::DrainIncomplete => {
                return;
            }
        };
        counter.inc();
    }
}

#[cfg(test)]
mod tests;
