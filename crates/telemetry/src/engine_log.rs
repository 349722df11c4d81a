//! What happens in the engine, as log lines.

use engine::events::{Event, Observer};
use tracing::{debug, error, info, trace, warn};

/// Writes the engine's events to the log.
#[derive(Clone, Copy, Debug)]
pub struct EngineLog;

impl Observer for EngineLog {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Executed { id, status, waited, took } => info!(
                execution.id = %id,
                status = status.as_str(),
                queued_ms = waited.as_secs_f64() * 1e3,
                duration_ms = took.as_secs_f64() * 1e3,
                "executed"
            ),
            Event::NotExecuted { id, error } => {
                warn!(execution.id = %id, %error, "could not be executed");
            }
            Event::Abandoned { id, after } => info!(
                execution.id = %id,
                duration_ms = after.as_secs_f64() * 1e3,
                "abandoned: the client has left"
            ),
            Event::Retried { id, attempt } => {
                warn!(execution.id = %id, attempt, "container died before the code started: trying another");
            }
            Event::DataUnreadable { id, error } => {
                error!(execution.id = %id, %error, "stored data cannot be read");
            }
            Event::DataLate { id, waited } => warn!(
                execution.id = %id,
                waited_ms = waited.as_secs_f64() * 1e3,
                "the run's time was up before the disk had delivered stored data"
            ),
            Event::ContainerStarted { container, took } => {
                debug!(%container, duration_ms = took.as_secs_f64() * 1e3, "container started");
            }
            Event::StartFailed { error, retry_in, refill } => {
                let retry_in_ms = retry_in.map(|time| time.as_secs_f64() * 1e3);
                warn!(%error, retry_in_ms, refill, "container could not be started");
            }
            Event::WarmContainerDied => warn!("a container that stood ready has ended: replacing it"),
            Event::PreloadFailed { module, error } => {
                warn!(module, error, "module cannot be preloaded: containers do without it");
            }
            Event::ResizeFailed { container, error } => {
                warn!(%container, %error, "container could not be given more memory: starting another");
            }
            Event::PoolWarm { containers } => debug!(containers, "the pool is warm"),
            Event::RemovalFailed { container, attempt, error } => {
                warn!(%container, attempt, %error, "container could not be removed, trying again");
            }
            Event::Quarantined { container } => {
                error!(%container, "container resists removal: quarantined, its slot is given back");
            }
            Event::QuarantineEnded { container } => {
                info!(%container, "the container that resisted removal is gone");
            }
            Event::Orphans { count } => info!(count, "removing containers that nothing owns any more"),
            Event::SweepFailed { error } => warn!(%error, "could not look for orphaned containers"),
            Event::DrainIncomplete => {
                error!("gave up waiting for containers to be removed: the next start removes them");
            }
            Event::PhaseLeft { phase, took, passed } => {
                trace!(phase = phase.as_str(), duration_ms = took.as_secs_f64() * 1e3, passed, "phase left");
            }
            // For metrics and traces: every execution has several.
            Event::PhaseEntered { .. }
            | Event::LetGo { .. }
            | Event::Removed { .. }
            | Event::Leased { .. }
            | Event::Standing { .. }
            | Event::DriverCalled { .. } => {}
        }
    }
}
